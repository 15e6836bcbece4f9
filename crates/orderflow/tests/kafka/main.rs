//! The command on Apache Kafka, which `ci/kafka-dist` provides.
#![cfg(test)]

use std::thread;
use std::time::{Duration, Instant};

use kafka_cluster::{Cluster, Distribution, Options};

use call::{Call, orderflow};

mod audit; // what the topics tell of a run
#[path = "../cli/call.rs"]
#[allow(dead_code, reason = "shared with the tests beside these, which use the rest of it")]
mod call; // one call of the command, in a folder of its own
mod lambda; // functions behind mappings, each as its own user
mod on; // a call as one of a cluster's users
mod reset; // topics emptied, groups at their beginning
mod topics; // created, compared, mended
mod work; // services as long-running workers: health, metrics, stopping, systemd
#[allow(dead_code, reason = "shared with the saga's tests, which use the rest of it")]
mod worker; // one of them, in a process of its own

fn start(options: &Options<'_>) -> Cluster {
    Distribution::find().and_then(|distribution| options.start(&distribution)).unwrap_or_else(|error| panic!("{error}"))
}

/// A call against a cluster without security.
fn on(cluster: &Cluster, arguments: &str) -> Call {
    orderflow(&format!("{arguments} --brokers {}", cluster.brokers()))
}

/// Waits until it is so, half a minute at most.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "not in half a minute: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
