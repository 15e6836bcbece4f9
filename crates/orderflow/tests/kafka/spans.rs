use std::collections::{BTreeMap, BTreeSet};

use events::Event;
use events::shop::{OrderPlaced, PaymentResult};
use kafka_cluster::{Cluster, Options};
use kafka_transport::{TopicReader, Writer};
use messaging::{Outgoing, RUN, Record, TRACEPARENT, TraceContext, Verbatim};
use serde_json::Value;
use shop::order_generator::generate_order_event;

use crate::collector::{Collector, attribute};
use crate::worker::Worker;
use crate::{on, start, until};

const SERVICES: [&str; 4] = ["payment_processor", "inventory_manager", "shipping_handler", "notification_handler"];
const ORDERS: usize = 20;

/// The spans of an order: it is sent, paid, looked for in the stock, shipped or not, and told of twice.
const SPANS_OF_ORDER: usize = 6;

const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn the_spans_of_an_order_through_all_services_are_one_tree() {
    // Given a cluster with our topics, a collector, and each service as a worker of its own that knows it.
    let cluster = start(&Options::kraft());
    on(&cluster, "topics create").end().with_status(0);
    let collector = Collector::start();
    let traced = |arguments: &str| on(&cluster, arguments).env(otlp::ENDPOINT, &collector.endpoint());
    let workers = SERVICES.map(|service| Worker::start(traced(&format!("work {service} --listen 127.0.0.1:0"))));

    // When orders are placed, and come to their ends.
    traced(&format!("work order_generator --orders {ORDERS} --rate 3000 --seed 7")).end().with_status(0);
    on(&cluster, "audit --format json").end().with_status(0);
    until("all spans are there", || collector.spans().len() == ORDERS * SPANS_OF_ORDER);

    // Then those of each order are one tree, whose edges are the records.
    let mut traces = BTreeMap::<String, Vec<(String, Value)>>::new();
    for (service, span) in collector.spans() {
        traces.entry(text(&span, "traceId")).or_default().push((service, span));
    }
    assert_eq!(traces.len(), ORDERS);
    let keys: BTreeSet<String> = traces.values().map(|spans| is_one_tree(spans)).collect();
    assert_eq!(keys.len(), ORDERS);

    // And its records name the spans that they follow from.
    for (topic, service) in [(OrderPlaced::TOPIC, "order_generator"), (PaymentResult::TOPIC, "payment_processor")] {
        let parents = parents(&cluster, topic);
        let spans = collector.spans().into_iter().filter(|(of, _)| of == service);
        let written: BTreeSet<String> = spans.map(|(_, span)| text(&span, "spanId")).collect();
        assert_eq!(parents, written, "{topic}");
    }

    what_comes_in_a_trace_of_somebody_else_goes_on_in_it(&cluster, &collector);
    what_is_given_up_is_told_as_an_error(&cluster, &collector);
    for worker in &workers {
        let (_, metrics) = worker.get("/metrics");
        let exported = |line: &&str| line.starts_with("orderflow_trace_spans_total{outcome=\"exported\"} ");
        assert!(metrics.lines().any(|line| exported(&line) && !line.ends_with(" 0")), "{metrics}");
        assert!(metrics.contains("orderflow_trace_spans_total{outcome=\"dropped\"} 0\n"), "{metrics}");
    }
    for worker in workers {
        worker.terminate().with_status(0);
    }
}

/// Asserts it of the spans of a trace; answers with the order's id.
#[track_caller]
fn is_one_tree(spans: &[(String, Value)]) -> String {
    let told = |(service, span): &(String, Value)| format!("{service}: {}", text(span, "name"));
    let by_id: BTreeMap<String, &(String, Value)> = spans.iter().map(|span| (text(&span.1, "spanId"), span)).collect();
    let edge = |span: &(String, Value)| {
        let parent = text(&span.1, "parentSpanId");
        let parent = if parent.is_empty() { "-".to_owned() } else { told(by_id[&parent]) };
        format!("{parent} > {}", told(span))
    };
    let mut edges: Vec<String> = spans.iter().map(edge).collect();
    edges.sort();
    let ships = edges.iter().any(|edge| edge.ends_with("order_shipped"));
    let last = if ships { "order_shipped" } else { "notifications" };
    let expected = [
        "- > order_generator: send order_placed".to_owned(),
        "inventory_manager: process order_placed > notification_handler: process inventory_result".to_owned(),
        "order_generator: send order_placed > inventory_manager: process order_placed".to_owned(),
        "order_generator: send order_placed > payment_processor: process order_placed".to_owned(),
        "payment_processor: process order_placed > shipping_handler: process payment_result".to_owned(),
        format!("shipping_handler: process payment_result > notification_handler: process {last}"),
    ];
    assert_eq!(edges, expected);
    let keys: BTreeSet<String> = spans.iter().map(|(_, span)| attribute(span, "messaging.kafka.message.key")).collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
    keys.into_iter().next().unwrap()
}

fn what_comes_in_a_trace_of_somebody_else_goes_on_in_it(cluster: &Cluster, collector: &Collector) {
    let before = collector.spans().len();
    write(cluster, &Outgoing::of(&generate_order_event(8, events::Timestamp::BASE, 0)));
    until("its spans are there", || collector.spans().len() == before + SPANS_OF_ORDER - 1);
    let spans = &collector.spans()[before..];
    assert!(spans.iter().all(|(_, span)| EXAMPLE.contains(&text(span, "traceId"))), "{spans:#?}");
    let first = spans.iter().filter(|(_, span)| text(span, "parentSpanId") == "00f067aa0ba902b7");
    assert_eq!(first.map(|(_, span)| text(span, "name")).collect::<Vec<_>>(), ["process order_placed"; 2]);
}

fn what_is_given_up_is_told_as_an_error(cluster: &Cluster, collector: &Collector) {
    let before = collector.spans().len();
    let order = Outgoing::of(&generate_order_event(9, events::Timestamp::BASE, 0));
    write(cluster, &Outgoing { value: b"[42]".to_vec(), ..order });
    until("both services have given it up", || collector.spans().len() == before + 2);
    for (service, span) in &collector.spans()[before..] {
        let reason = text(&span["status"], "message");
        assert!(reason.starts_with("value: found "), "{service}: {span}");
        assert_eq!((&span["status"]["code"], attribute(span, "error.type")), (&2.into(), "dead_lettered".to_owned()));
    }
    let letters = events::Topic::new("payment_processor.order_placed.dead_letter");
    assert_eq!(parents(cluster, letters), BTreeSet::from(["00f067aa0ba902b7".to_owned()]), "headers are untouched");
}

/// Writes an order as somebody does who has a trace already.
fn write(cluster: &Cluster, order: &Outgoing) {
    let writer = Writer::steady(&cluster.connection(), &[(order.topic, 3)]).unwrap();
    let headers = [(RUN, "elsewhere"), (TRACEPARENT, EXAMPLE)];
    let headers = headers.map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec())));
    let Outgoing { topic, key, value, .. } = order.clone();
    let record = Verbatim { topic, partition: None, key: Some(key), value: Some(value), headers: headers.into() };
    writer.open(0);
    writer.verbatim(0, &record);
    writer.close(0);
    until("it is written", || writer.result(0).map(Result::unwrap).is_some());
}

/// The spans that the records of a topic follow from, of those that name one.
fn parents(cluster: &Cluster, topic: events::Topic) -> BTreeSet<String> {
    let mut reader = TopicReader::connect(&cluster.connection()).unwrap();
    let spans = reader.spans([topic]).unwrap();
    let mut found = BTreeSet::new();
    let take = |record: &Record<'_>, _| {
        let span = record.headers.last(TRACEPARENT).and_then(TraceContext::parse).map(TraceContext::span_id);
        found.extend(span.map(|id| format!("{id:016x}")));
        Ok::<_, kafka_transport::Error>(())
    };
    reader.read_all(&spans, take).unwrap();
    found
}

/// A text of a span; empty where there is none.
fn text(of: &Value, key: &str) -> String {
    of[key].as_str().unwrap_or_default().to_owned()
}
