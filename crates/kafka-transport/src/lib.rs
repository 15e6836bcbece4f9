//! Records over Kafka: the only crate that knows rdkafka.
//!
//! [`Pipeline`] runs a system's consumer groups, a thread each, around the loop of `messaging`: on Apache Kafka, or on
//! [`EmbeddedCluster`], librdkafka's own in-process cluster, which speaks the same wire protocol. Where the audit listens, a
//! [`Tap`] tells it what was written and handled, once the broker has confirmed it.

mod admin; // topics and groups from outside
mod audit_reader; // what the audit reads beside a run
mod batch_queue; // whole batches from librdkafka in one call
mod bootstrap; // the way back for a client that has lost all brokers
mod connection; // where the brokers are, and as whom we speak to them
mod consumer; // one consumer group on one topic: fetch, hand to the loop, carry out its effects
mod embedded; // the in-process cluster, and its limits
mod error; // what went wrong, where, and what to check
mod group_offsets; // how far a group has come
mod heard; // what librdkafka says beside its answers
pub mod log; // one log event a record, on every host
mod member; // what a group gives its member and takes back
mod metrics; // what groups count, for Prometheus
pub mod names; // what those metrics are called
mod partitioner; // where a record with a key stands
mod pipeline; // all groups of a system, the intake, the drain
mod poller; // one topic for a host that hands batches on and commits once they are handled
mod producer; // one shared producer; delivery reports by batch
mod reader; // asks, and tells why there is no answer
mod settings; // what librdkafka is told
mod tap; // what the audit hears
mod topic_reader; // what stands in topics, read without a group
mod writer; // batches for who waits for each

pub use admin::{Admin, Layout, Log, TopicShape};
pub use audit_reader::AuditReader;
pub use connection::{BROKERS, CA_FILE, CA_PEM, Ca, Connection, PASSWORD, USERNAME, WrongSetting};
pub use consumer::{MAX_OPEN_BATCHES, Membership};
pub use embedded::{EmbeddedCluster, MAX_UNREAD_BYTES};
pub use error::Error;
pub use group_offsets::GroupOffsets;
pub use metrics::Metrics;
pub use partitioner::partition_of;
pub use pipeline::{Drained, Group, Pipeline, Plan, Tallies, Tally};
pub use poller::{Poller, StartAt, WrittenAt};
pub use reader::Replicas;
pub use settings::Pace;
pub use tap::Tap;
pub use topic_reader::{Span, TopicReader};
pub use writer::{Slot, Writer};
