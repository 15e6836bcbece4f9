//! Orders, on a schedule or by hand.

use std::time::SystemTime;

use events::{Event, Timestamp, hash64_of};
use kafka_transport::Writer;
use lambda_host::{Function, Invocation, InvocationError};
use messaging::{Follows, Outgoing};
use otlp::{Traces, entered};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use shop::order_generator::{NAME, generate_order_event};

/// The most orders of one invocation: about 30 MB, which fit into the function's memory and its time.
const MAX_ORDERS: u64 = 100_000;

/// Where the orders' writes are counted.
const SLOT: usize = 0;

pub(crate) struct Generator {
    pub(crate) writer: Writer,
    pub(crate) traces: Option<Traces>,
    pub(crate) seed: u64,
}

/// What an invocation asks for: of a schedule `{"scheduled_time": "<aws.scheduler.scheduled-time>"}`, by hand
/// `{"orders": 10}`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Request {
    orders: Option<u64>,
    scheduled_time: Option<String>,
    start: Option<String>,
    run: Option<String>,
}

/// Which orders follow from a request.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Plan {
    orders: u64,
    seed: u64,
    base_time: Timestamp,
    run: String,
}

#[derive(Serialize)]
struct Placed<'a> {
    orders: u64,
    first: &'a str,
    run: &'a str,
}

impl Plan {
    /// Lambda keeps the request id over the retries of an invocation, and a schedule its time: so a retry places the same
    /// orders, byte for byte.
    fn of(event: &[u8], seed: u64, request_id: &str) -> Result<Self, String> {
        let request: Option<Request> = serde_json::from_slice(event).map_err(|error| format!("the event: {error}"))?;
        let Request { orders, scheduled_time, start, run } = request.unwrap_or_default();
        let orders = orders.unwrap_or(1);
        if !(1..=MAX_ORDERS).contains(&orders) {
            return Err(format!("orders: found {orders}, allowed 1 to {MAX_ORDERS}"));
        }
        let run = run.unwrap_or_else(|| request_id.to_owned());
        if !(1..=64).contains(&run.len()) {
            return Err(format!("run: found {run:?}, allowed 1 to 64 bytes"));
        }
        let time = |name: &str, text: String| {
            Timestamp::parse(&text).ok_or_else(|| format!("{name}: found {text:?}, allowed RFC 3339"))
        };
        let (seed, base_time) = match (scheduled_time, start) {
            (Some(_), Some(_)) => return Err("scheduled_time and start: found both, allowed one of them".into()),
            (Some(text), None) => (seed, time("scheduled_time", text)?),
            (None, Some(text)) => (seed, time("start", text)?),
            (None, None) => (hash64_of(&[&seed.to_string(), request_id]), Timestamp::BASE),
        };
        Ok(Self { orders, seed, base_time, run })
    }

    fn records(&self) -> impl Iterator<Item = Outgoing> {
        (0..self.orders).map(|n| Outgoing::of(&generate_order_event(self.seed, self.base_time, n)))
    }
}

impl Function for Generator {
    fn invoke(&self, event: &[u8], invocation: &Invocation) -> Result<Box<RawValue>, InvocationError> {
        let plan = Plan::of(event, self.seed, &invocation.request_id)
            .map_err(|reason| InvocationError::new("Event.Refused", reason))?;
        self.writer.open(SLOT);
        for record in plan.records() {
            let follows = entered(self.traces.as_ref(), &record, Follows::run(&plan.run), SystemTime::now);
            self.writer.publish(SLOT, &record, follows);
        }
        let confirmed = self.writer.confirm(SLOT, invocation.deadline);
        lambda_host::export(self.traces.as_ref(), invocation.deadline);
        confirmed.map_err(|error| InvocationError::new("Orders.NotWritten", error))?;

        let first = generate_order_event(plan.seed, plan.base_time, 0).order_id;
        let (order_id, event_type) = (first.as_str(), events::shop::OrderPlaced::EVENT_TYPE);
        let (orders, run) = (plan.orders, plan.run.as_str());
        tracing::info!(order_id, event_type, service = NAME, status = "published", orders, run, "orders placed");
        to_raw_value(&Placed { orders, first: order_id, run }).map_err(|error| InvocationError::new("Answer", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(event: &str, request_id: &str) -> Result<Plan, String> {
        Plan::of(event.as_bytes(), 7, request_id)
    }

    #[test]
    fn a_request_says_how_many_orders_when_and_of_which_run() {
        let time = Timestamp::parse("2026-11-21T09:30:00Z").unwrap();
        let by_id = hash64_of(&["7", "id-1"]);
        for (event, orders, seed, base_time, run) in [
            (r#"{"scheduled_time":"2026-11-21T09:30:00Z"}"#, 1, 7, time, "id-1"),
            (r#"{"start":"2026-11-21T09:30:00Z","orders":10}"#, 10, 7, time, "id-1"),
            (r#"{"orders":100000,"run":"mine"}"#, 100_000, by_id, Timestamp::BASE, "mine"),
            ("{}", 1, by_id, Timestamp::BASE, "id-1"),
            ("null", 1, by_id, Timestamp::BASE, "id-1"),
        ] {
            assert_eq!(plan(event, "id-1"), Ok(Plan { orders, seed, base_time, run: run.into() }), "{event}");
        }
    }

    #[test]
    fn a_retried_invocation_places_the_same_bytes_and_another_one_others() {
        let records = |event: &str, request_id| plan(event, request_id).unwrap().records().collect::<Vec<_>>();
        let by_hand = records(r#"{"orders":3}"#, "id-1");
        assert_eq!(by_hand, records(r#"{"orders":3}"#, "id-1"));
        assert_ne!(by_hand, records(r#"{"orders":3}"#, "id-2"));
        let scheduled = r#"{"scheduled_time":"2026-11-21T09:30:00Z"}"#;
        assert_eq!(records(scheduled, "id-1"), records(scheduled, "id-2"), "the schedule's retry has another id");
    }

    #[test]
    fn a_request_without_sense_is_refused_with_what_was_found() {
        for (event, reason) in [
            (r#"{"orders":0}"#, "orders: found 0, allowed 1 to 100000"),
            (r#"{"orders":100001}"#, "orders: found 100001, allowed 1 to 100000"),
            (r#"{"start":"now"}"#, r#"start: found "now", allowed RFC 3339"#),
            (
                r#"{"scheduled_time":"<aws.scheduler.scheduled-time>"}"#,
                r#"scheduled_time: found "<aws.scheduler.scheduled-time>", allowed RFC 3339"#,
            ),
            (r#"{"start":"x","scheduled_time":"y"}"#, "scheduled_time and start: found both, allowed one of them"),
            (r#"{"run":""}"#, r#"run: found "", allowed 1 to 64 bytes"#),
            (
                r#"{"count":1}"#,
                "the event: unknown field `count`, expected one of `orders`, `scheduled_time`, `start`, `run` at line 1 column 8",
            ),
        ] {
            assert_eq!(plan(event, "id-1"), Err(reason.into()), "{event}");
        }
    }
}
