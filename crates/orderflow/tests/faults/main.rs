//! The fault matrix on the secured cluster, case by case, and the table that it comes to.
#![cfg(test)]

use std::path::PathBuf;

use events::shop::OrderShipped;
use events::{Event, Timestamp};
use kafka_cluster::faults::{CASES, Case, LONG_CASES, System};
use kafka_cluster::{Distribution, Options};
use messaging::Outgoing;
use shop::order_generator::generate_order_event;
use topology::Topology;

mod play; // case by case, to a table

/// Decides when and whom the faults strike. Printed with the table: the same seed tries the same again.
const SEED: u64 = 7;

#[test]
fn no_order_is_lost_or_doubled_whatever_happens_to_brokers_workers_and_network() {
    play(&CASES);
}

#[test]
#[ignore = "takes minutes: `ci/test --full kafka` plays it"]
fn no_order_is_lost_or_doubled_in_the_rest_of_the_matrix() {
    play(&LONG_CASES);
}

fn play(cases: &[Case]) {
    let topology = Topology::built_in().unwrap();
    let options = Options::secured(&topology).behind_proxies();
    let cluster = options.start(&Distribution::find().unwrap()).unwrap();
    orderflow_topics_create(&cluster.connection());
    play::play("the fault matrix", cases, &cluster, &shop(&topology), SEED);
}

fn shop(topology: &Topology) -> System<'_> {
    System {
        name: "shop",
        system: topology::System::Shop,
        source: shop::order_generator::NAME,
        environment: Vec::new(),
        program: PathBuf::from(env!("CARGO_BIN_EXE_orderflow")),
        topology,
        topology_json: include_str!("../../../../topology.json"),
        order: |seed, n| Outgoing::of(&generate_order_event(seed, Timestamp::BASE, n)),
        end: OrderShipped::TOPIC,
    }
}

fn orderflow_topics_create(connection: &kafka_transport::Connection) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_orderflow"));
    let status = command.args(["topics", "create"]).envs(connection.variables()).status().unwrap();
    assert!(status.success(), "{status}");
}
