use std::fmt;

use events::Topic;
use events::shop::OrderPlaced;
use messaging::audit::Verdict;
use simulation::broker::{Place, Stored};

use crate::kafka::Kafka;

/// A broker under test. What goes wrong in another way than by a [`Refusal`] fails the case.
///
/// Most cases run at the same time, each with a topic and groups of its own.
pub(crate) trait Broker: Sync {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// What it can do beyond the rest of this trait.
    fn capabilities(&self) -> &'static [Capability];

    /// Itself, for cases that need more than any broker has.
    fn as_kafka(&self) -> Option<&Kafka> {
        None
    }

    /// Makes a topic. Needs [`Capability::Creation`].
    fn create(&self, topic: Topic, partitions: usize) -> Result<(), Refusal>;

    /// How many partitions a topic has; `None` where there is no such topic.
    fn partitions(&self, topic: Topic) -> Option<usize>;

    /// Writes records without waiting in between, and answers where each of them stands.
    fn write(&self, topic: Topic, records: &[Stored]) -> Vec<Result<Place, Refusal>>;

    /// The records of a partition from an offset on.
    fn read(&self, topic: Topic, partition: i32, from: i64) -> Vec<Stored>;

    /// One more member of a group, which reads a topic from its first record on unless the group has committed.
    fn join(&self, group: &str, topic: Topic, end: End) -> Box<dyn Member + '_>;

    /// What a group has committed of a partition.
    fn committed(&self, group: &str, topic: Topic, partition: i32) -> Option<i64>;

    /// Sends orders through the shop's five services, and audits them.
    fn audit(&self, orders: &[OrderPlaced]) -> Verdict;
}

/// A member of a consumer group.
pub(crate) trait Member {
    /// Lets it hear of the group's decisions and read what is there, for a moment; answers with the partitions that are its own.
    fn turn(&mut self) -> Vec<i32>;

    /// The partition and offset of each record that it has read, in the order of reading.
    fn seen(&self) -> &[(i32, i64)];

    /// Commits that everything before `offset` is done.
    fn commit(&mut self, partition: i32, offset: i64) -> Result<(), Refusal>;

    /// Ends as it was told when it joined.
    fn end(self: Box<Self>);
}

/// How a member is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It tells the group.
    Leaves,
    /// The group has to find out.
    Dies,
}

/// What a broker refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    UnknownTopic,
    TopicExists,
    TooLarge,
    Forbidden,
    /// The group has gone on without this member.
    LateMember,
}

/// What not every broker can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capability {
    /// It is reached by Kafka's protocol, through our own clients.
    Protocol,
    /// Topics are made while it runs.
    Creation,
    /// A topic has a retention, a number of replicas, a largest batch.
    Settings,
    /// It keeps what it has confirmed when it is killed.
    Durability,
    /// Others take over for a broker that is killed.
    Replication,
    /// It knows its users.
    Security,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Protocol => "Kafka's protocol",
            Self::Creation => "topics that are made while it runs",
            Self::Settings => "settings of topics",
            Self::Durability => "durability",
            Self::Replication => "replication",
            Self::Security => "security",
        })
    }
}
