//! Records over Kafka: the only crate that knows rdkafka.
//!
//! [`EmbeddedCluster`] is librdkafka's own in-process cluster, which speaks the real wire protocol. [`Pipeline`] runs a
//! system's consumer groups on it, a thread each, around the loop of `messaging`. Where the audit listens, a [`Tap`] tells it
//! what was written and handled, once the broker has confirmed it.

mod audit_reader; // what the audit reads beside a run
mod batch_queue; // whole batches from librdkafka in one call; the only unsafe code
mod connection; // where the brokers are, and as whom we speak to them
mod consumer; // one consumer group on one topic: fetch, hand to the loop, carry out its effects
mod embedded; // the in-process cluster, and its limits
mod group_offsets; // how far a group is, from outside
mod heard; // what librdkafka says beside its answers
mod log; // one log event a record
mod pipeline; // all groups of a system, the intake, the drain
mod producer; // one shared producer; delivery reports by batch
mod questions; // what brokers are asked about topics and groups
mod reader; // topics read from outside
mod settings; // what librdkafka is told
mod tap; // what the audit hears

pub use audit_reader::AuditReader;
pub use connection::{BROKERS, CA_FILE, CA_PEM, Ca, Connection, PASSWORD, USERNAME, WrongSetting};
pub use embedded::{EmbeddedCluster, MAX_UNREAD_BYTES};
pub use group_offsets::GroupOffsets;
pub use pipeline::{Drained, Group, Pipeline};
pub use reader::{Span, TopicReader};
pub use settings::Pace;
pub use tap::Tap;

/// What went wrong between us and Kafka.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Variables of the environment that do not serve.
    #[error("{}", list(.0))]
    Settings(Vec<WrongSetting>),
    /// The brokers do not know the user, or not with this password.
    #[error(
        "{address}: user {user} was refused ({reason}): check KAFKA_USERNAME, KAFKA_PASSWORD and that the cluster has this SCRAM-SHA-512 user"
    )]
    Login {
        /// The broker that said so.
        address: String,
        /// The user.
        user: String,
        /// What librdkafka says.
        reason: String,
    },
    /// A broker's certificate does not hold.
    #[error(
        "{address}: its certificate was refused ({reason}): check that KAFKA_CA_FILE or KAFKA_CA_PEM is the CA that signed it, and that it names this host"
    )]
    Certificate {
        /// The broker that showed it.
        address: String,
        /// What librdkafka says.
        reason: String,
    },
    /// No broker answered.
    #[error(
        "{address}: no answer within {deadline_s} s ({reason}): check KAFKA_BROKERS, that the brokers run, and whether this listener asks for TLS and a user"
    )]
    Unreachable {
        /// Who was asked.
        address: String,
        /// How long, in seconds.
        deadline_s: u64,
        /// The last that librdkafka said.
        reason: String,
    },
    /// The user has no right to do this.
    #[error(
        "{address}: user {user} may not {operation} {resource}: grant it this right, or set KAFKA_USERNAME to a user that has it"
    )]
    Forbidden {
        /// The brokers.
        address: String,
        /// The user.
        user: String,
        /// What it may not do, in Kafka's word.
        operation: &'static str,
        /// On what: a topic or a group, with its name.
        resource: String,
    },
    /// There is no such topic.
    #[error("{address}: there is no {resource}: `orderflow topics create` makes what topology.json declares")]
    NoTopic {
        /// The brokers.
        address: String,
        /// The topic.
        resource: String,
    },
    /// Records were deleted while they were being read.
    #[error("records were deleted before they were read: the topics' retention is shorter than reading them takes")]
    Deleted,
    /// A call to librdkafka failed.
    #[error("{doing}: {source}")]
    Kafka {
        /// What was being done.
        doing: String,
        /// What librdkafka says.
        source: rdkafka::error::KafkaError,
    },
    /// The broker dropped records before a group had read them.
    #[error(
        "{group}: the broker dropped records of {topic} before they were read ({source}): the group is too slow for what is written"
    )]
    Dropped {
        /// The group that misses them.
        group: String,
        /// The topic.
        topic: events::Topic,
        /// What librdkafka says.
        source: rdkafka::error::KafkaError,
    },
    /// A write was refused for good.
    #[error("an order was not written: {reason}")]
    NotWritten {
        /// What the delivery report says.
        reason: String,
    },
    /// No thread for a group.
    #[error("{group}: start its thread: {source}")]
    Thread {
        /// The group.
        group: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A topic's log ends elsewhere than the confirmed writes say.
    #[error(
        "{topic}-{partition}: {confirmed} writes were confirmed, but the log ends at {high_watermark}: records were lost or written unseen"
    )]
    Watermark {
        /// The topic.
        topic: events::Topic,
        /// The partition.
        partition: i32,
        /// Writes that the broker confirmed.
        confirmed: u64,
        /// Where the log ends.
        high_watermark: i64,
    },
    /// Open batches were not confirmed in time when the groups were stopped.
    #[error("{group}: {open} {what} were not confirmed within {deadline_s} s of the stop")]
    NotDrained {
        /// The group.
        group: String,
        /// How many are still open.
        open: usize,
        /// What they are: batches of a group, writes of the intake.
        what: &'static str,
        /// The deadline.
        deadline_s: u64,
    },
    /// A thread ended where it never should.
    #[error("{0}: its thread panicked")]
    Panicked(String),
}

impl Error {
    fn kafka(doing: impl Into<String>) -> impl FnOnce(rdkafka::error::KafkaError) -> Self {
        let doing = doing.into();
        |source| Self::Kafka { doing, source }
    }
}

fn list(wrong: &[WrongSetting]) -> String {
    let head =
        if wrong.len() == 1 { "1 setting is wrong".to_owned() } else { format!("{} settings are wrong", wrong.len()) };
    wrong.iter().fold(head, |text, setting| format!("{text}\n  {setting}"))
}
