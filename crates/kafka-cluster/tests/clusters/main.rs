//! Clusters as their users meet them: started, broken, ended. They need Java, and Apache Kafka from `ci/kafka-dist`.
#![cfg(test)]

mod access; // who is let in, and to what
mod end; // nothing is left behind
mod nodes; // killed, frozen, started again
mod partition; // a network that is cut
mod start; // from nothing to an answer

use kafka_cluster::{Cluster, Distribution, Options};
use kafka_transport::{Admin, TopicShape};
use topology::Topology;

/// Starts a cluster. Without Java or Kafka the test fails, and says what provides them.
#[track_caller]
fn start(options: &Options<'_>) -> Cluster {
    Distribution::find().and_then(|distribution| options.start(&distribution)).unwrap_or_else(|error| panic!("{error}"))
}

fn topology() -> Topology {
    Topology::built_in().unwrap()
}

fn admin(cluster: &Cluster) -> Admin {
    Admin::connect(&cluster.connection()).unwrap()
}

/// What a topic was made with, once the broker that is asked has heard of it.
fn described(admin: &Admin, topic: &str) -> TopicShape {
    loop {
        if let Some(shape) = admin.describe(&[topic]).unwrap().remove(topic) {
            return shape;
        }
    }
}

/// One partition, on so many brokers.
const fn shape(replication: u16) -> TopicShape {
    TopicShape { partitions: 1, replication, retention_ms: 3_600_000, max_message_bytes: 1_048_576 }
}
