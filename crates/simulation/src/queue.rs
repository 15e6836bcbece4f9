//! What happens next, in virtual time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use events::Topic;
use messaging::BatchId;

use crate::broker::Stored;
use crate::faults::Fault;
use crate::incident::Party;

/// Something that is about to happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// The source sends an order, for the first time or again.
    Send { order: usize },
    /// A member's next turn: look around, fetch.
    Turn { member: usize },
    /// A member handles what it fetched.
    Handle { member: usize, life: u32 },
    /// Records reach the broker.
    Arrive(Box<Request>),
    /// The broker's answer to a request reaches its sender.
    Answer { sender: Sender, is_written: bool },
    /// A commit reaches the broker.
    Commit(Box<Commit>),
    /// A member that died starts again.
    Restart { member: usize, life: u32 },
    /// The broker has not heard of a member for the session's length, unless it joined again since.
    Expire { member: usize, joins: u32 },
    /// A fault that lasts begins, or hits.
    Strike(Fault),
    /// No fault from here on.
    Calm,
    /// Look whether everything has come to its end.
    Check,
}

/// Whose request an answer belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sender {
    Source {
        order: usize,
    },
    Member {
        member: usize,
        life: u32,
        batch: BatchId,
    },
    /// A member, without a batch: nobody waits for the answer.
    Timer {
        member: usize,
    },
}

impl Sender {
    pub(crate) const fn party(self) -> Party {
        match self {
            Self::Source { .. } => Party::Source,
            Self::Member { member, .. } | Self::Timer { member } => Party::Member(member),
        }
    }
}

/// Records for one partition, on their way to the broker.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) sender: Sender,
    pub(crate) topic: Topic,
    pub(crate) partition: i32,
    pub(crate) records: Vec<Stored>,
}

/// Offsets on their way to the broker.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) member: usize,
    pub(crate) life: u32,
    pub(crate) generation: u64,
    pub(crate) offsets: BTreeMap<i32, i64>,
}

/// Events in the order of their time; of one moment, in the order in which they were put in.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    pushed: u64,
}

#[derive(Debug)]
struct Entry {
    at_ms: u64,
    number: u64,
    event: Event,
}

impl Queue {
    pub(crate) fn push(&mut self, at_ms: u64, event: Event) {
        self.heap.push(Reverse(Entry { at_ms, number: self.pushed, event }));
        self.pushed += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<(u64, Event)> {
        self.heap.pop().map(|Reverse(entry)| (entry.at_ms, entry.event))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ms, self.number).cmp(&(other.at_ms, other.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_those_of_one_moment_as_they_were_put_in() {
        let mut queue = Queue::default();
        for (at_ms, order) in [(5, 0), (3, 1), (5, 2), (3, 3)] {
            queue.push(at_ms, Event::Send { order });
        }
        let orders: Vec<usize> = std::iter::from_fn(|| queue.pop())
            .map(|(_, event)| match event {
                Event::Send { order } => order,
                other => panic!("found {other:?}"),
            })
            .collect();
        assert_eq!(orders, [1, 3, 0, 2]);
    }
}
