//! Clusters come up and answer.
#![cfg(test)]

use kafka_cluster::{Cluster, Distribution, Options};
use topology::Topology;

fn start(options: &Options<'_>) -> Cluster {
    Distribution::find().and_then(|distribution| options.start(&distribution)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_broker_without_security_starts() {
    let cluster = start(&Options::kraft());
    assert_eq!(cluster.nodes().count(), 1);
}

#[test]
fn three_zookeepers_and_three_secured_brokers_start() {
    let cluster = start(&Options::secured(&Topology::built_in().unwrap()));
    assert_eq!(cluster.nodes().count(), 6);
}
