use events::Topic;
use kafka_cluster::Node;
use simulation::broker::{Place, Stored};

use crate::broker::{Broker, Capability};
use crate::cases::until;
use crate::kafka::Kafka;
use crate::suite::PARTITIONS;

const RECORDS: usize = 300;

pub(super) fn another_leads_on_where_a_leader_is_killed(broker: &dyn Broker, topic: Topic) {
    let kafka = broker.as_kafka().unwrap();
    let before = write(broker, topic, "before");
    let dead = kill_leader(kafka, topic);
    until_another_leads(kafka, topic, dead);
    stands(broker, topic, &[before, write(broker, topic, "meanwhile")].concat());
    revive(kafka, dead);
}

pub(super) fn what_was_confirmed_survives_a_crash(broker: &dyn Broker, topic: Topic) {
    let kafka = broker.as_kafka().unwrap();
    let before = write(broker, topic, "before");
    let dead = kill_leader(kafka, topic);
    if broker.capabilities().contains(&Capability::Replication) {
        // Until the cluster has forgotten it, a broker is refused when it comes back.
        until_another_leads(kafka, topic, dead);
    }
    revive(kafka, dead);
    stands(broker, topic, &[before, write(broker, topic, "after")].concat());
}

/// Kills who leads the first partition.
fn kill_leader(kafka: &Kafka, topic: Topic) -> u8 {
    let leader = kafka.leader(topic, 0).unwrap();
    kafka.cluster.as_ref().unwrap().kill(Node::Broker(leader)).unwrap();
    leader
}

fn until_another_leads(kafka: &Kafka, topic: Topic, dead: u8) {
    until("another leader", || kafka.leader(topic, 0).is_some_and(|leader| leader != dead));
}

fn revive(kafka: &Kafka, dead: u8) {
    let cluster = kafka.cluster.as_ref().unwrap();
    cluster.restart(Node::Broker(dead)).and_then(|()| cluster.await_ready()).unwrap();
}

/// Writes records to all partitions; every one of them is confirmed.
fn write(broker: &dyn Broker, topic: Topic, when: &str) -> Vec<(Place, Stored)> {
    let record = |n: usize| Stored { key: Some(format!("{when} {n}").into_bytes()), ..Stored::default() };
    let records: Vec<Stored> = (0..RECORDS).map(record).collect();
    let places = broker.write(topic, &records);
    places.into_iter().map(|place| place.unwrap()).zip(records).collect()
}

/// Looks whether the topic holds these records and nothing else.
fn stands(broker: &dyn Broker, topic: Topic, written: &[(Place, Stored)]) {
    for partition in 0..PARTITIONS {
        let of_it = written.iter().filter(|(place, _)| place.partition == partition);
        let expected: Vec<Stored> = of_it.map(|(_, record)| record.clone()).collect();
        assert_eq!(broker.read(topic, partition, 0), expected, "partition {partition}");
    }
}
