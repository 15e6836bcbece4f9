//! What went wrong in a run, kept as values and put into words only when somebody asks.

use std::collections::VecDeque;

use events::Topic;

use crate::broker::Place;
use crate::corruption::Corruption;
use crate::faults::{CrashPoint, Fault};

/// Who speaks to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    /// What publishes the orders.
    Source,
    /// A member, by its index among all members of the run.
    Member(usize),
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Incident {
    Crash { member: usize, point: CrashPoint },
    Duplicate { member: usize, records: usize },
    Overtaken { party: Party, delay_ms: u64 },
    Interleaved { member: usize },
    ProduceFailure { party: Party, topic: Topic, partition: i32, refused: usize },
    AckLoss { party: Party, topic: Topic, partition: i32, written: usize },
    CommitFailure { member: usize },
    Slow { member: usize, for_ms: u64 },
    Dead { consumer: usize, for_ms: u64 },
    Partition { party: Party, for_ms: u64 },
    ClockJump { member: usize, by_ms: i64 },
    Transient { consumer: usize, for_ms: u64 },
    Corruption { place: Place, how: Corruption },
    StoreFailure { member: usize, takes_effect: bool },
}

impl Incident {
    pub(crate) const fn fault(self) -> Fault {
        match self {
            Self::Crash { .. } => Fault::Crash,
            Self::Duplicate { .. } => Fault::Duplicate,
            Self::Overtaken { .. } | Self::Interleaved { .. } => Fault::Reorder,
            Self::ProduceFailure { .. } => Fault::ProduceFailure,
            Self::AckLoss { .. } => Fault::AckLoss,
            Self::CommitFailure { .. } => Fault::CommitFailure,
            Self::Slow { .. } => Fault::Slow,
            Self::Dead { .. } => Fault::Dead,
            Self::Partition { .. } => Fault::Partition,
            Self::ClockJump { .. } => Fault::ClockJump,
            Self::Transient { .. } => Fault::Transient,
            Self::Corruption { .. } => Fault::Corruption,
            Self::StoreFailure { .. } => Fault::StoreFailure,
        }
    }
}

/// Who is who, for the log's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) members: Vec<String>,
    pub(crate) services: Vec<String>,
    pub(crate) groups: Vec<String>,
}

impl Names {
    fn party(&self, party: Party) -> &str {
        match party {
            Party::Source => "the source",
            Party::Member(member) => &self.members[member],
        }
    }

    fn tell(&self, at_ms: u64, incident: Incident) -> String {
        let told = match incident {
            Incident::Crash { member, point } => format!("{} crashes {point}", self.members[member]),
            Incident::Duplicate { member, records } => {
                format!("{} gets a batch of {} again", self.members[member], self::records(records))
            }
            Incident::Interleaved { member } => format!("{} fetches its partitions interleaved", self.members[member]),
            Incident::Overtaken { party, delay_ms } => {
                format!("{}: other partitions overtake a request by {delay_ms} ms", self.party(party))
            }
            Incident::ProduceFailure { party, topic, partition, refused } => {
                format!("{}: the broker refuses {} for {topic}-{partition}", self.party(party), records(refused))
            }
            Incident::AckLoss { party, topic, partition, written } => {
                let (party, records) = (self.party(party), records(written));
                format!("{party}: the acknowledgement of {records} in {topic}-{partition} is lost")
            }
            Incident::CommitFailure { member } => format!("{}: its commit fails", self.members[member]),
            Incident::Slow { member, for_ms } => format!("{} is slow for {for_ms} ms", self.members[member]),
            Incident::Dead { consumer, for_ms } => {
                format!("all of {} is down for {for_ms} ms", self.services[consumer])
            }
            Incident::Partition { party, for_ms } => {
                format!("{} is cut off from the broker for {for_ms} ms", self.party(party))
            }
            Incident::ClockJump { member, by_ms } => {
                format!("{}: its clock jumps by {by_ms:+} ms", self.members[member])
            }
            Incident::Transient { consumer, for_ms } => {
                format!("what {} needs is away for {for_ms} ms", self.groups[consumer])
            }
            Incident::Corruption { place: Place { topic, partition, offset }, how } => {
                format!("{topic}-{partition}@{offset} is corrupted: {how}")
            }
            Incident::StoreFailure { member, takes_effect } => {
                let when = if takes_effect { "after" } else { "before" };
                format!("{}: its store fails, {when} a write took effect", self.members[member])
            }
        };
        format!("t={at_ms} ms: {told}")
    }
}

fn records(count: usize) -> String {
    format!("{count} {}", if count == 1 { "record" } else { "records" })
}

/// The last faults of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    entries: VecDeque<(u64, Incident)>,
    left_out: u64,
}

impl Log {
    /// How many faults are remembered: what led to a failure is among the last ones.
    const MAX_ENTRIES: usize = 200;

    pub(crate) fn push(&mut self, at_ms: u64, incident: Incident) {
        if self.entries.len() == Self::MAX_ENTRIES {
            self.entries.pop_front();
            self.left_out += 1;
        }
        self.entries.push_back((at_ms, incident));
    }

    pub(crate) fn lines(&self, names: &Names) -> Vec<String> {
        let left_out = (self.left_out > 0).then(|| format!("({} earlier faults left out)", self.left_out));
        left_out.into_iter().chain(self.entries.iter().map(|&(at_ms, incident)| names.tell(at_ms, incident))).collect()
    }
}

#[cfg(test)]
mod tests;
