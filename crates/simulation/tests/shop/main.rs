//! The shop under the simulation, through the public API only.
#![cfg(test)]

mod faults; // every order ends once, whatever goes wrong
mod sabotage; // each planted bug is found

use std::sync::Arc;

use events::{Timestamp, Topic};
use messaging::Outgoing;
use shop::ShopFlow;
use simulation::{Consumer, Order, System};
use topology::Topology;

/// The shop as `topology.json` declares it.
fn shop() -> System {
    let topology = Topology::built_in().unwrap();
    let consumers = shop::services(&topology)
        .unwrap()
        .iter()
        .map(|(subscription, new_step)| Consumer::new(subscription.clone(), move |_| new_step()))
        .collect();
    let topics = topology.topics().map(|topic| (Topic::named(&topic.name), topic.partitions as usize)).collect();
    System { topics, consumers, flow: Arc::new(ShopFlow), trouble: None }
}

/// The first orders of a seed.
fn orders(seed: u64, count: u64) -> Vec<Order> {
    let placed = (0..count).map(|n| shop::order_generator::generate_order_event(seed, Timestamp::BASE, n));
    placed.map(|order| Order { record: Outgoing::of(&order), order_id: order.order_id }).collect()
}
