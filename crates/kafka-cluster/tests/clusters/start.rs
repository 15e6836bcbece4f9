use std::fs;
use std::path::Path;

use kafka_cluster::{Distribution, Error, Node, Options};

use crate::{admin, described, shape, start, topology};

#[test]
fn a_broker_without_security_answers() {
    let cluster = start(&Options::kraft());
    assert_eq!(cluster.nodes().collect::<Vec<_>>(), [Node::Broker(1)]);
    let admin = admin(&cluster);
    assert_eq!(admin.brokers().unwrap().len(), 1);
    admin.create(&[("orders", shape(1))]).unwrap();
    assert_eq!(described(&admin, "orders"), shape(1));
}

#[test]
fn three_secured_brokers_replicate_within_1_5_gib() {
    let topology = topology();
    let cluster = start(&Options::secured(&topology));
    let ids = 1..=3;
    let nodes: Vec<_> = ids.clone().map(Node::ZooKeeper).chain(ids.map(Node::Broker)).collect();
    assert_eq!(cluster.nodes().collect::<Vec<_>>(), nodes);
    let admin = admin(&cluster);
    assert_eq!(admin.brokers().unwrap().len(), 3);
    admin.create(&[("orders", shape(3))]).unwrap();
    assert_eq!(described(&admin, "orders"), shape(3));
    let resident_mib = cluster.resident_mib();
    assert!((1..=1536).contains(&resident_mib), "{resident_mib} MiB");
}

/// A folder that looks like Kafka.
fn empty_jars(folder: &Path) {
    fs::create_dir(folder.join("libs")).unwrap();
    for jar in ["kafka_2.13-3.9.2.jar", "zookeeper-3.8.4.jar"] {
        fs::write(folder.join("libs").join(jar), "").unwrap();
    }
}

#[test]
fn a_node_that_does_not_start_is_told_with_the_end_of_its_log() {
    let folder = tempfile::tempdir().unwrap();
    empty_jars(folder.path());
    let distribution = Distribution::at(folder.path()).unwrap();
    let Err(Error::NodeEnded { node, status, tail, logs }) = Options::kraft().start(&distribution) else {
        panic!("a broker without classes has started");
    };
    assert_eq!((node, status.as_str()), (Node::Broker(1), "exit status: 1"));
    assert!(tail.contains("Could not find or load main class kafka.Kafka"), "{tail}");
    assert!(fs::read_to_string(logs.join("broker-1/log")).unwrap().contains(&tail));
    fs::remove_dir_all(logs).unwrap();
}

#[test]
fn a_folder_without_kafka_or_zookeeper_is_refused_with_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |folder: &Path| Distribution::at(folder).unwrap_err().to_string();
    assert!(refusal(folder.path()).contains("no libs/kafka_2.13-*.jar"), "{}", refusal(folder.path()));
    empty_jars(folder.path());
    fs::remove_file(folder.path().join("libs/zookeeper-3.8.4.jar")).unwrap();
    // Its other half alone is not ZooKeeper.
    fs::write(folder.path().join("libs/zookeeper-jute-3.8.4.jar"), "").unwrap();
    assert!(refusal(folder.path()).contains("no libs/zookeeper-*.jar"), "{}", refusal(folder.path()));
}
