//! Planted bugs: proof that the audit can fail.

use crate::random::Random;

/// A bug to plant, in the broker, in a host or in a handler. Never part of a simulation that is to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Members commit a batch when they receive it: a crash before its writes loses it.
    CommitBeforeProduce,
    /// The broker acknowledges a record and forgets it.
    DropRecord,
    /// The broker writes a record twice, the second time with other bytes.
    DoubleRecord,
    /// Handlers write the time into their records: a redelivery gives other bytes.
    ClockInPayload,
    /// The broker acknowledges a dead letter and forgets it. Shows only with [`crate::Fault::Corruption`].
    LoseDeadLetter,
    /// The broker forgets a dead letter's key. Shows only with [`crate::Fault::Corruption`].
    AlterDeadLetter,
    /// A group's fetch position jumps over a record.
    SkipRecord,
}

/// Which bug is planted, and when it strikes.
pub(crate) struct Saboteur {
    planted: Option<Sabotage>,
    /// Opportunities that pass before the one that is taken.
    passes: u64,
}

impl Saboteur {
    /// Strikes at one of the first opportunities: a run offers as many as it has orders, dead letters far fewer.
    pub(crate) fn new(planted: Option<Sabotage>, orders: usize, random: &mut Random) -> Self {
        let passes = match planted {
            Some(Sabotage::LoseDeadLetter | Sabotage::AlterDeadLetter) => 0,
            _ => random.below(orders as u64),
        };
        Self { planted, passes }
    }

    pub(crate) fn is(&self, sabotage: Sabotage) -> bool {
        self.planted == Some(sabotage)
    }

    /// Whether to strike now: once in a run.
    pub(crate) fn strikes(&mut self, sabotage: Sabotage) -> bool {
        if !self.is(sabotage) {
            return false;
        }
        if self.passes > 0 {
            self.passes -= 1;
            return false;
        }
        self.planted = None;
        true
    }
}
