use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use events::shop::OrderPlaced;
use events::{Timestamp, Topic};
use kafka_transport::{Connection, Group, Membership, Pace, Pipeline, Plan, Tap};
use messaging::Outgoing;
use messaging::audit::{Audit, Drained, Observation, Verdict};
use shop::{ShopFlow, order_generator};
use simulation::{Consumer, Order, Simulation, System};
use topology::Topology;

use crate::cases::until;
use crate::kafka::TURN;

/// Sends orders through the shop on a simulated Kafka where nothing fails.
pub(crate) fn simulated(orders: &[OrderPlaced]) -> Verdict {
    let topology = Topology::built_in().unwrap();
    let consumers = shop::services(&topology).unwrap();
    let consumers =
        consumers.iter().map(|(subscription, new_step)| Consumer::new(subscription.clone(), move |_| new_step()));
    let topics = topology.topics().map(|topic| (Topic::named(&topic.name), topic.partitions as usize)).collect();
    let system = System { topics, consumers: consumers.collect(), flow: Arc::new(ShopFlow), trouble: None };
    let order = |order: &OrderPlaced| Order { order_id: order.order_id.clone(), record: Outgoing::of(order) };
    let orders: Vec<Order> = orders.iter().map(order).collect();
    Simulation::new(&system, &orders).run().unwrap().verdict
}

/// Sends orders through the shop on a cluster that has its topics. Each part of the services runs in a pipeline of its own.
pub(crate) fn run(
    parts: Vec<(Connection, Vec<String>)>,
    membership: &Membership,
    pace: Pace,
    orders: &[OrderPlaced],
) -> Verdict {
    let topology = Topology::built_in().unwrap();
    let all = shop::services(&topology).unwrap();
    // All that the audit will hear fits: nobody listens while orders are published.
    let (sender, observations) = sync_channel(8 * orders.len());
    let mut pipelines = Vec::new();
    for (connection, services) in parts {
        let groups = all.iter().filter(|(subscription, _)| services.contains(&subscription.service));
        let pipeline = Pipeline::start(Plan {
            connection,
            membership: membership.clone(),
            pace,
            topics: topology.topics().map(|topic| (Topic::named(&topic.name), topic.partitions as i32)).collect(),
            groups: groups
                .map(|(subscription, new_step)| Group { subscription: subscription.clone(), step: new_step() })
                .collect(),
            tap: Some(Tap::new(Arc::new(ShopFlow), sender.clone())),
            metrics: None,
            traces: None,
        });
        pipelines.push((services, pipeline.unwrap()));
    }
    let mut audit = Audit::new(ShopFlow, orders.len());
    for order in orders {
        audit.observe(Observation::Accepted { order_id: order.order_id.clone(), at_us: 0 }).unwrap();
    }
    let source = pipelines.iter().find(|(services, _)| services.iter().any(|service| service == order_generator::NAME));
    source.unwrap().1.publish(&orders.iter().map(Outgoing::of).collect::<Vec<_>>(), "the-run");
    until("every order's end", || {
        for observation in observations.recv_timeout(TURN).into_iter().flatten() {
            audit.observe(observation).unwrap();
        }
        pipelines.iter_mut().for_each(|(_, pipeline)| pipeline.check().unwrap());
        audit.in_flight() == 0
    });
    pipelines.into_iter().for_each(|(_, pipeline)| drop(pipeline.drain().unwrap()));
    for observation in observations.try_iter().flatten() {
        audit.observe(observation).unwrap();
    }
    audit.verdict(Drained::Yes)
}

/// The first orders of a seed.
pub(crate) fn orders(count: u64) -> Vec<OrderPlaced> {
    (0..count).map(|n| order_generator::generate_order_event(1, Timestamp::BASE, n)).collect()
}
