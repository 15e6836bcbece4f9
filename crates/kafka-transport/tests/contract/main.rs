//! What every broker of ours must do, asked of each: in memory, embedded, Apache Kafka without and with security.
//!
//! A case is asked of any [`broker::Broker`], or states the [`broker::Capability`] that it needs. The test of each broker lists
//! what cannot be asked of it, so that no case vanishes unseen. It stands in this crate because no other may name rdkafka.
#![cfg(test)]

mod broker; // what a broker under test can do
mod cases; // what is asked
mod kafka; // whatever speaks Kafka's protocol
mod memory; // the simulation's broker
mod shop; // the shop on each of them
mod suite; // all cases of one broker, and the report

use kafka_transport::EmbeddedCluster;

use crate::kafka::Kafka;
use crate::memory::Memory;

#[test]
fn the_broker_in_memory_keeps_the_contract() {
    suite::check(&Memory::with(suite::topics()), &[]);
}

#[test]
fn the_embedded_cluster_keeps_the_contract() {
    let cluster = EmbeddedCluster::start(suite::topics()).unwrap();
    suite::check(&Kafka::embedded(&cluster), &[]);
}
