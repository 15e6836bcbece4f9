use events::Topic;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::reader::is_forbidden;
use crate::{Connection, WrongSetting};

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
    /// The user lacks a right.
    #[error(
        "{address}: user {user} may not {operation} {resource}: check its ACLs; `orderflow topology show` lists what each service needs"
    )]
    Forbidden {
        /// Who was asked.
        address: String,
        /// The user.
        user: String,
        /// Kafka's word for what was refused.
        operation: &'static str,
        /// The topic or group.
        resource: String,
    },
    /// A topic is not there.
    #[error("{address}: no topic {topic}: `orderflow topics create` makes it")]
    UnknownTopic {
        /// Who was asked.
        address: String,
        /// The topic.
        topic: Topic,
    },
    /// Records were deleted while they were being read.
    #[error(
        "{address}: records were deleted before they were read: the topics' retention is shorter than the reading takes"
    )]
    Deleted {
        /// Who was asked.
        address: String,
    },
    /// The brokers took a topic's new settings, and then did not have them.
    #[error(
        "{address}: {topic} kept {kept}: may user {user} ALTER_CONFIGS it, and does the cluster allow these values?"
    )]
    NotAltered {
        /// The brokers.
        address: String,
        /// The topic.
        topic: String,
        /// The settings that stayed.
        kept: String,
        /// The user.
        user: String,
    },
    /// A group is at work.
    #[error("{address}: group {group} has members: stop its workers first")]
    Members {
        /// The brokers.
        address: String,
        /// The group.
        group: String,
    },
    /// Another member has taken this one's place.
    #[error("{group}: another worker of the same --instance has joined: give each worker a name of its own")]
    Fenced {
        /// The group.
        group: String,
    },
    /// A call to librdkafka failed.
    #[error("{doing}: {source}")]
    Kafka {
        /// What was being done.
        doing: String,
        /// What librdkafka says.
        source: KafkaError,
    },
    /// The broker dropped records before a group had read them.
    #[error(
        "{group}: the broker dropped records of {topic} before they were read ({source}): the group is too slow for what is written"
    )]
    Dropped {
        /// The group that misses them.
        group: String,
        /// The topic.
        topic: Topic,
        /// What librdkafka says.
        source: KafkaError,
    },
    /// A write was refused for good.
    #[error("an order was not written: {0}")]
    NotWritten(Box<Error>),
    /// A write was not confirmed in time.
    #[error(
        "{address}: {topic}-{partition} did not confirm a write within {deadline_s} s ({state}): check that its brokers run and that at least min.insync.replicas of them are in sync"
    )]
    NotConfirmed {
        /// Who was asked.
        address: String,
        /// The topic.
        topic: Topic,
        /// The partition, where one was chosen.
        partition: String,
        /// The deadline.
        deadline_s: u64,
        /// How the partition's replicas are.
        state: String,
    },
    /// A record is larger than its topic takes.
    #[error(
        "{address}: a record is too large for {topic}: check `max_message_bytes` in topology.json, and that `orderflow topics diff` finds the topic as it stands there"
    )]
    TooLarge {
        /// Who was asked.
        address: String,
        /// The topic.
        topic: Topic,
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
        topic: Topic,
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
    /// The audit's reader did not get to where a partition ended when it was stopped.
    #[error("{topic}-{partition}: the audit did not read up to offset {to} within {deadline_s} s of the stop")]
    NotRead {
        /// The topic.
        topic: Topic,
        /// The partition within it.
        partition: i32,
        /// Where it ended.
        to: i64,
        /// The deadline.
        deadline_s: u64,
    },
    /// A group's coordinator did not answer when the group was stopped.
    #[error(
        "{group}: its offsets were not committed within {deadline_s} s of the stop: what it handled last comes again"
    )]
    NotCommitted {
        /// The group.
        group: String,
        /// The deadline.
        deadline_s: u64,
    },
    /// A thread ended where it never should.
    #[error("{0}: its thread panicked")]
    Panicked(String),
}

impl Error {
    /// Whether the same may succeed a moment later: nobody has confirmed or answered, and nobody has refused.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::NotConfirmed { .. } | Self::Kafka { .. })
    }

    /// What a refusal of a topic, a group or an operation on it means for who asked.
    pub(crate) fn access(
        code: RDKafkaErrorCode,
        connection: &Connection,
        operation: &'static str,
        resource: String,
        topic: Topic,
    ) -> Self {
        let address = connection.brokers().to_owned();
        match code {
            code if is_forbidden(code) => Self::forbidden(connection, operation, &resource),
            RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition => {
                Self::UnknownTopic { address, topic }
            }
            code => {
                Self::Kafka { doing: format!("{address}: {operation} {resource}"), source: KafkaError::Global(code) }
            }
        }
    }

    /// That the user may not do this.
    pub(crate) fn forbidden(connection: &Connection, operation: &'static str, resource: &str) -> Self {
        let (address, user) = (connection.brokers().to_owned(), connection.principal().to_owned());
        Self::Forbidden { address, user, operation, resource: resource.to_owned() }
    }

    pub(crate) fn kafka(doing: impl Into<String>) -> impl FnOnce(KafkaError) -> Self {
        let doing = doing.into();
        |source| Self::Kafka { doing, source }
    }
}

fn list(wrong: &[WrongSetting]) -> String {
    let head =
        if wrong.len() == 1 { "1 setting is wrong".to_owned() } else { format!("{} settings are wrong", wrong.len()) };
    wrong.iter().fold(head, |text, setting| format!("{text}\n  {setting}"))
}
