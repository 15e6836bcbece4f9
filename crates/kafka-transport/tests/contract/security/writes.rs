use events::shop::OrderPlaced;
use events::{Event, Topic};
use kafka_cluster::Node;

use super::{WRITE_DEADLINE, cluster, told_as_writer, told_at_the_deadline};
use crate::broker::Broker;
use crate::cases::until;

const SOURCE: &str = "order_generator";

pub(super) fn a_record_that_is_too_large_is_told_with_its_topic(broker: &dyn Broker, _: Topic) {
    let cluster = cluster(broker);
    assert_eq!(
        told_as_writer(cluster.connection_as(SOURCE).unwrap(), OrderPlaced::TOPIC, 1_500_000),
        format!(
            "an order was not written: {}: a record is too large for order_placed: check `max_message_bytes` in topology.json, \
             and that `orderflow topics diff` finds the topic as it stands there",
            cluster.brokers()
        )
    );
}

pub(super) fn too_few_replicas_in_sync_are_told_at_the_writes_deadline(broker: &dyn Broker, _: Topic) {
    let cluster = cluster(broker);
    let dead = [Node::Broker(2), Node::Broker(3)];
    dead.iter().for_each(|&node| cluster.kill(node).unwrap());
    let kafka = broker.as_kafka().unwrap();
    until("the last broker to lead", || kafka.leader(OrderPlaced::TOPIC, 0) == Some(1));
    until("the others to be out of sync", || kafka.in_sync(OrderPlaced::TOPIC, 0) == 1);
    assert_eq!(
        told_at_the_deadline(&cluster.connection_as(SOURCE).unwrap(), OrderPlaced::TOPIC),
        format!(
            "{}: order_placed-0 did not confirm a write within {} s (broker 1 leads it, 1 of 3 replicas in sync): check that \
             its brokers run and that at least min.insync.replicas of them are in sync",
            cluster.brokers(),
            WRITE_DEADLINE.as_secs()
        )
    );
    dead.iter().for_each(|&node| cluster.restart(node).unwrap());
    cluster.await_ready().unwrap();
}
