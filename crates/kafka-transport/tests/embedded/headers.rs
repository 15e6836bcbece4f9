use std::collections::BTreeSet;

use events::shop::{InventoryResult, Notification, OrderPlaced, OrderShipped, PaymentResult};
use events::{Event, EventId, Topic};
use kafka_transport::Error;
use messaging::audit::{Observation, Written};
use messaging::{CAUSATION_ID, EVENT_ID, Outgoing, RUN, TRACEPARENT, TRACESTATE};
use shop::ShopFlow;

use crate::from_outside::{Stranger, read};
use crate::run::{RUN_ID, Shop, orders};

#[test]
fn every_record_of_every_topic_carries_its_event_id_its_run_and_what_led_to_it_and_nothing_else() {
    let mut run = Shop::with_partitions(3).start();
    run.take(&orders(200));
    let ended = run.end();
    let mut known = BTreeSet::new();
    // In the order in which they follow from each other.
    for (topic, event_id_of) in TOPICS {
        let records = read(&ended.brokers, topic, ended.partitions(topic));
        assert_eq!(records.len() as u64, ended.records(topic));
        assert!(!records.is_empty(), "{topic}");
        let before = known.clone();
        for record in records {
            let event_id = event_id_of(record.value.as_deref().unwrap()).encode().to_vec();
            let named = |name: &str, value: &[u8]| (name.to_owned(), Some(value.to_vec()));
            let mut expected = vec![named(EVENT_ID, &event_id), named(RUN, RUN_ID.as_bytes())];
            if topic != OrderPlaced::TOPIC {
                let cause = record.values(CAUSATION_ID).first().copied().flatten().unwrap().to_vec();
                assert!(before.contains(&(record.key.clone(), cause.clone())), "{topic}: no such record of that order");
                expected.push(named(CAUSATION_ID, &cause));
            }
            assert_eq!(record.headers, expected, "{topic}-{}@{}", record.partition, record.offset);
            known.insert((record.key, event_id));
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
        (TRACEPARENT, Some(b"00-4bf9-00f0-01")),
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
        assert_eq!(answer.values(CAUSATION_ID), [Some(&event_id[..])], "{topic}");
        assert_eq!(answer.headers.len(), 3, "{topic}");
    }
    // It came in behind the pipeline's back, which is seen.
    assert!(matches!(ended.drained, Err(Error::Watermark { topic, .. }) if topic == OrderPlaced::TOPIC));
}

#[test]
fn where_nobody_makes_spans_a_trace_of_somebody_else_goes_on_as_it_came() {
    let mut run = Shop::with_partitions(1).only(["payment_processor.order_placed"]).start();
    let record = Outgoing::of(&orders(1)[0]);
    let span = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [(TRACEPARENT, Some(&span[..])), (TRACESTATE, Some(b"vendor=1"))];
    Stranger::connect(&run.brokers).write(OrderPlaced::TOPIC, 0, Some(&record.key), Some(&record.value), &headers);
    run.until("an answer", |run| run.pipeline.handled() == 1);
    let ended = run.drain();
    let [answer] = &read(&ended.brokers, PaymentResult::TOPIC, 1)[..] else { panic!("one record expected") };
    assert_eq!(answer.values(TRACEPARENT), [Some(&span[..])]);
    assert_eq!(answer.values(TRACESTATE), [Some(&b"vendor=1"[..])]);
}

#[test]
fn what_a_record_does_not_tell_is_not_told_of_its_answer() {
    let mut run = Shop::with_partitions(1).only(["payment_processor.order_placed"]).start();
    let stranger = Stranger::connect(&run.brokers);
    for (order, headers) in orders(2).iter().zip([&[][..], &[(RUN, None), (EVENT_ID, Some(&b"no UUID"[..]))]]) {
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
