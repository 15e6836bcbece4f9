//! Food orders on Apache Kafka as they run in production, secured, each service as its own user, and with PostgreSQL.
//!
//! The tests bear the ids of the requirements that they prove (sections 14 to 16).
#![cfg(test)]

use std::time::Duration;

use until::until;

#[path = "../cli/call.rs"]
#[allow(dead_code, reason = "shared with the tests of other binaries, which use the rest of it")]
mod call; // one call of the command, in a folder of its own
mod database; // it is away, refuses, or is full
mod failures; // consumers and the database break
mod flows; // orders become rows, and bad ones do not
#[path = "../kafka/on.rs"]
mod on; // a call as one of a cluster's users
mod producer; // numbers, the rate, the end
#[path = "../saga/scene.rs"]
#[allow(dead_code, reason = "shared with the tests of another binary, which use the rest of it")]
mod scene; // the cluster, the database, the services
#[path = "../kafka/until.rs"]
mod until; // something is so
#[path = "../kafka/worker.rs"]
#[allow(dead_code, reason = "shared with the tests of another binary, which use the rest of it")]
mod worker; // a service, in a process of its own

/// How long a test waits until something is so.
const PATIENCE: Duration = Duration::from_secs(60);
