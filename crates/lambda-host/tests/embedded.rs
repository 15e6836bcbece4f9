//! A batch through a service of the shop, on the embedded cluster.
#![cfg(test)]

use std::time::{Duration, Instant};

use events::shop::{OrderPlaced, PaymentResult};
use events::{Event, Timestamp, Topic};
use kafka_transport::{Connection, EmbeddedCluster, TopicReader, Writer};
use lambda_host::{AnswerMode, Delivered, KafkaFunction};
use messaging::{Headers, Origin, Outgoing, RUN, Subscription, TRACEPARENT, TraceContext};
use otlp::{ENDPOINT, Settings, Traces};
use shop::order_generator::generate_order_event;
use topology::Topology;

use collector::Collector;

#[path = "../../otlp/tests/export/collector.rs"]
#[allow(dead_code, reason = "shared with the tests of otlp, which use the rest of it")]
mod collector; // a collector of spans

const SERVICE: &str = "payment_processor";
const LETTERS: Topic = Topic::new("payment_processor.order_placed.dead_letter");
const TOPICS: [(Topic, i32); 3] = [(OrderPlaced::TOPIC, 3), (PaymentResult::TOPIC, 3), (LETTERS, 1)];

type PaymentProcessor = KafkaFunction<Writer>;

fn function(brokers: &str, mode: AnswerMode) -> PaymentProcessor {
    traced_function(brokers, mode, None)
}

fn traced_function(brokers: &str, mode: AnswerMode, traces: Option<Traces>) -> PaymentProcessor {
    let services = shop::services(&Topology::built_in().unwrap()).unwrap();
    let is_ours = |(subscription, _): &(&Subscription, _)| subscription.service == SERVICE;
    let groups =
        services.iter().filter(is_ours).map(|(subscription, new_step)| (subscription.clone(), new_step)).collect();
    let writer = Writer::new(&Connection::plaintext(brokers), &TOPICS, Duration::from_secs(2)).unwrap();
    KafkaFunction::new(groups, writer, mode, traces)
}

/// Orders in one partition, from offset 0 on.
fn orders(partition: i32, numbers: std::ops::Range<u64>) -> Vec<Delivered> {
    let order = |(offset, n): (i64, u64)| {
        let placed = Outgoing::of(&generate_order_event(7, Timestamp::BASE, n));
        Delivered {
            topic: OrderPlaced::TOPIC.to_string(),
            partition,
            offset,
            key: Some(placed.key),
            value: Some(placed.value),
            headers: vec![(RUN.into(), Some(b"the-run".to_vec()))],
        }
    };
    (0..).zip(numbers).map(order).collect()
}

/// Keys and headers of all records of a topic.
fn read(brokers: &str, topic: Topic) -> Vec<(Vec<u8>, Vec<messaging::Header>)> {
    let mut reader = TopicReader::connect(&Connection::plaintext(brokers)).unwrap();
    let spans = reader.spans([topic]).unwrap();
    reader.begin(&spans).unwrap();
    let mut found = Vec::new();
    while !reader.is_done() {
        let mut each = |record: &messaging::Record<'_>, _| {
            found.push((record.key.unwrap_or_default().to_vec(), record.headers.to_list()));
        };
        reader.read(Duration::from_millis(100), 1_000, &mut each).unwrap();
    }
    found
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(8)
}

#[test]
fn what_follows_from_a_batch_stands_in_its_topics_when_the_answer_is_given() {
    let cluster = EmbeddedCluster::start(TOPICS).unwrap();
    let mut batch = [orders(0, 0..50), orders(2, 50..100)].concat();
    batch[10].value = Some(b"{nonsense".to_vec());
    let answer = function(&cluster.brokers(), AnswerMode::Partial).handle(&batch, soon()).unwrap();
    assert_eq!(serde_json::to_string(&answer).unwrap(), r#"{"batchItemFailures":[]}"#);

    let results = read(&cluster.brokers(), PaymentResult::TOPIC);
    assert_eq!(results.len(), 99);
    assert!(results.iter().all(|(_, headers)| headers[1] == (RUN.to_owned(), Some(b"the-run".to_vec()))));
    let [(_, headers)] = &read(&cluster.brokers(), LETTERS)[..] else { panic!("not one dead letter") };
    let origin = Origin::read(headers, &[OrderPlaced::TOPIC]).unwrap();
    assert_eq!((origin.group.as_str(), origin.partition, origin.offset), ("payment_processor.order_placed", 0, 10));
}

/// Traces of a process that was told this endpoint.
fn traces(endpoint: &str) -> Option<Traces> {
    let variable = |name: &str| (name == ENDPOINT).then(|| endpoint.to_owned());
    let settings = Settings::from_environment(variable).unwrap().unwrap();
    Some(Traces::start(settings, &Topology::built_in().unwrap(), 7).unwrap())
}

#[test]
fn spans_are_exported_when_the_answer_is_given_and_what_follows_names_them() {
    // Given a collector, and a batch of which one record came in a trace of somebody else, and one can never be handled.
    let cluster = EmbeddedCluster::start(TOPICS).unwrap();
    let collector = Collector::start();
    let mut batch = [orders(0, 0..5), orders(2, 5..10)].concat();
    let example = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    batch[3].headers.push((TRACEPARENT.into(), Some(example.to_vec())));
    batch[7].value = Some(b"{nonsense".to_vec());
    // When a function has answered it.
    let function = traced_function(&cluster.brokers(), AnswerMode::Partial, traces(&collector.endpoint()));
    function.handle(&batch, soon()).unwrap();
    // Then the collector has all spans, and each record that follows is of one of them.
    let spans = collector.spans();
    assert_eq!(spans.len(), 10);
    let handled = |(_, span): &&(String, serde_json::Value)| span["status"].is_null();
    let mut ids: Vec<String> =
        spans.iter().filter(handled).map(|(_, span)| span["spanId"].as_str().unwrap().to_owned()).collect();
    let span_of = |headers: &Vec<messaging::Header>| TraceContext::parse(headers.last(TRACEPARENT).unwrap()).unwrap();
    let results = read(&cluster.brokers(), PaymentResult::TOPIC);
    let mut parents: Vec<String> =
        results.iter().map(|(_, headers)| format!("{:016x}", span_of(headers).span_id())).collect();
    ids.sort();
    parents.sort();
    assert_eq!((ids.len(), &ids), (9, &parents));
    let goes_on = spans.iter().filter(|(_, span)| span["parentSpanId"] == "00f067aa0ba902b7");
    assert_eq!(goes_on.map(|(_, span)| &span["traceId"]).collect::<Vec<_>>(), ["4bf92f3577b34da6a3ce929d0e0e4736"]);
}

#[test]
fn an_endpoint_that_is_away_neither_fails_a_batch_nor_holds_it_up() {
    let cluster = EmbeddedCluster::start(TOPICS).unwrap();
    let function = traced_function(&cluster.brokers(), AnswerMode::Whole, traces("http://127.0.0.1:1"));
    for n in 0..5 {
        let began = Instant::now();
        function.handle(&orders(0, n..n + 1), soon()).unwrap();
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
    assert_eq!(read(&cluster.brokers(), PaymentResult::TOPIC).len(), 5);
}

#[test]
fn a_batch_that_comes_again_is_answered_with_the_same_bytes() {
    let cluster = EmbeddedCluster::start(TOPICS).unwrap();
    for _ in 0..2 {
        function(&cluster.brokers(), AnswerMode::Whole).handle(&orders(1, 0..20), soon()).unwrap();
    }
    let mut results = read(&cluster.brokers(), PaymentResult::TOPIC);
    results.sort();
    assert_eq!(results.len(), 40);
    assert!(results.chunks(2).all(|twice| twice[0] == twice[1]));
}

#[test]
fn where_no_broker_answers_every_partition_comes_again_from_its_first_record() {
    let batch = [orders(0, 0..5), orders(1, 5..10)].concat();
    let answer = function("127.0.0.1:1", AnswerMode::Partial).handle(&batch, soon()).unwrap();
    let at = |partition: i32| format!(r#"{{"itemIdentifier":{{"partition":"order_placed-{partition}","offset":0}}}}"#);
    let expected = format!(r#"{{"batchItemFailures":[{},{}]}}"#, at(0), at(1));
    assert_eq!(serde_json::to_string(&answer).unwrap(), expected);
    let error = function("127.0.0.1:1", AnswerMode::Whole).handle(&batch, soon()).unwrap_err().to_string();
    assert!(
        error.starts_with("the batch comes again: order_placed-0@0: 127.0.0.1:1: payment_result-? did not confirm"),
        "{error}"
    );
}
