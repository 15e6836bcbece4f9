use events::Topic;

use super::MemberId;

/// What the broker refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The topic was never created.
    #[error("no topic `{0}`: create it first")]
    UnknownTopic(Topic),
    /// The topic exists.
    #[error("topic `{0}` exists already")]
    TopicExists(Topic),
    /// The topic would have no partition.
    #[error("topic `{0}`: found 0 partitions, allowed 1 or more")]
    NoPartitions(Topic),
    /// The topic has fewer partitions.
    #[error("{topic}-{partition}: no such partition, `{topic}` has {partitions}, counted from 0")]
    UnknownPartition {
        /// The topic.
        topic: Topic,
        /// What was asked for.
        partition: i32,
        /// How many there are.
        partitions: usize,
    },
    /// The partition is shorter.
    #[error("{topic}-{partition}@{offset}: out of range, allowed 0 to {end}")]
    OffsetOutOfRange {
        /// The topic.
        topic: Topic,
        /// The partition.
        partition: i32,
        /// What was asked for.
        offset: i64,
        /// Where the next record will stand.
        end: i64,
    },
    /// The group does not exist: nobody ever joined it.
    #[error("no group `{0}`: a member must join it first")]
    UnknownGroup(String),
    /// The group reads another topic.
    #[error("group `{group}` reads `{reads}`, not `{found}`")]
    OtherTopic {
        /// The group.
        group: String,
        /// What it reads.
        reads: Topic,
        /// What was asked for.
        found: Topic,
    },
    /// The member never joined, has left, or was taken for dead.
    #[error("group `{group}` has no member {member}: join again")]
    UnknownMember {
        /// The group.
        group: String,
        /// Who asked.
        member: MemberId,
    },
    /// The group has rebalanced since.
    #[error("group `{group}`: generation {found} is over, it is {current}: take the new assignment")]
    OldGeneration {
        /// The group.
        group: String,
        /// What the commit names.
        found: u64,
        /// What it is by now.
        current: u64,
    },
    /// The partition is another member's.
    #[error("group `{group}`: partition {partition} is not assigned to member {member}")]
    NotAssigned {
        /// The group.
        group: String,
        /// Who asked.
        member: MemberId,
        /// The partition.
        partition: i32,
    },
}
