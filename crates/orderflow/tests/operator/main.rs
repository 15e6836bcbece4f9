//! What an operator sees of Apache Kafka while orders flow, looked at as an operator looks: on a terminal, by its keys, and in a browser, by clicks.
#![cfg(test)]

use std::time::Duration;

use kafka_cluster::{Cluster, Distribution, Options};

use call::{Call, orderflow};
use until::until;
use write::write_orders;

mod browser; // Chromium, driven
#[path = "../cli/call.rs"]
#[allow(dead_code, reason = "shared with the tests of other binaries, which use the rest of it")]
mod call; // one call of the command, in a folder of its own
mod page; // the page, in a browser
mod terminal; // the monitor, by its keys
mod tmux; // a terminal on which keys are pressed, and which is read
#[path = "../kafka/until.rs"]
mod until; // something is so
#[path = "../kafka/worker.rs"]
#[allow(dead_code, reason = "shared with the tests of other binaries, which use the rest of it")]
mod worker; // a service, in a process of its own
#[path = "../kafka/write.rs"]
mod write; // records, to where orders enter

/// A cluster of one broker, without security, with our topics.
fn start() -> Cluster {
    let start = |distribution| Options::kraft().start(&distribution);
    let cluster = Distribution::find().and_then(start).unwrap_or_else(|error| panic!("{error}"));
    on(&cluster, "topics create").end().with_status(0);
    cluster
}

/// A call against it.
fn on(cluster: &Cluster, arguments: &str) -> Call {
    orderflow(&format!("{arguments} --brokers {}", cluster.brokers()))
}

/// How long a test waits until something is so.
const PATIENCE: Duration = Duration::from_secs(30);
