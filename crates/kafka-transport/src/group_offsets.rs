//! How far a group has come, seen from outside.

use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};

use crate::reader::Reader;
use crate::{Connection, Error, Pace, settings};

/// The offsets that a group has committed. Whoever asks for them is no member of the group.
pub struct GroupOffsets {
    group: String,
    reader: Reader,
}

impl GroupOffsets {
    /// Of this group. Nobody is asked yet.
    ///
    /// # Errors
    /// Where the client cannot be made.
    pub fn of(connection: &Connection, group: &str) -> Result<Self, Error> {
        let reader = Reader::new(connection, &settings::consumer(connection, group, Pace::FULL))?;
        Ok(Self { group: group.to_owned(), reader })
    }

    /// The first offset of each partition that the group is not done with, by partition; `None` where it has committed none.
    ///
    /// # Errors
    /// Where no broker answers within 10 seconds, or the user may not `DESCRIBE` the group and the topic.
    pub fn committed(&self, topic: &str, partitions: u32) -> Result<Vec<Option<i64>>, Error> {
        let mut asked = TopicPartitionList::new();
        for partition in 0..partitions as i32 {
            asked.add_partition(topic, partition);
        }
        let resource = format!("group {} and topic {topic}", self.group);
        self.reader.ask("DESCRIBE", &resource, |client, wait| {
            let committed = client.committed_offsets(asked.clone(), wait)?;
            let elements = committed.elements();
            let offset = |partition: &TopicPartitionListElem<'_>| {
                partition.error().map(|()| match partition.offset() {
                    Offset::Offset(offset) => Some(offset),
                    _ => None,
                })
            };
            elements.iter().map(offset).collect()
        })
    }
}
