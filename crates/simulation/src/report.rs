use std::collections::BTreeMap;
use std::fmt;

use messaging::audit::{Marks, Verdict};

use crate::faults::{CrashPoint, Fault};
use crate::incident::{Log, Names};

/// What a run came to. Equal for equal seed, faults, system and orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The seed that replays it.
    pub seed: u64,
    /// What the audit found.
    pub verdict: Verdict,
    /// What became of the orders: how many have which marks.
    pub tally: BTreeMap<Marks, u64>,
    /// Dead letters whose key, value or headers are not those of the record that they name.
    pub altered_dead_letters: u64,
    /// Deliveries to a group that were not the first of their record.
    pub redeliveries: u64,
    /// Commits that the broker refused because the group had moved on.
    pub refused_commits: u64,
    /// How often each kind of fault struck; a kind that never did is not in it.
    pub faults: BTreeMap<Fault, u64>,
    /// How often a member died where; a point at which none did is not in it.
    pub crashes: BTreeMap<CrashPoint, u64>,
    /// Set where something did not come to its end in time.
    pub stuck: Option<Stuck>,
    /// How long the run took, in virtual milliseconds.
    pub virtual_ms: u64,
    pub(crate) log: Log,
    pub(crate) names: Names,
}

/// Something did not come to its end in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// How long after the last fault, in virtual milliseconds.
    pub after_ms: u64,
    /// Records that their group has not committed.
    pub lag: u64,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stuck: {} records are not committed {} ms after the last fault", self.lag, self.after_ms)
    }
}

impl Report {
    /// Whether every accepted order came to exactly one end in time, and every dead letter is a true copy.
    pub fn passed(&self) -> bool {
        self.verdict.passed() && self.stuck.is_none() && self.altered_dead_letters == 0
    }

    /// The faults in their order, one line each: the last 200, and how many came before.
    pub fn log(&self) -> Vec<String> {
        self.log.lines(&self.names)
    }
}

/// The verdict, and what it does not say.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "schedule {}: {}", self.seed, self.verdict)?;
        if let Some(stuck) = self.stuck {
            write!(f, "\n  {stuck}")?;
        }
        if self.altered_dead_letters > 0 {
            write!(f, "\n  {} dead letters differ from their records", self.altered_dead_letters)?;
        }
        Ok(())
    }
}
