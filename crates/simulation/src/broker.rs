//! Kafka's topics and consumer groups, in memory.
//!
//! No time and no chance of its own: when a session expires, or a write fails, is the caller's decision. Partitions are
//! append-only and nothing expires. A key's partition is its 64-bit xxh3 modulo the number of partitions; a record
//! without a key goes to partition 0.

use std::collections::BTreeMap;

use events::Topic;
use messaging::{Follows, Header, Outgoing};
use xxhash_rust::xxh3::xxh3_64;

use crate::group::Group;

pub use crate::group::{Assignment, MemberId};
pub use error::Error;

mod error; // what it refuses

/// A record as it stands in a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// What decides its partition.
    pub key: Option<Vec<u8>>,
    /// Its bytes; `None` for a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<Header>,
}

impl Stored {
    /// A record as a host writes it.
    pub fn of(record: &Outgoing, follows: Follows<'_>) -> Self {
        let add = |mut list: Vec<Header>, name: &str, value: &[u8]| {
            list.push((name.to_owned(), Some(value.to_vec())));
            list
        };
        let headers = record.fold_headers(&follows, Vec::new(), add);
        Self { key: Some(record.key.clone()), value: Some(record.value.clone()), headers }
    }
}

/// A place in a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The topic.
    pub topic: Topic,
    /// The partition within it.
    pub partition: i32,
    /// The position within the partition.
    pub offset: i64,
}

/// Topics with their records, and groups with their offsets.
#[derive(Debug, Default)]
pub struct Broker {
    topics: BTreeMap<Topic, Vec<Vec<Stored>>>,
    groups: BTreeMap<String, Group>,
}

impl Broker {
    /// A broker without topics.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates an empty topic.
    ///
    /// # Errors
    /// Where it exists, or would have no partition.
    pub fn create_topic(&mut self, topic: Topic, partitions: usize) -> Result<(), Error> {
        if partitions == 0 {
            return Err(Error::NoPartitions(topic));
        }
        if self.topics.contains_key(&topic) {
            return Err(Error::TopicExists(topic));
        }
        self.topics.insert(topic, vec![Vec::new(); partitions]);
        Ok(())
    }

    /// Every topic with its number of partitions, by name.
    pub fn topics(&self) -> impl Iterator<Item = (Topic, usize)> {
        self.topics.iter().map(|(&topic, logs)| (topic, logs.len()))
    }

    /// The partition of a key.
    ///
    /// # Errors
    /// Where the topic is unknown.
    pub fn partition_of(&self, topic: Topic, key: Option<&[u8]>) -> Result<i32, Error> {
        let partitions = self.topics.get(&topic).ok_or(Error::UnknownTopic(topic))?.len() as u64;
        Ok(key.map_or(0, |key| (xxh3_64(key) % partitions) as i32))
    }

    /// Appends a record to the partition of its key, and answers with its place.
    ///
    /// # Errors
    /// Where the topic is unknown.
    pub fn produce(&mut self, topic: Topic, record: Stored) -> Result<Place, Error> {
        let partition = self.partition_of(topic, record.key.as_deref())?;
        let logs = self.topics.get_mut(&topic).ok_or(Error::UnknownTopic(topic))?;
        let log = &mut logs[partition as usize];
        log.push(record);
        Ok(Place { topic, partition, offset: log.len() as i64 - 1 })
    }

    /// Up to `max_records` records from `offset` on; none at the partition's end.
    ///
    /// # Errors
    /// Where topic or partition are unknown, or the offset lies outside the partition.
    pub fn fetch(&self, topic: Topic, partition: i32, offset: i64, max_records: usize) -> Result<&[Stored], Error> {
        let log = self.log(topic, partition)?;
        let out_of_range = || Error::OffsetOutOfRange { topic, partition, offset, end: log.len() as i64 };
        let start = usize::try_from(offset).ok().filter(|&start| start <= log.len()).ok_or_else(out_of_range)?;
        Ok(&log[start..log.len().min(start.saturating_add(max_records))])
    }

    /// The offset of the next record; the first is 0 for good.
    ///
    /// # Errors
    /// Where topic or partition are unknown.
    pub fn end_offset(&self, topic: Topic, partition: i32) -> Result<i64, Error> {
        self.log(topic, partition).map(|log| log.len() as i64)
    }

    /// Adds a member to a group, which the first one creates; the group rebalances, also where the member was in it.
    ///
    /// # Errors
    /// Where the topic is unknown, or the group reads another.
    pub fn join(&mut self, group: &str, topic: Topic, member: MemberId) -> Result<Assignment, Error> {
        let partitions = self.topics.get(&topic).ok_or(Error::UnknownTopic(topic))?.len();
        let state = self.groups.entry(group.to_owned()).or_insert_with(|| Group::new(topic, partitions));
        if state.topic() != topic {
            return Err(Error::OtherTopic { group: group.to_owned(), reads: state.topic(), found: topic });
        }
        state.join(member);
        self.assignment(group, member)
    }

    /// Takes a member out of a group, because it says so or is taken for dead; its partitions go to the others.
    ///
    /// # Errors
    /// Where the group or the member is unknown.
    pub fn leave(&mut self, group: &str, member: MemberId) -> Result<(), Error> {
        let is_gone = self.group_mut(group)?.leave(member);
        if is_gone { Ok(()) } else { Err(Error::UnknownMember { group: group.to_owned(), member }) }
    }

    /// What a member is to read now.
    ///
    /// # Errors
    /// Where the group or the member is unknown.
    pub fn assignment(&self, group: &str, member: MemberId) -> Result<Assignment, Error> {
        let state = self.group(group)?;
        let unknown = || Error::UnknownMember { group: group.to_owned(), member };
        state.assignment(member).ok_or_else(unknown)
    }

    /// Commits that everything before `offset` is done.
    ///
    /// # Errors
    /// Where group, member or partition are unknown, the generation is over, or the partition is another member's.
    pub fn commit(
        &mut self,
        group: &str,
        (member, generation): (MemberId, u64),
        partition: i32,
        offset: i64,
    ) -> Result<(), Error> {
        let Assignment { generation: current, partitions } = self.assignment(group, member)?;
        if generation != current {
            return Err(Error::OldGeneration { group: group.to_owned(), found: generation, current });
        }
        if !partitions.contains(&partition) {
            return Err(Error::NotAssigned { group: group.to_owned(), member, partition });
        }
        self.group_mut(group)?.commit(partition, offset);
        Ok(())
    }

    /// What a group has committed; `None` where it never did.
    ///
    /// # Errors
    /// Where the group is unknown.
    pub fn committed(&self, group: &str, partition: i32) -> Result<Option<i64>, Error> {
        self.group(group).map(|state| state.committed(partition))
    }

    /// Counts that a record is handed to a member of the group; answers how often it was, this time included.
    ///
    /// # Errors
    /// Where the group is unknown.
    pub fn deliver(&mut self, group: &str, partition: i32, offset: i64) -> Result<u32, Error> {
        self.group_mut(group).map(|state| state.deliver(partition, offset))
    }

    /// How many deliveries to the group were not the first of their record.
    ///
    /// # Errors
    /// Where the group is unknown.
    pub fn redeliveries(&self, group: &str) -> Result<u64, Error> {
        self.group(group).map(Group::redeliveries)
    }

    fn log(&self, topic: Topic, partition: i32) -> Result<&Vec<Stored>, Error> {
        let logs = self.topics.get(&topic).ok_or(Error::UnknownTopic(topic))?;
        let unknown = || Error::UnknownPartition { topic, partition, partitions: logs.len() };
        usize::try_from(partition).ok().and_then(|index| logs.get(index)).ok_or_else(unknown)
    }

    fn group(&self, group: &str) -> Result<&Group, Error> {
        self.groups.get(group).ok_or_else(|| Error::UnknownGroup(group.to_owned()))
    }

    fn group_mut(&mut self, group: &str) -> Result<&mut Group, Error> {
        self.groups.get_mut(group).ok_or_else(|| Error::UnknownGroup(group.to_owned()))
    }
}

#[cfg(test)]
mod tests;
