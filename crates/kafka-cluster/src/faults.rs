//! The fault matrix: what can happen to brokers, workers and the network while orders flow, each case ending with the audit.
//!
//! Each service runs as a process of the operator's program, as its own user; orders come from a [`System`]. What is broken is
//! a [`Target`]: a [`crate::Cluster`] on loopback, or hosts over a network. A case passes where the audit finds nothing lost
//! and nothing doubled.

mod cases; // the matrix
mod load; // orders at a steady rate, from a thread
mod pauses; // how long the flow stood still
mod scene; // what a case works with
mod target; // what can be broken
mod verdict; // what the audit says, and the table
mod workers; // services as processes

pub use cases::{CASES, Case};
pub use target::Target;
pub use verdict::{Row, table};

use std::path::PathBuf;

use events::Topic;
use messaging::Outgoing;

/// The system that is under load while things break.
pub struct System {
    /// The operator's program.
    pub program: PathBuf,
    /// Topics with their partitions.
    pub topics: Vec<(Topic, i32)>,
    /// The services that run, each in a process of its own.
    pub services: Vec<String>,
    /// The service that publishes the orders; its user does.
    pub source: String,
    /// The record of the `n`-th order of a seed.
    pub order: fn(seed: u64, n: u64) -> Outgoing,
    /// The topic whose growth shows that orders come to their end.
    pub end: Topic,
}

/// Orders a second while things break.
pub const RATE: u32 = 200;

/// Why a case could not be played.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cluster did not do what it was told.
    #[error(transparent)]
    Cluster(#[from] crate::Error),
    /// Orders could not be published, or the ends not be read.
    #[error(transparent)]
    Kafka(#[from] kafka_transport::Error),
    /// A process of ours did not start, or not end as it should.
    #[error("{what}: {reason}")]
    Process {
        /// Which one.
        what: String,
        /// What happened.
        reason: String,
    },
}

impl Error {
    fn process(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |error| Self::Process { what, reason: error.to_string() }
    }
}
