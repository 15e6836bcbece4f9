use std::fs;

use kafka_cluster::{Cluster, Error, Node, Options};

use crate::{admin, described, shape, start, topology};

const BROKER: Node = Node::Broker(1);

/// What the system says that a node's process does: `S` it waits for something, `T` it was stopped, ...
fn state(cluster: &Cluster, node: Node) -> char {
    let stat = fs::read_to_string(format!("/proc/{}/stat", cluster.pid(node).unwrap())).unwrap();
    stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
}

#[test]
fn a_killed_broker_comes_back_with_its_data() {
    let cluster = start(&Options::kraft());
    admin(&cluster).create(&[("orders", shape(1))]).unwrap();
    let pid = cluster.pid(BROKER).unwrap();
    cluster.kill(BROKER).unwrap();
    assert!(!cluster.is_running(BROKER).unwrap());
    assert!(matches!(cluster.await_ready(), Err(Error::NodeEnded { node: BROKER, .. })));
    cluster.restart(BROKER).unwrap();
    cluster.await_ready().unwrap();
    assert!(cluster.is_running(BROKER).unwrap());
    assert_ne!(cluster.pid(BROKER).unwrap(), pid);
    assert_eq!(described(&admin(&cluster), "orders"), shape(1));
}

#[test]
fn a_frozen_broker_keeps_its_process_and_goes_on_once_it_is_thawed() {
    let cluster = start(&Options::kraft());
    let admin = admin(&cluster);
    cluster.freeze(BROKER).unwrap();
    // The signal is on its way: nothing else would bring the process there.
    while state(&cluster, BROKER) != 'T' {
        std::thread::yield_now();
    }
    assert!(cluster.is_running(BROKER).unwrap());
    cluster.thaw(BROKER).unwrap();
    assert_eq!(admin.brokers().unwrap().len(), 1);
}

#[test]
fn a_secured_cluster_serves_without_one_of_each_kind_and_takes_them_back() {
    let topology = topology();
    let cluster = start(&Options::secured(&topology));
    admin(&cluster).create(&[("orders", shape(3))]).unwrap();
    for node in [Node::ZooKeeper(1), Node::Broker(1)] {
        cluster.kill(node).unwrap();
    }
    assert!(admin(&cluster).brokers().unwrap().len() >= 2);
    for node in [Node::ZooKeeper(1), Node::Broker(1)] {
        cluster.restart(node).unwrap();
    }
    cluster.await_ready().unwrap();
    assert_eq!(admin(&cluster).brokers().unwrap().len(), 3);
}

#[test]
fn a_node_that_is_not_there_is_named() {
    let cluster = start(&Options::kraft());
    for node in [Node::Broker(2), Node::ZooKeeper(1)] {
        let error = cluster.kill(node).unwrap_err();
        assert_eq!(error.to_string(), format!("this cluster has no {node}"));
    }
}
