//! The command on Apache Kafka, which `ci/kafka-dist` provides.
#![cfg(test)]

use std::time::Duration;

use kafka_cluster::{Cluster, Distribution, Options};

use call::{Call, orderflow};
use until::until;
use write::write_orders;

mod audit; // what the topics tell of a run
#[path = "../cli/call.rs"]
#[allow(dead_code, reason = "shared with the tests beside these, which use the rest of it")]
mod call; // one call of the command, in a folder of its own
#[path = "../../../otlp/tests/export/collector.rs"]
#[allow(dead_code, reason = "shared with the tests of otlp, which use the rest of it")]
mod collector; // a collector of spans
mod dead_letters; // what services have given up
mod doctor; // what is wrong with a cluster, and what to do
mod inject; // events into a topic, some broken on purpose
mod lambda; // functions behind mappings, each as its own user
mod monitor; // how a cluster stands, told to a script
mod on; // a call as one of a cluster's users
mod repair; // what was given up, redriven or discarded
mod reset; // topics emptied, groups at their beginning
mod rights; // who lacks one is told which
mod spans; // an order's, told to a collector by all that it meets
mod topics; // created, compared, mended
mod trace; // one order through all topics
mod until; // something is so
mod work; // services as long-running workers: health, metrics, stopping, systemd
#[allow(dead_code, reason = "shared with the saga's tests, which use the rest of it")]
mod worker; // one of them, in a process of its own
mod write; // records, to where orders enter

fn start(options: &Options<'_>) -> Cluster {
    Distribution::find().and_then(|distribution| options.start(&distribution)).unwrap_or_else(|error| panic!("{error}"))
}

/// A call against a cluster without security.
fn on(cluster: &Cluster, arguments: &str) -> Call {
    orderflow(&format!("{arguments} --brokers {}", cluster.brokers()))
}

/// How long a test waits until something is so.
const PATIENCE: Duration = Duration::from_secs(30);
