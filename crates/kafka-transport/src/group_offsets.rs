use events::Topic;

use crate::questions::Questions;
use crate::{Connection, Error};

/// How far a consumer group is, asked without being its member.
pub struct GroupOffsets {
    group: String,
    questions: Questions,
}

impl GroupOffsets {
    /// Of this group, whether it exists or not.
    ///
    /// # Errors
    /// Where the brokers refuse us or do not answer within ten seconds.
    pub fn connect(connection: &Connection, group: &str) -> Result<Self, Error> {
        Ok(Self { group: group.to_owned(), questions: Questions::connect(connection, Some(group))? })
    }

    /// What it has committed of the first so many partitions of a topic, in their order; `None` where it has not.
    ///
    /// # Errors
    /// Where we may not ask, or the brokers do not answer within ten seconds.
    pub fn committed(&self, topic: Topic, partitions: i32) -> Result<Vec<Option<i64>>, Error> {
        self.questions.committed(&self.group, topic, partitions)
    }
}
