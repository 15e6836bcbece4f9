use std::sync::Arc;

use events::shop::{InventoryResult, Notification, OrderPlaced, OrderShipped, PaymentResult};
use events::{Event, Topic};
use messaging::Outgoing;
use shop::{Outcomes, ShopFlow};
use simulation::{Consumer, Order, Report, Simulation, System};
use topology::Topology;

use crate::from_outside::{committed, ends};
use crate::run::{Shop, orders};

const ORDERS: u64 = 300;

#[test]
fn every_order_ends_once_and_alike_with_1_3_and_6_partitions_as_in_the_simulation() {
    let expected = simulated(&orders(ORDERS));
    assert!(expected.passed(), "{expected}");
    let outcomes = Outcomes::of(&expected.tally);
    for partitions in [1, 3, 6] {
        let mut run = Shop::with_partitions(partitions).start();
        run.take(&orders(ORDERS));
        let ended = run.end();
        assert_eq!(ended.verdict(), expected.verdict, "{partitions} partitions");
        assert_eq!(ended.audit.tally(), expected.tally, "{partitions} partitions");
        for (topic, count) in [
            (OrderPlaced::TOPIC, ORDERS),
            (PaymentResult::TOPIC, ORDERS),
            (InventoryResult::TOPIC, ORDERS),
            (OrderShipped::TOPIC, outcomes.shipped),
            (Notification::TOPIC, outcomes.payment_failed),
        ] {
            assert_eq!(ended.records(topic), count, "{topic} with {partitions} partitions");
        }
        let dead_letters = ended.topics.iter().filter(|(topic, _)| is_dead_letter(*topic));
        assert_eq!(dead_letters.map(|&(topic, _)| ended.records(topic)).sum::<u64>(), 0);
    }
}

#[test]
fn a_drained_pipeline_counts_what_its_topics_hold_and_every_group_has_committed_all_of_it() {
    let mut run = Shop::with_partitions(3).start();
    run.take(&orders(ORDERS));
    let ended = run.end();
    for &(topic, partitions) in &ended.topics {
        let held: i64 = ends(&ended.brokers, topic, partitions).iter().sum();
        assert_eq!(ended.records(topic), held as u64, "{topic}");
    }
    let topology = Topology::built_in().unwrap();
    for group in topology.services_of(topology::System::Shop).flat_map(|service| &service.consumes) {
        let topic = Topic::named(&group.topic);
        let ends = ends(&ended.brokers, topic, 3);
        let committed = committed(&ended.brokers, &group.group, topic, 3);
        // A partition without a record has nothing to commit.
        let expected: Vec<Option<i64>> = ends.into_iter().map(|end| (end > 0).then_some(end)).collect();
        assert_eq!(committed, expected, "{}", group.group);
    }
}

#[test]
fn a_group_of_single_records_ends_every_order_too() {
    let shop = Shop::with_partitions(3).subscribed("payment_processor.order_placed", |group| group.batch_records = 1);
    let mut run = shop.start();
    run.take(&orders(ORDERS));
    let ended = run.end();
    assert!(ended.verdict().passed(), "{}", ended.verdict());
    assert_eq!(ended.records(PaymentResult::TOPIC), ORDERS);
}

/// The same orders where nothing travels and nothing fails.
fn simulated(orders: &[OrderPlaced]) -> Report {
    let topology = Topology::built_in().unwrap();
    let consumers = shop::services(&topology)
        .unwrap()
        .iter()
        .map(|(subscription, new_step)| Consumer::new(subscription.clone(), move |_| new_step()))
        .collect();
    let topics = topology
        .topics_of(topology::System::Shop)
        .map(|topic| (Topic::named(&topic.name), topic.partitions as usize))
        .collect();
    let system = System { topics, consumers, flow: Arc::new(ShopFlow), trouble: None };
    let orders: Vec<Order> =
        orders.iter().map(|order| Order { order_id: order.order_id.clone(), record: Outgoing::of(order) }).collect();
    Simulation::new(&system, &orders).run().unwrap()
}

fn is_dead_letter(topic: Topic) -> bool {
    topic.as_str().ends_with(".dead_letter")
}
