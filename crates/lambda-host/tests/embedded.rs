//! A batch through a service of the shop, on the embedded cluster.
#![cfg(test)]

use std::time::{Duration, Instant};

use events::shop::{OrderPlaced, PaymentResult};
use events::{Event, Timestamp, Topic};
use kafka_transport::{Connection, EmbeddedCluster, TopicReader, Writer};
use lambda_host::{AnswerMode, Delivered, KafkaFunction};
use messaging::{Origin, Outgoing, RUN, Subscription};
use shop::order_generator::generate_order_event;
use topology::Topology;

const SERVICE: &str = "payment_processor";
const LETTERS: Topic = Topic::new("payment_processor.order_placed.dead_letter");
const TOPICS: [(Topic, i32); 3] = [(OrderPlaced::TOPIC, 3), (PaymentResult::TOPIC, 3), (LETTERS, 1)];

type PaymentProcessor = KafkaFunction<Writer>;

fn function(brokers: &str, mode: AnswerMode) -> PaymentProcessor {
    let services = shop::services(&Topology::built_in().unwrap()).unwrap();
    let is_ours = |(subscription, _): &(&Subscription, _)| subscription.service == SERVICE;
    let groups =
        services.iter().filter(is_ours).map(|(subscription, new_step)| (subscription.clone(), new_step)).collect();
    let writer = Writer::new(&Connection::plaintext(brokers), &TOPICS, Duration::from_secs(2)).unwrap();
    KafkaFunction::new(groups, writer, mode, None)
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
