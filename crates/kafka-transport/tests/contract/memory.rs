use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};

use events::Topic;
use events::shop::OrderPlaced;
use messaging::audit::Verdict;
use simulation::broker::{self, Assignment, MemberId, Place, Stored};

use crate::broker::{Broker, Capability, End, Member, Refusal};
use crate::shop;

/// The simulation's broker. When a member is taken for dead is its host's decision: here at once.
pub(crate) struct Memory {
    broker: Mutex<broker::Broker>,
    members: AtomicU32,
}

impl Memory {
    pub(crate) fn with(topics: impl IntoIterator<Item = (Topic, i32)>) -> Self {
        let mut broker = broker::Broker::new();
        for (topic, partitions) in topics {
            broker.create_topic(topic, partitions as usize).unwrap();
        }
        Self { broker: Mutex::new(broker), members: AtomicU32::new(0) }
    }

    fn broker(&self) -> MutexGuard<'_, broker::Broker> {
        self.broker.lock().unwrap()
    }
}

impl Broker for Memory {
    fn name(&self) -> &'static str {
        "the broker in memory"
    }

    fn capabilities(&self) -> &'static [Capability] {
        &[Capability::Creation]
    }

    fn create(&self, topic: Topic, partitions: usize) -> Result<(), Refusal> {
        self.broker().create_topic(topic, partitions).map_err(refusal)
    }

    fn partitions(&self, topic: Topic) -> Option<usize> {
        self.broker().topics().find(|(known, _)| *known == topic).map(|(_, partitions)| partitions)
    }

    fn write(&self, topic: Topic, records: &[Stored]) -> Vec<Result<Place, Refusal>> {
        records.iter().map(|record| self.broker().produce(topic, record.clone()).map_err(refusal)).collect()
    }

    fn read(&self, topic: Topic, partition: i32, from: i64) -> Vec<Stored> {
        self.broker().fetch(topic, partition, from, usize::MAX).unwrap().to_vec()
    }

    fn join(&self, group: &str, topic: Topic, _: End) -> Box<dyn Member + '_> {
        let id = self.members.fetch_add(1, Ordering::Relaxed);
        let assignment = self.broker().join(group, topic, id).unwrap();
        let group = group.to_owned();
        Box::new(MemberInMemory { memory: self, group, topic, id, assignment, next: BTreeMap::new(), seen: Vec::new() })
    }

    fn committed(&self, group: &str, _: Topic, partition: i32) -> Option<i64> {
        self.broker().committed(group, partition).unwrap()
    }

    fn audit(&self, orders: &[OrderPlaced]) -> Verdict {
        shop::simulated(orders)
    }
}

struct MemberInMemory<'a> {
    memory: &'a Memory,
    group: String,
    topic: Topic,
    id: MemberId,
    assignment: Assignment,
    /// Where it reads on, for each of its partitions.
    next: BTreeMap<i32, i64>,
    seen: Vec<(i32, i64)>,
}

impl Member for MemberInMemory<'_> {
    fn turn(&mut self) -> Vec<i32> {
        let broker = self.memory.broker();
        self.assignment = broker.assignment(&self.group, self.id).unwrap();
        let partitions = self.assignment.partitions.clone();
        self.next.retain(|partition, _| partitions.contains(partition));
        for &partition in &partitions {
            let begin = broker.committed(&self.group, partition).unwrap().unwrap_or(0);
            let next = self.next.entry(partition).or_insert(begin);
            let end = broker.end_offset(self.topic, partition).unwrap();
            self.seen.extend((*next..end).map(|offset| (partition, offset)));
            *next = end;
        }
        partitions
    }

    fn seen(&self) -> &[(i32, i64)] {
        &self.seen
    }

    fn commit(&mut self, partition: i32, offset: i64) -> Result<(), Refusal> {
        let member = (self.id, self.assignment.generation);
        self.memory.broker().commit(&self.group, member, partition, offset).map_err(refusal)
    }

    fn end(self: Box<Self>) {
        self.memory.broker().leave(&self.group, self.id).unwrap();
    }
}

fn refusal(error: broker::Error) -> Refusal {
    match error {
        broker::Error::UnknownTopic(_) => Refusal::UnknownTopic,
        broker::Error::TopicExists(_) => Refusal::TopicExists,
        broker::Error::UnknownMember { .. } | broker::Error::OldGeneration { .. } => Refusal::LateMember,
        other => panic!("{other}"),
    }
}
