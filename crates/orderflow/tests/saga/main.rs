//! The saga on Apache Kafka as it runs in production, secured, each service as its own user, and with PostgreSQL.
//!
//! The tests bear the ids of the requirements that they prove (section 12).
#![cfg(test)]

use std::time::Duration;

use until::until;

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
#[path = "../kafka/until.rs"]
mod until; // something is so
#[path = "../kafka/worker.rs"]
#[allow(dead_code, reason = "shared with the tests of another binary, which use the rest of it")]
mod worker; // a service, in a process of its own

/// How long a test waits until something is so.
const PATIENCE: Duration = Duration::from_secs(30);
