use events::shop::{InventoryResult, Notification, OrderPlaced, OrderShipped, PaymentResult};
use events::{Event, EventId, Topic};
use kafka_transport::Error;
use messaging::audit::{Observation, Written};
use messaging::{EVENT_ID, Outgoing, RUN};
use shop::ShopFlow;

use crate::from_outside::{Stranger, read};
use crate::run::{RUN_ID, Shop, orders};

#[test]
fn every_record_of_every_topic_carries_its_event_id_and_the_run_it_entered_with_and_nothing_else() {
    let mut run = Shop::with_partitions(3).start();
    run.take(&orders(200));
    let ended = run.end();
    for (topic, event_id_of) in TOPICS {
        let records = read(&ended.brokers, topic, ended.partitions(topic));
        assert_eq!(records.len() as u64, ended.records(topic));
        assert!(!records.is_empty(), "{topic}");
        for record in records {
            let event_id = event_id_of(record.value.as_deref().unwrap()).encode();
            let expected =
                [(EVENT_ID.to_owned(), Some(event_id.to_vec())), (RUN.to_owned(), Some(RUN_ID.as_bytes().to_vec()))];
            assert_eq!(record.headers, expected, "{topic}-{}@{}", record.partition, record.offset);
        }
    }
}

/// The event id that a record of a topic must carry.
type EventIdOf = fn(&[u8]) -> EventId;

const TOPICS: [(Topic, EventIdOf); 5] = [
    (OrderPlaced::TOPIC, event_id::<OrderPlaced>),
    (PaymentResult::TOPIC, event_id::<PaymentResult>),
    (InventoryResult::TOPIC, event_id::<InventoryResult>),
    (OrderShipped::TOPIC, event_id::<OrderShipped>),
    (Notification::TOPIC, event_id::<Notification>),
];

fn event_id<E: Event>(value: &[u8]) -> EventId {
    E::decode(value).unwrap().event_id()
}

#[test]
fn a_strangers_headers_do_no_harm_and_of_its_runs_the_last_is_copied() {
    let mut run = Shop::with_partitions(1).start();
    let order = &orders(1)[0];
    let record = Outgoing::of(order);
    run.accept([&order.order_id]);
    run.observe(Observation::Written(Written::encoded(&ShopFlow, &record).unwrap()));
    let event_id = record.event_id.encode();
    let headers: [(&str, Option<&[u8]>); 7] = [
        ("traceparent", Some(b"00-4bf9-00f0-01")),
        (RUN, Some(b"an earlier run")),
        ("null", None),
        ("empty", Some(b"")),
        (EVENT_ID, Some(&event_id)),
        ("bytes", Some(b"\xff\x00\xfe")),
        (RUN, Some(b"\xffthe last run")),
    ];
    Stranger::connect(&run.brokers).write(OrderPlaced::TOPIC, 0, Some(&record.key), Some(&record.value), &headers);
    let ended = run.end();
    assert!(ended.verdict().passed(), "{}", ended.verdict());
    for topic in [PaymentResult::TOPIC, InventoryResult::TOPIC] {
        let [answer] = &read(&ended.brokers, topic, 1)[..] else { panic!("{topic}: one record expected") };
        assert_eq!(answer.values(RUN), [Some(&b"\xffthe last run"[..])], "{topic}");
        assert_eq!(answer.headers.len(), 2, "{topic}");
    }
    // It came in behind the pipeline's back, which is seen.
    assert!(matches!(ended.drained, Err(Error::Watermark { topic, .. }) if topic == OrderPlaced::TOPIC));
}

#[test]
fn a_record_without_a_run_or_with_a_null_one_is_answered_without_a_run() {
    let mut run = Shop::with_partitions(1).only(["payment_processor.order_placed"]).start();
    let stranger = Stranger::connect(&run.brokers);
    for (order, headers) in orders(2).iter().zip([&[][..], &[(RUN, None)]]) {
        let record = Outgoing::of(order);
        stranger.write(OrderPlaced::TOPIC, 0, Some(&record.key), Some(&record.value), headers);
    }
    run.until("two answers", |run| run.pipeline.handled() == 2);
    let ended = run.drain();
    let answers = read(&ended.brokers, PaymentResult::TOPIC, 1);
    assert_eq!(answers.len(), 2);
    for answer in answers {
        let names: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [EVENT_ID]);
    }
}
