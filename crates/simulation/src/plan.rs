use std::ops::RangeInclusive;

use crate::faults::{Fault, Faults};
use crate::random::Random;

/// How often each fault strikes under one seed, and until when.
///
/// Each seed draws for each kind whether it is off, usual or frequent: a run in which everything happens at once seldom
/// reaches what a run with two frequent faults finds.
pub(crate) struct Plan {
    random: Random,
    weights: [u32; Fault::ALL.len()],
    is_calm: bool,
}

/// Out of how many opportunities the rates below are counted.
const OPPORTUNITIES: u64 = 10_000;

/// What a fault counts by.
enum Pace {
    /// So many of 10,000 opportunities.
    Rate(u64),
    /// Every so many milliseconds.
    Every(u64),
}

const fn pace(fault: Fault) -> Pace {
    match fault {
        Fault::Crash => Pace::Rate(60),
        Fault::Duplicate => Pace::Rate(300),
        Fault::Reorder => Pace::Rate(1_000),
        Fault::ProduceFailure | Fault::AckLoss => Pace::Rate(150),
        Fault::CommitFailure => Pace::Rate(800),
        Fault::Corruption => Pace::Rate(25),
        Fault::StoreFailure => Pace::Rate(200),
        Fault::ClockJump => Pace::Every(3_000),
        Fault::Slow | Fault::Transient => Pace::Every(5_000),
        Fault::Partition => Pace::Every(6_000),
        Fault::Dead => Pace::Every(15_000),
    }
}

impl Plan {
    pub(crate) fn new(faults: Faults, mut random: Random) -> Self {
        let weights = Fault::ALL.map(|fault| {
            let weight = random.one_of([0, 1, 1, 3]);
            if faults.contains(fault) { weight } else { 0 }
        });
        Self { random, weights, is_calm: weights == [0; Fault::ALL.len()] }
    }

    /// From here on nothing goes wrong.
    pub(crate) fn calm(&mut self) {
        self.is_calm = true;
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.is_calm
    }

    /// Whether a fault strikes at this opportunity.
    pub(crate) fn strikes(&mut self, fault: Fault) -> bool {
        let Pace::Rate(rate) = pace(fault) else { return false };
        let rate = rate * u64::from(self.weights[fault as usize]);
        !self.is_calm && rate > 0 && self.random.below(OPPORTUNITIES) < rate
    }

    /// How long until a lasting fault strikes next; `None` where it does not.
    pub(crate) fn wait_ms(&mut self, fault: Fault) -> Option<u64> {
        let Pace::Every(mean_ms) = pace(fault) else { return None };
        let weight = u64::from(self.weights[fault as usize]);
        (!self.is_calm && weight > 0).then(|| 1 + self.random.below(2 * mean_ms / weight))
    }

    /// What a fault is like: how long, how far, at which record.
    pub(crate) fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// A fault's length in milliseconds.
    pub(crate) fn length_ms(&mut self, range: RangeInclusive<u64>) -> u64 {
        self.random.within(range)
    }
}
