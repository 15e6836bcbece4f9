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

pub use cases::{CASES, Case, LONG_CASES};
pub use target::Target;
pub use verdict::{Row, table};

use std::path::PathBuf;

use events::Topic;
use messaging::Outgoing;
use serde_json::Value;
use topology::Topology;

/// The system that is under load while things break.
pub struct System<'a> {
    /// The word for it on the command line of `audit`.
    pub name: &'static str,
    /// Which of the systems of the topology it is.
    pub system: topology::System,
    /// The service that takes orders in: they are published as its user.
    pub source: &'static str,
    /// The operator's program.
    pub program: PathBuf,
    /// What its processes find in their environment beside the brokers.
    pub environment: Vec<(String, String)>,
    /// What `topology.json` says.
    pub topology: &'a Topology,
    /// Its text: a case may change a limit in it.
    pub topology_json: &'a str,
    /// The record of the `n`-th order of a seed.
    pub order: fn(seed: u64, n: u64) -> Outgoing,
    /// The topic whose growth shows that orders come to their end.
    pub end: Topic,
}

impl System<'_> {
    /// The services that read topics: those run in processes of their own.
    fn workers(&self) -> impl Iterator<Item = &str> {
        let services = self.topology.services_of(self.system);
        services.filter(|service| !service.consumes.is_empty()).map(|service| service.name.as_str())
    }

    fn topics(&self) -> Vec<(Topic, i32)> {
        self.topology.topics().map(|topic| (Topic::named(&topic.name), topic.partitions as i32)).collect()
    }

    /// The topology with so few records a batch.
    fn with_batches_of(&self, records: u32) -> Result<String, Error> {
        let no_json =
            |error: serde_json::Error| Error::Process { what: "topology.json".into(), reason: error.to_string() };
        let mut topology: Value = serde_json::from_str(self.topology_json).map_err(no_json)?;
        let services = topology["services"].as_object_mut().into_iter().flat_map(|services| services.values_mut());
        for group in services.filter_map(|service| service["consumes"].as_array_mut()).flatten() {
            group["batch_records"] = records.into();
        }
        Ok(topology.to_string())
    }
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
