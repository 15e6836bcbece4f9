use std::time::Duration;

use events::Event;
use events::shop::PaymentResult;

use crate::broker_faults::{cluster, told};
use crate::run::{Shop, orders};
use crate::steps;

const GROUP: &str = "payment_processor.order_placed";

/// Batches that a group may have open, as ARCHITECTURE.md's invariant 7 asks for.
const MAX_OPEN_BATCHES: usize = 64;

#[test]
fn a_group_whose_writes_are_not_confirmed_takes_in_no_more_than_its_open_batches() {
    let (step, batches) = steps::told();
    let shop =
        Shop::with_partitions(1).only([GROUP]).subscribed(GROUP, |group| group.batch_records = 1).stepping(GROUP, step);
    let cluster = cluster(&shop.topics);
    let topic = PaymentResult::TOPIC.as_str();
    told(&cluster, |cluster| cluster.partition_leader(topic, 0, None).unwrap()); // takes no writes, and refuses none
    let mut run = shop.start_on(&cluster.bootstrap_servers());
    run.publish(&orders(200).iter().map(messaging::Outgoing::of).collect::<Vec<_>>());

    run.until("all batches that may be open", |run| run.pipeline.handled() == MAX_OPEN_BATCHES as u64);
    assert_eq!(batches.try_iter().sum::<usize>(), MAX_OPEN_BATCHES);
    let one_more = batches.recv_timeout(Duration::from_millis(300));
    assert!(one_more.is_err(), "a batch beyond the limit");

    told(&cluster, |cluster| cluster.partition_leader(topic, 0, Some(1)).unwrap());
    let ended = run.end_after(200);
    assert_eq!(ended.records(PaymentResult::TOPIC), 200);
    assert_eq!(batches.try_iter().sum::<usize>(), 200 - MAX_OPEN_BATCHES);
}
