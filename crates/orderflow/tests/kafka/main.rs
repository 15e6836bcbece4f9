//! The command on Apache Kafka, which `ci/kafka-dist` provides.
#![cfg(test)]

use kafka_cluster::{Cluster, Distribution, Options};

use call::{Call, orderflow};

mod audit; // what the topics tell of a run
#[path = "../cli/call.rs"]
#[allow(dead_code, reason = "shared with the tests beside these, which use the rest of it")]
mod call; // one call of the command, in a folder of its own

fn start(options: &Options<'_>) -> Cluster {
    Distribution::find().and_then(|distribution| options.start(&distribution)).unwrap_or_else(|error| panic!("{error}"))
}

/// A call against a cluster without security.
fn on(cluster: &Cluster, arguments: &str) -> Call {
    orderflow(&format!("{arguments} --brokers {}", cluster.brokers()))
}
