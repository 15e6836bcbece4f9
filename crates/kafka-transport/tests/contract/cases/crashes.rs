use events::Topic;
use kafka_cluster::Node;
use simulation::broker::{Place, Stored};

use crate::broker::Broker;
use crate::cases::until;
use crate::kafka::Kafka;
use crate::suite::PARTITIONS;

const RECORDS: usize = 300;

pub(super) fn what_was_confirmed_survives_the_death_of_its_leader(broker: &dyn Broker, topic: Topic) {
    let kafka = broker.as_kafka().unwrap();
    let cluster = kafka.cluster.as_ref().unwrap();
    let written = write(broker, topic, "before");
    let dead = kafka.leader(topic, 0).unwrap();
    cluster.kill(Node::Broker(dead)).unwrap();
    until("another leader", || kafka.leader(topic, 0).is_some_and(|leader| leader != dead));
    stands(broker, topic, &[written, write(broker, topic, "after")].concat());
    revive(kafka);
}

pub(super) fn what_was_confirmed_survives_the_death_of_all_brokers(broker: &dyn Broker, topic: Topic) {
    let kafka = broker.as_kafka().unwrap();
    let cluster = kafka.cluster.as_ref().unwrap();
    let written = write(broker, topic, "before");
    for node in cluster.nodes().filter(|node| matches!(node, Node::Broker(_))) {
        cluster.kill(node).unwrap();
    }
    revive(kafka);
    stands(broker, topic, &[written, write(broker, topic, "after")].concat());
}

/// Starts every node that is dead, and waits until all serve.
fn revive(kafka: &Kafka) {
    let cluster = kafka.cluster.as_ref().unwrap();
    for node in cluster.nodes() {
        if !cluster.is_running(node).unwrap() {
            cluster.restart(node).unwrap();
        }
    }
    cluster.await_ready().unwrap();
}

/// Writes records to all partitions; every one of them is confirmed.
fn write(broker: &dyn Broker, topic: Topic, word: &str) -> Vec<(Place, Stored)> {
    let record = |n: usize| Stored { key: Some(format!("{word} {n}").into_bytes()), ..Stored::default() };
    let records: Vec<Stored> = (0..RECORDS).map(record).collect();
    let places = broker.write(topic, &records);
    places.into_iter().map(|place| place.unwrap()).zip(records).collect()
}

/// Looks whether these records stand in the topic, each at its place, and nothing else.
fn stands(broker: &dyn Broker, topic: Topic, written: &[(Place, Stored)]) {
    for partition in 0..PARTITIONS {
        let of_it = written.iter().filter(|(place, _)| place.partition == partition);
        let expected: Vec<Stored> = of_it.map(|(_, record)| record.clone()).collect();
        assert_eq!(broker.read(topic, partition, 0), expected, "partition {partition}");
    }
}
