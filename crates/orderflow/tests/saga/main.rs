//! The saga on Apache Kafka as it runs in production, secured, each service as its own user, and with PostgreSQL.
//!
//! The tests bear the ids of the requirements that they prove (section 12).
#![cfg(test)]

use std::thread;
use std::time::{Duration, Instant};

#[path = "../cli/call.rs"]
#[allow(dead_code, reason = "shared with the tests of other binaries, which use the rest of it")]
mod call; // one call of the command, in a folder of its own
mod failures; // J07: brokers, workers, the network and the database break
mod flows; // J01, J02, J03, J05: what becomes of an order
mod load; // J06: 100 orders a second
#[path = "../kafka/on.rs"]
mod on; // a call as one of a cluster's users
#[path = "../faults/play.rs"]
mod play; // cases of the matrix, to a table
mod scene; // the cluster, the database, the services
#[path = "../kafka/worker.rs"]
#[allow(dead_code, reason = "shared with the tests of another binary, which use the rest of it")]
mod worker; // a service, in a process of its own

/// Waits until it is so, half a minute at most.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "not in half a minute: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
