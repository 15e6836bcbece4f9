use std::fmt;

use events::{Event, EventId, Topic};
use xxhash_rust::xxh3::xxh3_128;

use crate::{Failure, TRACEPARENT, TRACESTATE, TraceContext};

/// The header with the event's id, by which a redelivery is recognised.
pub const EVENT_ID: &str = "event_id";
/// The header with the run's id: set where the order entered, copied by every host.
pub const RUN: &str = "run";
/// The header with the id of the event that a record follows from; what entered from outside has none.
pub const CAUSATION_ID: &str = "causation_id";

/// A record as it arrived: borrowed from the host that fetched it.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// Where it stands.
    pub topic: Topic,
    /// The partition within the topic.
    pub partition: i32,
    /// The position within the partition.
    pub offset: i64,
    /// What decides the partition; `None` where the writer gave none.
    pub key: Option<&'a [u8]>,
    /// The bytes; `None` for a tombstone.
    pub value: Option<&'a [u8]>,
    /// Its headers, read only when asked for.
    pub headers: &'a dyn Headers,
    /// How often it was delivered, this time included, where the host knows.
    pub deliveries: Option<u32>,
}

impl Record<'_> {
    /// Reads the event that this record must hold.
    ///
    /// # Errors
    /// [`Failure::Reject`] where the value is no such event, or the key is not the event's: no further attempt would
    /// change that.
    pub fn decode<E: Event>(&self) -> Result<E, Failure> {
        let value = self.value.ok_or_else(|| Failure::Reject("value: found nothing, allowed a JSON object".into()))?;
        let event = E::decode(value).map_err(|error| Failure::Reject(error.to_string()))?;
        if self.key != Some(event.key()) {
            let found = self.key.map_or("nothing".into(), |key| format!("{:?}", String::from_utf8_lossy(key)));
            let allowed = String::from_utf8_lossy(event.key());
            return Err(Failure::Reject(format!("key: found {found}, allowed {allowed:?}")));
        }
        Ok(event)
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}@{}", self.topic, self.partition, self.offset)
    }
}

/// One header: a name and bytes, which may be absent.
pub type Header = (String, Option<Vec<u8>>);

/// A record's headers, in their order; names may repeat.
pub trait Headers {
    /// Shows each header to `each`.
    fn visit<'a>(&'a self, each: &mut dyn FnMut(&'a str, Option<&'a [u8]>));

    /// The value of the last header of that name, as Kafka's own clients read it.
    fn last<'a>(&'a self, name: &str) -> Option<&'a [u8]> {
        let mut found = None;
        self.visit(&mut |header, value| {
            if header == name {
                found = value;
            }
        });
        found
    }

    /// A copy that outlives the record.
    fn to_list(&self) -> Vec<Header> {
        let mut list = Vec::new();
        self.visit(&mut |name, value| list.push((name.to_owned(), value.map(<[u8]>::to_vec))));
        list
    }
}

impl Headers for Vec<Header> {
    fn visit<'a>(&'a self, each: &mut dyn FnMut(&'a str, Option<&'a [u8]>)) {
        for (name, value) in self {
            each(name, value.as_deref());
        }
    }
}

/// A record without headers.
pub struct NoHeaders;

impl Headers for NoHeaders {
    fn visit<'a>(&'a self, _: &mut dyn FnMut(&'a str, Option<&'a [u8]>)) {}
}

/// What a record follows from, as its headers tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follows<'a> {
    /// The run that it belongs to, for the header [`RUN`].
    pub run: Option<&'a [u8]>,
    /// The id of the event that led to it, for the header [`CAUSATION_ID`].
    pub cause: Option<&'a [u8]>,
    /// The span that led to it, for the header [`TRACEPARENT`].
    pub span: Option<TraceContext>,
    /// What tracing systems have added to that, for the header [`TRACESTATE`].
    pub trace_state: Option<&'a [u8]>,
}

impl<'a> Follows<'a> {
    /// From nothing that is known: it enters from outside, in no run.
    pub const NOTHING: Self = Self { run: None, cause: None, span: None, trace_state: None };

    /// From nothing: it enters from outside, in this run.
    pub const fn run(run: &'a str) -> Self {
        Self { run: Some(run.as_bytes()), ..Self::NOTHING }
    }

    /// From a record: what its handler decided. Where nobody makes a span of that, the span is the one that led to the record.
    pub fn from(record: &Record<'a>) -> Self {
        let (mut run, mut cause, mut span, mut trace_state) = (None, None, None, None);
        // One pass: a host reads headers out of its client's memory, one call each.
        record.headers.visit(&mut |name, value| match name {
            RUN => run = value,
            EVENT_ID => cause = value,
            TRACEPARENT => span = value,
            TRACESTATE => trace_state = value,
            _ => {}
        });
        let span = span.and_then(TraceContext::parse);
        Self {
            run,
            cause: cause.filter(|id| EventId::parse(id).is_some()),
            span,
            trace_state: trace_state.filter(|_| span.is_some()),
        }
    }
}

/// A record to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Where it goes.
    pub topic: Topic,
    /// What decides its partition.
    pub key: Vec<u8>,
    /// Its bytes.
    pub value: Vec<u8>,
    /// Its identity, for the header [`EVENT_ID`].
    pub event_id: EventId,
}

impl Outgoing {
    /// The record that publishes an event.
    pub fn of<E: Event>(event: &E) -> Self {
        Self { topic: E::TOPIC, key: event.key().to_vec(), value: event.encode(), event_id: event.event_id() }
    }

    /// Adds the headers that every record of ours carries to `list`: its event id, and what it follows from where that is known.
    pub fn fold_headers<L>(
        &self,
        follows: &Follows<'_>,
        list: L,
        mut add: impl FnMut(L, &'static str, &[u8]) -> L,
    ) -> L {
        let Follows { run, cause, span, trace_state } = *follows;
        let mut list = add(list, EVENT_ID, &self.event_id.encode());
        for (name, value) in [(RUN, run), (CAUSATION_ID, cause)] {
            if let Some(value) = value {
                list = add(list, name, value);
            }
        }
        if let Some(span) = span {
            list = add(list, TRACEPARENT, &span.encode());
        }
        match trace_state.filter(|_| span.is_some()) {
            Some(trace_state) => add(list, TRACESTATE, trace_state),
            None => list,
        }
    }

    /// The record as it arrives where no broker is between: at the first place of its topic, without headers.
    pub fn as_record(&self) -> Record<'_> {
        let (key, value) = (Some(&self.key[..]), Some(&self.value[..]));
        Record { topic: self.topic, partition: 0, offset: 0, key, value, headers: &NoHeaders, deliveries: None }
    }
}

/// The 128-bit xxh3 of topic 0x1F key 0x1F value.
pub(crate) fn content(topic: Topic, key: &[u8], value: &[u8]) -> u128 {
    let mut bytes = Vec::with_capacity(topic.as_str().len() + key.len() + value.len() + 2);
    for part in [topic.as_str().as_bytes(), key] {
        bytes.extend_from_slice(part);
        bytes.push(0x1F);
    }
    bytes.extend_from_slice(value);
    xxh3_128(&bytes)
}

#[cfg(test)]
mod tests {
    use events::shop::{InventoryResult, StockStatus};
    use events::{OrderId, Timestamp};

    use super::*;

    fn inventory_result() -> InventoryResult {
        let order_id = OrderId::parse("7f3a").unwrap();
        InventoryResult { order_id, timestamp: Timestamp::BASE, status: StockStatus::Short }
    }

    fn record<'a>(key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Record<'a> {
        let topic = InventoryResult::TOPIC;
        Record { topic, partition: 0, offset: 0, key, value, headers: &NoHeaders, deliveries: None }
    }

    #[test]
    fn a_record_gives_the_event_that_was_written() {
        let written = Outgoing::of(&inventory_result());
        let read = record(Some(&written.key), Some(&written.value)).decode::<InventoryResult>();
        assert_eq!(read, Ok(inventory_result()));
    }

    #[test]
    fn a_tombstone_another_key_and_broken_bytes_are_rejected_with_the_reason() {
        let written = Outgoing::of(&inventory_result());
        let reject = |text: &str| Err(Failure::Reject(text.to_owned()));
        let decode = |key, value| record(key, value).decode::<InventoryResult>();
        assert_eq!(decode(Some(&written.key), None), reject("value: found nothing, allowed a JSON object"));
        assert_eq!(decode(Some(b"7f3b"), Some(&written.value)), reject(r#"key: found "7f3b", allowed "7f3a""#));
        assert_eq!(decode(None, Some(&written.value)), reject(r#"key: found nothing, allowed "7f3a""#));
        assert_eq!(
            decode(Some(&written.key), Some(b"\xff")),
            reject("value: found invalid JSON (expected value at column 1), allowed a JSON object in UTF-8")
        );
    }

    #[test]
    fn a_record_is_named_by_where_it_stands() {
        let record = Record { partition: 2, offset: 4711, ..record(None, None) };
        assert_eq!(format!("{record:?}"), "inventory_result-2@4711");
    }

    const SPAN: &[u8] = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    /// The headers of what follows from a record with these.
    fn passed_on(headers: &[(&str, &[u8])]) -> Vec<(&'static str, Vec<u8>)> {
        let headers: Vec<Header> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), Some(value.to_vec()))).collect();
        let follows = Follows::from(&Record { headers: &headers, ..record(None, None) });
        let add = |mut list: Vec<_>, name, value: &[u8]| {
            list.push((name, value.to_vec()));
            list
        };
        let mut found = Outgoing::of(&inventory_result()).fold_headers(&follows, Vec::new(), add);
        assert_eq!(found.remove(0), (EVENT_ID, inventory_result().event_id().encode().to_vec()));
        found
    }

    #[test]
    fn what_follows_from_a_record_has_its_run_its_event_id_as_the_cause_and_its_span() {
        let id = inventory_result().event_id().encode();
        let headers = [(TRACESTATE, &b"vendor=1"[..]), (EVENT_ID, &id), (TRACEPARENT, SPAN), (RUN, b"the-run")];
        let expected = [(RUN, &b"the-run"[..]), (CAUSATION_ID, &id), (TRACEPARENT, SPAN), (TRACESTATE, b"vendor=1")];
        assert_eq!(passed_on(&headers), expected.map(|(name, value)| (name, value.to_vec())));
    }

    #[test]
    fn what_is_no_span_is_not_passed_on_and_neither_is_what_belongs_to_it() {
        assert_eq!(passed_on(&[]), []);
        assert_eq!(passed_on(&[(TRACEPARENT, b"00-4bf9-00f0-01"), (TRACESTATE, b"vendor=1")]), []);
        assert_eq!(passed_on(&[(TRACESTATE, b"vendor=1")]), []);
    }

    #[test]
    fn of_headers_with_one_name_the_last_counts() {
        let headers: Vec<Header> =
            vec![(RUN.into(), Some(b"a".to_vec())), ("x".into(), None), (RUN.into(), Some(b"b".to_vec()))];
        assert_eq!(headers.last(RUN), Some(&b"b"[..]));
        assert_eq!(headers.last("x"), None);
        assert_eq!(headers.to_list(), headers);
        assert_eq!(NoHeaders.last(RUN), None);
    }
}
