use events::shop::{OrderPlaced, OrderShipped};
use events::{Event, EventId, OrderId};
use kafka_transport::{Error, MAX_UNREAD_BYTES};
use messaging::{Outcome, Outgoing, Record};

use crate::from_outside::{Stranger, ends};
use crate::run::{Run, Shop, orders};
use crate::steps::{Gate, altered, gated};

const GROUP: &str = "payment_processor.order_placed";

/// One group that takes anything, one partition, and records that stand there unread while the group waits at the gate.
#[track_caller]
fn unread(gate: &Gate, count: u64, value_bytes: usize) -> Run {
    let takes_all = altered(|_: &Record<'_>, _| Outcome::Done(Vec::new()));
    let mut run =
        Shop::with_partitions(1).only([GROUP]).stepping(GROUP, takes_all).stepping(GROUP, gated(gate)).start();
    run.publish(&[record(value_bytes)]);
    gate.wait_for_arrival();
    run.publish(&vec![record(value_bytes); count as usize - 1]);
    run.until("all records to stand", |run| ends(&run.brokers, OrderPlaced::TOPIC, 1) == [count as i64]);
    run
}

fn record(value_bytes: usize) -> Outgoing {
    let order_id = OrderId::parse("anything").unwrap();
    let event_id = EventId::of(&order_id, "order_placed", "", 1);
    Outgoing { topic: OrderPlaced::TOPIC, key: b"anything".to_vec(), value: vec![b'x'; value_bytes], event_id }
}

/// More than a group may fetch ahead (8 MiB) and the embedded cluster keeps of a partition (5 MiB).
const TOO_MUCH: u64 = 24 * 1024 * 1024;
const VALUE_BYTES: usize = 8 * 1024;

#[track_caller]
fn assert_is_dropped(error: &Error) {
    let text = error.to_string();
    let Error::Dropped { group, topic, .. } = error else { panic!("{text}") };
    assert_eq!((group.as_str(), *topic), (GROUP, OrderPlaced::TOPIC));
    assert!(text.starts_with("payment_processor.order_placed: the broker dropped records of order_placed"), "{text}");
}

#[test]
fn records_that_the_cluster_dropped_unread_end_the_pipeline_with_their_group_and_topic() {
    let gate = Gate::closed();
    let mut run = unread(&gate, TOO_MUCH / VALUE_BYTES as u64, VALUE_BYTES);
    gate.open();
    assert_is_dropped(&run.until_it_fails());
}

#[test]
fn what_may_stand_unread_by_our_own_bound_is_never_dropped() {
    let gate = Gate::closed();
    // As an intake counts: the value, and 200 bytes for all else.
    let (value_bytes, overhead_bytes) = (300, 200);
    let count = MAX_UNREAD_BYTES / (value_bytes + overhead_bytes);
    let run = unread(&gate, count, value_bytes as usize);
    gate.open();
    let ended = run.end_after(count);
    assert_eq!(ended.records(OrderPlaced::TOPIC), count);
}

#[test]
fn a_record_written_behind_the_pipelines_back_shows_at_the_drain_with_both_numbers() {
    let mut run = Shop::with_partitions(3).start();
    run.take(&orders(60));
    run.until("every order's end", |run| run.audit.in_flight() == 0);
    let confirmed = ends(&run.brokers, OrderShipped::TOPIC, 3)[1];
    assert!(confirmed > 0);
    Stranger::connect(&run.brokers).write(OrderShipped::TOPIC, 1, Some(b"nobody's"), Some(b"{}"), &[]);
    let error = run.drain().drained.unwrap_err();
    let Error::Watermark { topic, partition, confirmed: writes, high_watermark } = error else { panic!("{error}") };
    assert_eq!((topic, partition), (OrderShipped::TOPIC, 1));
    assert_eq!((writes as i64, high_watermark), (confirmed, confirmed + 1));
}
