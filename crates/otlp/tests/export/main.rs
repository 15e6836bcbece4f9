//! What a collector gets, and what becomes of spans where there is none.
#![cfg(test)]

use std::net::TcpListener;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use events::{EventId, OrderId, Topic};
use messaging::{
    Answer, EVENT_ID, Follows, Header, Outgoing, RUN, Record, RetryPolicy, Subscription, TRACEPARENT, TraceContext,
};
use otlp::{ENDPOINT, SAMPLER, SAMPLER_ARG, Settings, Span, Traces};
use prometheus_client::registry::Registry;
use proptest::prelude::*;
use serde_json::{Value, json};
use topology::Topology;

use collector::{Collector, TAKEN, attribute};

mod collector; // a collector of spans

const TOPIC: Topic = Topic::new("order_placed");
const EXAMPLE: &[u8] = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const CAUSE: &[u8] = b"00000000-0000-8000-8000-000000000001";

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(10);

fn traces(endpoint: &str) -> (Traces, Registry) {
    traces_with(&[(ENDPOINT, endpoint)])
}

fn traces_with(variables: &[(&str, &str)]) -> (Traces, Registry) {
    let variable =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let settings = Settings::from_environment(variable).unwrap().unwrap();
    let traces = Traces::start(settings, &Topology::built_in().unwrap(), 7).unwrap();
    let mut registry = Registry::default();
    traces.register(&mut registry);
    (traces, registry)
}

fn group() -> Arc<Subscription> {
    Arc::new(Subscription {
        service: "payment_processor".into(),
        group: "payment_processor.order_placed".into(),
        topic: TOPIC,
        dead_letter: Some(Topic::new("payment_processor.order_placed.dead_letter")),
        batch_records: 100,
        retry: RetryPolicy::try_new(1, 1, 1).unwrap(),
    })
}

fn header(name: &str, value: &[u8]) -> Header {
    (name.to_owned(), Some(value.to_vec()))
}

/// The headers of a record of a trace that began elsewhere.
fn traced() -> Vec<Header> {
    vec![header(EVENT_ID, CAUSE), header(RUN, b"the-run"), header(TRACEPARENT, EXAMPLE)]
}

fn record<'a>(headers: &'a Vec<Header>, key: &'a [u8]) -> Record<'a> {
    Record { topic: TOPIC, partition: 2, offset: 4711, key: Some(key), value: Some(b"{}"), headers, deliveries: None }
}

fn at(ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + ms)
}

/// What `traces` makes of a record that came at 0 ms.
fn answered<'a>(traces: &Traces, record: &Record<'a>, answer: &Answer) -> (Follows<'a>, Option<Span>) {
    traces.answered(&group(), record, Follows::from(record), answer, at(0))
}

/// Tells a span of a record that was handled.
fn tell(traces: &Traces, key: &[u8]) {
    let headers = traced();
    let (_, span) = answered(traces, &record(&headers, key), &Answer::Handled);
    traces.end(span.into_iter().collect(), at(25), None);
}

/// A counter of what became of spans.
fn count(registry: &Registry, outcome: &str) -> u64 {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    let begins = format!("orderflow_trace_spans_total{{outcome=\"{outcome}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&begins)).unwrap().parse().unwrap()
}

#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_record_that_is_handled_is_a_span_of_its_consumer_as_otlp_has_it_in_json() {
    let collector = Collector::start();
    let (traces, registry) = traces(&collector.endpoint());
    tell(&traces, b"7f3a");
    traces.flush(PATIENCE);

    let [posted] = &collector.posted()[..] else { panic!("not one request") };
    assert_eq!(posted.head[0], "post /v1/traces http/1.1");
    assert!(posted.head.contains(&"content-type: application/json".to_owned()), "{:?}", posted.head);
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let expected = json!({"resourceSpans": [{
        "resource": {"attributes": [text("service.name", "payment_processor")]},
        "scopeSpans": [{
            "scope": {"name": "orderflow", "version": env!("CARGO_PKG_VERSION")},
            "spans": [{
                "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
                "spanId": "63cbe1e459320dd7",
                "parentSpanId": "00f067aa0ba902b7",
                "flags": 0x301,
                "name": "process order_placed",
                "kind": 5,
                "startTimeUnixNano": "1700000000000000000",
                "endTimeUnixNano": "1700000000025000000",
                "attributes": [
                    text("messaging.system", "kafka"),
                    text("messaging.operation.name", "process"),
                    text("messaging.operation.type", "process"),
                    text("messaging.destination.name", "order_placed"),
                    text("messaging.consumer.group.name", "payment_processor.order_placed"),
                    text("messaging.destination.partition.id", "2"),
                    {"key": "messaging.kafka.offset", "value": {"intValue": "4711"}},
                    text("messaging.kafka.message.key", "7f3a"),
                    text("messaging.message.id", "00000000-0000-8000-8000-000000000001"),
                ],
            }],
        }],
    }]});
    assert_eq!(posted.body, expected);
    assert_eq!((count(&registry, "exported"), count(&registry, "dropped")), (1, 0));
}

#[test]
fn what_follows_from_a_record_is_a_child_of_its_span() {
    let (traces, _) = traces("http://127.0.0.1:1");
    let headers = traced();
    let (follows, _) = answered(&traces, &record(&headers, b"7f3a"), &Answer::Handled);
    let (parent, own) = (TraceContext::parse(EXAMPLE).unwrap(), follows.span.unwrap());
    assert_eq!(own.trace_id(), parent.trace_id());
    assert_ne!(own.span_id(), parent.span_id());
    assert_eq!((follows.run, follows.cause), (Some(&b"the-run"[..]), Some(CAUSE)));
}

#[test]
fn what_enters_begins_the_trace_of_its_order_told_by_who_writes_the_topic() {
    let collector = Collector::start();
    let (traces, _) = traces(&collector.endpoint());
    let event_id = EventId::of(&OrderId::parse("7f3a").unwrap(), "order_placed", "", 1);
    let order = Outgoing { topic: TOPIC, key: b"7f3a".to_vec(), value: b"{}".to_vec(), event_id };
    let first = traces.entered(&order, Follows::run("the-run"), at(3)).span.unwrap();
    let again = traces.entered(&order, Follows::run("the-run"), at(4)).span.unwrap();
    let other = traces.entered(&order, Follows::run("another-run"), at(5)).span.unwrap();
    assert_eq!(first.trace_id(), again.trace_id(), "written twice, it is one order");
    assert_ne!(first.span_id(), again.span_id());
    assert_ne!(first.trace_id(), other.trace_id());

    // A record that has lost its header on the way is of that trace, too.
    let headers = vec![header(RUN, b"the-run")];
    let (lost, _) = answered(&traces, &record(&headers, b"7f3a"), &Answer::Handled);
    assert_eq!(lost.span.unwrap().trace_id(), first.trace_id());

    traces.flush(PATIENCE);
    let (service, span) = &collector.spans()[0];
    assert_eq!(
        (service.as_str(), &span["name"], &span["kind"]),
        ("order_generator", &json!("send order_placed"), &json!(4))
    );
    assert_eq!((&span["parentSpanId"], &span["flags"]), (&Value::Null, &json!(1)));
    assert_eq!(attribute(span, "messaging.message.id"), event_id.to_string());
}

#[test]
fn a_record_without_a_key_begins_a_trace_by_its_place() {
    let (traces, _) = traces("http://127.0.0.1:1");
    let headers = Vec::new();
    let at = |offset| Record { key: None, offset, ..record(&headers, b"") };
    let trace_of = |offset| answered(&traces, &at(offset), &Answer::Handled).0.span.unwrap().trace_id();
    assert_eq!(trace_of(1), trace_of(1));
    assert_ne!(trace_of(1), trace_of(2));
}

#[test]
fn a_record_that_was_not_handled_is_an_error_with_its_reason_and_what_became_of_it() {
    let collector = Collector::start();
    let (traces, _) = traces(&collector.endpoint());
    let skipping = Arc::new(Subscription { dead_letter: None, ..(*group()).clone() });
    let (rejected, retried) = (Answer::Rejected("total: found -5".into()), Answer::Retried("pool empty".into()));
    let refused = Some("no leader");
    for (group, answer, failed, kind, reason) in [
        (group(), &rejected, None, "dead_lettered", "total: found -5"),
        (skipping, &rejected, None, "skipped", "total: found -5"),
        (group(), &retried, None, "retried", "pool empty"),
        (group(), &retried, refused, "retried", "pool empty"), // it has written nothing
        (group(), &rejected, refused, "failed", "no leader"),  // its dead letter is not there
        (group(), &Answer::Handled, refused, "failed", "no leader"),
    ] {
        let headers = traced();
        let record = record(&headers, b"7f3a");
        let (_, span) = traces.answered(&group, &record, Follows::from(&record), answer, at(0));
        traces.end(span.into_iter().collect(), at(25), failed);
        traces.flush(PATIENCE);
        let (_, span) = collector.spans().pop().unwrap();
        assert_eq!(span["status"], json!({"code": 2, "message": reason}));
        assert_eq!(attribute(&span, "error.type"), kind);
        let event = &span["events"][0];
        assert_eq!((&event["name"], &event["timeUnixNano"]), (&json!(kind), &span["endTimeUnixNano"]));
        assert_eq!(attribute(event, "reason"), reason);
    }
}

#[test]
fn a_trace_that_nobody_keeps_goes_on_as_it_came_and_is_not_told() {
    let collector = Collector::start();
    let (traces, _) = traces(&collector.endpoint());
    let unsampled = EXAMPLE.strip_suffix(b"01").unwrap().iter().chain(b"00").copied().collect::<Vec<u8>>();
    let headers = vec![header(TRACEPARENT, &unsampled)];
    let (follows, span) = answered(&traces, &record(&headers, b"7f3a"), &Answer::Handled);
    assert!(span.is_none());
    assert_eq!(follows.span.unwrap().encode(), &unsampled[..]);
}

#[test]
fn of_orders_that_are_not_sampled_nothing_is_told_and_no_record_has_a_header() {
    let sampler = [(SAMPLER, "parentbased_traceidratio"), (SAMPLER_ARG, "0")];
    let (traces, _) = traces_with(&[&[(ENDPOINT, "http://127.0.0.1:1")], &sampler[..]].concat());
    let (own, others) = (vec![header(RUN, b"the-run")], traced());
    let (follows, span) = answered(&traces, &record(&own, b"7f3a"), &Answer::Handled);
    assert!(follows.span.is_none() && span.is_none());
    // But a trace that somebody else keeps is kept here, too.
    let (follows, span) = answered(&traces, &record(&others, b"7f3a"), &Answer::Handled);
    assert!(follows.span.is_some() && span.is_some());
}

#[test]
fn who_is_busy_is_asked_again_and_no_span_is_told_twice() {
    let answers = ["503 Busy\r\nRetry-After: 1", "429 Too Many Requests", TAKEN];
    let collector = Collector::answering(move |n| answers[n.min(2)].to_owned());
    let (traces, registry) = traces(&collector.endpoint());
    tell(&traces, b"7f3a");
    until("the third attempt", || count(&registry, "exported") == 1);
    assert_eq!((collector.spans().len(), collector.posted().len(), count(&registry, "dropped")), (1, 3, 0));
}

#[test]
fn what_a_collector_refuses_is_dropped_and_what_follows_is_sent() {
    let partly = r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}"#;
    let collector = Collector::answering(move |n| match n {
        0 => "400 Bad Request\r\n\r\nno spans of yours".to_owned(),
        1 => format!("200 OK\r\n\r\n{partly}"),
        _ => "200 OK\r\n\r\nwho knows".to_owned(),
    });
    let (traces, registry) = traces(&collector.endpoint());
    let outcomes = || (count(&registry, "exported"), count(&registry, "dropped"));
    for (spans, expected) in [(1, (0, 1)), (3, (1, 3)), (1, (2, 3))] {
        (0..spans).for_each(|_| tell(&traces, b"7f3a"));
        until("an answer", || outcomes() == expected);
    }
    assert_eq!(collector.posted().len(), 3);
}

#[test]
fn an_endpoint_that_is_away_costs_the_spans_and_nobody_waits_for_it() {
    // Given an address where nobody listens.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (traces, registry) = traces(&format!("http://{free}"));
    // When spans are told, and whoever tells them is about to be frozen.
    tell(&traces, b"7f3a");
    let began = Instant::now();
    traces.flush(PATIENCE);
    // Then the wait is over with the first attempt; the others take two seconds at least.
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    // And they are dropped, at the latest when nobody is left to tell more.
    drop(traces);
    until("they are dropped", || count(&registry, "dropped") == 1);
    assert_eq!(count(&registry, "exported"), 0);
}

#[test]
fn where_a_collector_hangs_so_many_spans_wait_and_the_rest_is_dropped_at_once() {
    // Given one that takes connections and never answers.
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let (traces, registry) = traces(&format!("http://{}", hanging.local_addr().unwrap()));
    // When more spans are told than may wait.
    let headers = traced();
    let span = answered(&traces, &record(&headers, b"7f3a"), &Answer::Handled).1.unwrap();
    let told = 20 * 1_024;
    (0..20).for_each(|_| traces.end(vec![span.clone(); 1_024], at(1), None));
    // Then 16,384 wait and at most a batch is under way.
    let dropped = count(&registry, "dropped");
    assert!((told - 16_384 - 1_024..=told - 16_384).contains(&dropped), "{dropped} dropped");
    // And a flush gives up when its time is over.
    let began = Instant::now();
    traces.flush(Duration::from_millis(50));
    assert!(began.elapsed() >= Duration::from_millis(50) && began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
}

#[test]
fn two_processes_have_other_span_ids_and_one_has_none_twice() {
    let ids = |seed: u64| {
        let variable = |name: &str| (name == ENDPOINT).then(|| "http://127.0.0.1:1".to_owned());
        let settings = Settings::from_environment(variable).unwrap().unwrap();
        let traces = Traces::start(settings, &Topology::built_in().unwrap(), seed).unwrap();
        let headers = traced();
        let id = |_| answered(&traces, &record(&headers, b"7f3a"), &Answer::Handled).0.span.unwrap().span_id();
        (0..1_000).map(id).collect::<std::collections::BTreeSet<NonZeroU64>>()
    };
    assert_eq!(ids(7).len(), 1_000);
    assert!(ids(7).is_disjoint(&ids(8)));
    assert_eq!(ids(7), ids(7));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn whatever_bytes_a_record_has_its_span_is_one_that_a_collector_can_read(
        key: Vec<u8>, reason: String, event_id: Vec<u8>, traceparent: Vec<u8>, value: Option<Vec<u8>>,
    ) {
        let collector = Collector::start();
        let (traces, registry) = traces(&collector.endpoint());
        let headers = vec![header(EVENT_ID, &event_id), header(TRACEPARENT, &traceparent)];
        let record = Record { value: value.as_deref(), ..record(&headers, &key) };
        let (_, span) = answered(&traces, &record, &Answer::Rejected(reason));
        traces.end(span.into_iter().collect(), at(25), None);
        traces.flush(PATIENCE);
        prop_assert_eq!(collector.spans().len(), 1);
        until("it is counted", || count(&registry, "exported") == 1);
        let (_, span) = collector.spans().remove(0);
        prop_assert!(attribute(&span, "messaging.kafka.message.key").chars().count() <= 256);
        let tombstone = attribute(&span, "messaging.kafka.message.tombstone");
        prop_assert_eq!(tombstone, if value.is_none() { "true" } else { "" });
    }
}
