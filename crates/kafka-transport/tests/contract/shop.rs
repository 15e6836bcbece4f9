use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use events::shop::OrderPlaced;
use events::{Timestamp, Topic};
use kafka_transport::{Connection, Group, Membership, Pace, Pipeline, Plan, Tap};
use messaging::audit::{Audit, Drained, Observation, Verdict};
use messaging::{BatchStep, Outgoing};
use shop::{Services, ShopFlow};
use simulation::{Consumer, Order, Simulation, System};
use topology::Topology;

use crate::kafka::DEADLINE;

/// Sends orders through the shop on a simulated Kafka where nothing fails.
pub(crate) fn simulated(orders: &[OrderPlaced]) -> Verdict {
    let topology = Topology::built_in().unwrap();
    let consumers = Services::new(&topology).unwrap();
    let consumers =
        consumers.iter().map(|(subscription, step)| Consumer::new(subscription.clone(), move || step.clone()));
    let topics = topology.topics().map(|topic| (Topic::named(&topic.name), topic.partitions as usize)).collect();
    let system = System { topics, consumers: consumers.collect(), flow: Arc::new(ShopFlow) };
    let order = |order: &OrderPlaced| Order { order_id: order.order_id.clone(), record: Outgoing::of(order) };
    let orders: Vec<Order> = orders.iter().map(order).collect();
    Simulation::new(&system, &orders).run().unwrap().verdict
}

/// Sends orders through the shop on a cluster that has its topics.
pub(crate) fn run(connection: &Connection, pace: Pace, membership: Membership, orders: &[OrderPlaced]) -> Verdict {
    let topology = Topology::built_in().unwrap();
    let services = Services::new(&topology).unwrap();
    let groups = services.iter().map(|(subscription, step)| Group {
        subscription: subscription.clone(),
        step: Box::new(step) as Box<dyn BatchStep>,
    });
    // All that the audit will hear fits: nobody listens while orders are published.
    let (sender, observations) = sync_channel(8 * orders.len());
    let mut pipeline = Pipeline::start(Plan {
        connection: connection.clone(),
        membership,
        pace,
        topics: topology.topics().map(|topic| (Topic::named(&topic.name), topic.partitions as i32)).collect(),
        groups: groups.collect(),
        tap: Some(Tap::new(Arc::new(ShopFlow), sender)),
        metrics: None,
    })
    .unwrap();
    let mut audit = Audit::new(ShopFlow, orders.len());
    for order in orders {
        audit.observe(Observation::Accepted { order_id: order.order_id.clone(), at_us: 0 }).unwrap();
    }
    pipeline.publish(&orders.iter().map(Outgoing::of).collect::<Vec<_>>(), "the-run");
    let deadline = Instant::now() + DEADLINE;
    while audit.in_flight() > 0 {
        for observation in observations.recv_timeout(Duration::from_millis(100)).into_iter().flatten() {
            audit.observe(observation).unwrap();
        }
        pipeline.check().unwrap();
        assert!(Instant::now() < deadline, "{}", audit.verdict(Drained::No));
    }
    pipeline.drain().unwrap();
    for observation in observations.try_iter().flatten() {
        audit.observe(observation).unwrap();
    }
    audit.verdict(Drained::Yes)
}

/// The first orders of a seed.
pub(crate) fn orders(count: u64) -> Vec<OrderPlaced> {
    (0..count).map(|n| shop::order_generator::generate_order_event(1, Timestamp::BASE, n)).collect()
}
