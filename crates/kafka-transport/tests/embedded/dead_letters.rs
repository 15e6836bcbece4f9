use events::shop::{InventoryResult, OrderPlaced, PaymentResult};
use events::{Event, EventId, OrderId, Topic};
use kafka_transport::Error;
use messaging::{EVENT_ID, Origin, Outgoing, RUN};

use crate::from_outside::{Stored, Stranger, read};
use crate::run::{Ended, RUN_ID, Shop, orders};

/// Both groups that read `order_placed`.
const GROUPS: [&str; 2] = ["payment_processor", "inventory_manager"];

const SOUND: u64 = 100;

/// Publishes a record that nobody can read in the middle of sound orders: both groups give it up for this reason.
#[track_caller]
fn check(order_id: &str, value: &[u8], reason: &str) {
    let order_id = OrderId::parse(order_id).unwrap();
    let (topic, key) = (OrderPlaced::TOPIC, order_id.as_str().as_bytes().to_vec());
    let broken =
        Outgoing { topic, key, value: value.to_vec(), event_id: EventId::of(&order_id, "order_placed", "", 1) };
    let sound = orders(SOUND);
    let mut run = Shop::with_partitions(3).start();
    run.take(&sound[..50]);
    run.accept([&order_id]);
    run.publish(std::slice::from_ref(&broken));
    run.take(&sound[50..]);
    // The first dead letter closes the order's case; the second comes too.
    run.until("both answers", |run| {
        let is_dead = |group: &str| !read(&run.brokers, dead_letters_of(group), 1).is_empty();
        run.audit.in_flight() == 0 && GROUPS.iter().all(|group| is_dead(group))
    });
    let ended = run.drain();

    let verdict = ended.verdict();
    assert!(verdict.passed(), "{verdict}");
    assert_eq!((verdict.accepted, verdict.ended, verdict.dead_lettered), (SOUND + 1, SOUND, 1));
    for topic in [PaymentResult::TOPIC, InventoryResult::TOPIC] {
        assert_eq!(ended.records(topic), SOUND, "{topic}");
    }
    for group in GROUPS {
        let letter = letter_of(&ended, group);
        let original = original_of(&ended, &letter);
        assert_eq!((&letter.key, &letter.value), (&Some(broken.key.clone()), &Some(broken.value.clone())));
        let event_id = broken.event_id.encode().to_vec();
        assert_eq!(original.headers, [header(EVENT_ID, &event_id), header(RUN, RUN_ID.as_bytes())]);
        assert_eq!(letter.headers[..2], original.headers);
        assert_eq!(letter.headers[2..], added(group, &original, reason));
    }
}

#[test]
fn an_order_of_broken_json_is_dead_lettered_by_both_groups_and_all_others_end() {
    let reason = "value: found invalid JSON (key must be a string at column 2), allowed a JSON object in UTF-8";
    check("broken", b"{nonsense\xff\x00", reason);
}

#[test]
fn an_order_without_bytes_is_dead_lettered_by_both_groups_and_all_others_end() {
    let reason = "value: found invalid JSON (EOF while parsing a value at column 0), allowed a JSON object in UTF-8";
    check("empty", b"", reason);
}

#[test]
fn an_order_under_another_key_is_dead_lettered_by_both_groups_and_all_others_end() {
    let order = &orders(SOUND + 1)[SOUND as usize];
    let reason = format!("key: found \"someone-else\", allowed {:?}", order.order_id.as_str());
    check("someone-else", &order.encode(), &reason);
}

#[test]
fn a_strangers_tombstone_keeps_its_headers_byte_for_byte() {
    let mut run = Shop::with_partitions(1).only(["payment_processor.order_placed"]).start();
    let headers: [(&str, Option<&[u8]>); 6] = [
        ("repeated", Some(b"1")),
        ("null", None),
        ("repeated", Some(b"\xff\x00\xfe")),
        ("empty", Some(b"")),
        ("", Some(b"a header without a name")),
        (RUN, None),
    ];
    Stranger::connect(&run.brokers).write(OrderPlaced::TOPIC, 0, None, None, &headers);
    run.until("its answer", |run| run.pipeline.handled() == 1);
    let ended = run.drain();
    assert!(matches!(ended.drained, Err(Error::Watermark { topic, .. }) if topic == OrderPlaced::TOPIC));
    let letter = letter_of(&ended, "payment_processor");
    assert_eq!((&letter.key, &letter.value), (&None, &None));
    let expected: Vec<_> = headers.iter().map(|&(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec))).collect();
    assert_eq!(letter.headers[..headers.len()], expected);
    let original = original_of(&ended, &letter);
    let reason = "value: found nothing, allowed a JSON object";
    assert_eq!(letter.headers[headers.len()..], added("payment_processor", &original, reason));
}

#[test]
fn an_unreadable_order_of_the_largest_size_that_a_broker_takes_is_dead_lettered_too() {
    let largest = 1_000_000 - 200; // what librdkafka's own limit leaves beside key, headers and framing
    let order_id = OrderId::parse("large").unwrap();
    let record = Outgoing {
        topic: OrderPlaced::TOPIC,
        key: b"large".to_vec(),
        value: vec![b'x'; largest],
        event_id: EventId::of(&order_id, "order_placed", "", 1),
    };
    let mut run = Shop::with_partitions(1).only(["payment_processor.order_placed"]).start();
    run.accept([&order_id]);
    run.publish(&[record]);
    let ended = run.end();
    assert_eq!(letter_of(&ended, "payment_processor").value.unwrap().len(), largest);
}

fn dead_letters_of(service: &str) -> Topic {
    Topic::named(&format!("{service}.order_placed.dead_letter"))
}

/// The one dead letter of a group.
#[track_caller]
fn letter_of(ended: &Ended, service: &str) -> Stored {
    let letters = read(&ended.brokers, dead_letters_of(service), 1);
    assert_eq!(letters.len(), 1, "{service}");
    letters.into_iter().next().unwrap()
}

/// The record that it says it is of.
#[track_caller]
fn original_of(ended: &Ended, letter: &Stored) -> Stored {
    let origin = Origin::read(&letter.headers, &[OrderPlaced::TOPIC]).unwrap();
    let records = read(&ended.brokers, OrderPlaced::TOPIC, ended.partitions(OrderPlaced::TOPIC));
    let is_it = |record: &Stored| (record.partition, record.offset) == (origin.partition, origin.offset);
    let original = records.into_iter().find(is_it).unwrap();
    assert_eq!((&original.key, &original.value), (&letter.key, &letter.value));
    original
}

/// What a dead letter adds to its record's headers.
fn added(service: &str, original: &Stored, reason: &str) -> Vec<(String, Option<Vec<u8>>)> {
    [
        ("kafka_dlt-exception-message", reason.to_owned()),
        ("dead_letter-service", service.to_owned()),
        ("kafka_dlt-original-consumer-group", format!("{service}.order_placed")),
        ("kafka_dlt-original-topic", "order_placed".to_owned()),
        ("kafka_dlt-original-partition", original.partition.to_string()),
        ("kafka_dlt-original-offset", original.offset.to_string()),
    ]
    .map(|(name, value)| header(name, value.as_bytes()))
    .to_vec()
}

fn header(name: &str, value: &[u8]) -> (String, Option<Vec<u8>>) {
    (name.to_owned(), Some(value.to_vec()))
}
