//! A consumer group on one topic: who reads what, and how far they are.

use std::collections::BTreeSet;

use events::Topic;

/// A member of a group, by a number that its caller chooses.
pub type MemberId = u32;

/// What a member is to read, from its group's rebalance until the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The number of the rebalance: a commit that names an earlier one is refused.
    pub generation: u64,
    /// The partitions of the group's topic.
    pub partitions: Vec<i32>,
}

#[derive(Debug)]
pub(crate) struct Group {
    topic: Topic,
    generation: u64,
    members: BTreeSet<MemberId>,
    partitions: Vec<Progress>,
    redeliveries: u64,
}

/// How far a group is with a partition.
#[derive(Clone, Debug, Default)]
struct Progress {
    committed: Option<i64>,
    /// By offset: how often the record was handed to a member.
    deliveries: Vec<u32>,
}

impl Group {
    pub(crate) fn new(topic: Topic, partitions: usize) -> Self {
        let partitions = vec![Progress::default(); partitions];
        Self { topic, generation: 0, members: BTreeSet::new(), partitions, redeliveries: 0 }
    }

    pub(crate) fn topic(&self) -> Topic {
        self.topic
    }

    pub(crate) fn join(&mut self, member: MemberId) {
        self.members.insert(member);
        self.generation += 1;
    }

    /// Whether the member was there.
    pub(crate) fn leave(&mut self, member: MemberId) -> bool {
        let is_gone = self.members.remove(&member);
        self.generation += u64::from(is_gone);
        is_gone
    }

    /// Partitions are dealt to the members in turn.
    pub(crate) fn assignment(&self, member: MemberId) -> Option<Assignment> {
        let position = self.members.iter().position(|&other| other == member)?;
        let partitions = (position..self.partitions.len()).step_by(self.members.len());
        Some(Assignment { generation: self.generation, partitions: partitions.map(|index| index as i32).collect() })
    }

    pub(crate) fn commit(&mut self, partition: i32, offset: i64) {
        if let Some(progress) = self.partitions.get_mut(partition as usize) {
            progress.committed = Some(offset);
        }
    }

    pub(crate) fn committed(&self, partition: i32) -> Option<i64> {
        self.partitions.get(partition as usize)?.committed
    }

    pub(crate) fn deliver(&mut self, partition: i32, offset: i64) -> u32 {
        let Some(progress) = self.partitions.get_mut(partition as usize) else { return 1 };
        let index = offset as usize;
        if progress.deliveries.len() <= index {
            progress.deliveries.resize(index + 1, 0);
        }
        progress.deliveries[index] += 1;
        self.redeliveries += u64::from(progress.deliveries[index] > 1);
        progress.deliveries[index]
    }

    pub(crate) fn redeliveries(&self) -> u64 {
        self.redeliveries
    }
}
