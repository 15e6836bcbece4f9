use events::Topic;
use topology::Topology;

use crate::broker::Broker;
use crate::kafka::STRANGER;

#[path = "../../../examples/rights/probe.rs"]
mod probe; // of any cluster

pub(super) fn everybody_may_do_what_the_topology_says_and_nothing_else(broker: &dyn Broker, _: Topic) {
    let kafka = broker.as_kafka().unwrap();
    let topology = Topology::built_in().unwrap();
    let users: Vec<&str> = topology.services().map(|service| service.name.as_str()).chain([STRANGER]).collect();
    let config_as = |user: &str| kafka.config_as(user);
    let found = probe::found(&topology, &kafka.config_as(kafka_cluster::ADMIN), &users, &config_as);
    let declared = probe::declared(&topology);
    let only_found: Vec<_> = found.difference(&declared).collect();
    let only_declared: Vec<_> = declared.difference(&found).collect();
    assert!(found == declared, "allowed but not declared: {only_found:#?}\ndeclared but refused: {only_declared:#?}");
}
