//! One member of a consumer group: what a host keeps beside its worker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use events::Topic;
use messaging::{BatchId, Effect, Subscription, Worker};

use crate::broker::{Assignment, MemberId};
use crate::clock::MachineClock;
use crate::step::Step;

/// How many batches a member has open at once.
const MAX_OPEN_BATCHES: usize = 4;

pub(crate) struct Member {
    /// Its group, by index.
    pub(crate) consumer: usize,
    /// Its number within the group.
    pub(crate) id: MemberId,
    pub(crate) clock: Arc<MachineClock>,
    pub(crate) cut_off_until_ms: u64,
    pub(crate) slow_until_ms: u64,
    /// How often it died: what belongs to an earlier life does not reach it.
    pub(crate) life: u32,
    /// How often it joined its group.
    pub(crate) joins: u32,
    /// When its next turn is due: an earlier call replaces a later one.
    pub(crate) turn_at_ms: Option<u64>,
    /// `None` while it is down.
    pub(crate) process: Option<Process>,
    /// When the last request for a partition arrives: a later one never overtakes it.
    pub(crate) last_arrival_ms: BTreeMap<(Topic, i32), u64>,
}

/// What dies with a member.
pub(crate) struct Process {
    pub(crate) worker: Worker<Step>,
    pub(crate) generation: Option<u64>,
    /// The next offset to fetch of each assigned partition.
    pub(crate) positions: BTreeMap<i32, i64>,
    pub(crate) paused: BTreeSet<i32>,
    /// What was fetched and is not handled yet.
    pub(crate) fetched: Vec<Fetched>,
    pub(crate) handles_until_ms: u64,
    pub(crate) open: BTreeMap<BatchId, Open>,
    pub(crate) uncommitted: BTreeMap<i32, i64>,
    pub(crate) is_committing: bool,
    pub(crate) commits_at_ms: u64,
}

/// A record in a member's hands.
#[derive(Clone, Copy)]
pub(crate) struct Fetched {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) deliveries: u32,
}

/// A batch whose writes are on their way.
pub(crate) struct Open {
    pub(crate) unanswered: usize,
    pub(crate) failure: Option<&'static str>,
}

impl Member {
    pub(crate) fn new(consumer: usize, id: MemberId) -> Self {
        Self {
            consumer,
            id,
            clock: Arc::default(),
            cut_off_until_ms: 0,
            slow_until_ms: 0,
            life: 0,
            joins: 0,
            turn_at_ms: None,
            process: None,
            last_arrival_ms: BTreeMap::new(),
        }
    }

    /// Whether the broker hears nothing from it.
    pub(crate) fn is_silent(&self, now_ms: u64) -> bool {
        let is_busy = |process: &Process| now_ms < process.handles_until_ms;
        now_ms < self.cut_off_until_ms || self.process.as_ref().is_none_or(is_busy)
    }

    /// Its process, if it is still the one of that life.
    pub(crate) fn living(&mut self, life: u32) -> Option<&mut Process> {
        self.process.as_mut().filter(|_| self.life == life)
    }
}

impl Process {
    pub(crate) fn new(subscription: Subscription, step: Step, clock: Arc<MachineClock>) -> Self {
        Self {
            worker: Worker::new(subscription, step, clock, MAX_OPEN_BATCHES),
            generation: None,
            positions: BTreeMap::new(),
            paused: BTreeSet::new(),
            fetched: Vec::new(),
            handles_until_ms: 0,
            open: BTreeMap::new(),
            uncommitted: BTreeMap::new(),
            is_committing: false,
            commits_at_ms: 0,
        }
    }

    /// Gives up what it reads and begins where the group has committed.
    pub(crate) fn take(&mut self, assignment: &Assignment, committed: impl Fn(i32) -> i64) {
        for &partition in self.positions.keys() {
            self.worker.revoke(partition);
        }
        self.paused.clear();
        self.uncommitted.clear();
        self.generation = Some(assignment.generation);
        self.positions = assignment.partitions.iter().map(|&partition| (partition, committed(partition))).collect();
    }

    /// Carries out the effects that concern its partitions.
    pub(crate) fn apply(&mut self, effect: &Effect) {
        match *effect {
            Effect::Store { partition, offset } => {
                self.uncommitted.insert(partition, offset);
            }
            Effect::Pause { partition } => {
                self.paused.insert(partition);
            }
            Effect::Resume { partition, from } => {
                self.paused.remove(&partition);
                self.positions.insert(partition, from);
            }
            Effect::Answered { .. } | Effect::Produce { .. } | Effect::DeadLetter { .. } | Effect::Stuck { .. } => {}
        }
    }

    /// Notes an answer to one of a batch's requests, and settles the batch with the last one. A failure may settle it at
    /// once. Whether it is settled now.
    pub(crate) fn answer(&mut self, batch: BatchId, failure: Option<&'static str>, is_hasty: bool) -> bool {
        let Some(open) = self.open.get_mut(&batch) else { return false };
        open.unanswered -= 1;
        open.failure = open.failure.or(failure);
        if open.unanswered > 0 && !(is_hasty && open.failure.is_some()) {
            return false;
        }
        let result = open.failure.map_or(Ok(()), |reason| Err(reason.to_owned()));
        self.open.remove(&batch);
        self.settle(batch, result);
        true
    }

    pub(crate) fn settle(&mut self, batch: BatchId, result: Result<(), String>) {
        let mut effects = Vec::new();
        self.worker.settle(batch, result, &mut effects);
        effects.iter().for_each(|effect| self.apply(effect));
    }

    /// Looks at the clock: partitions that waited long enough are fetched again.
    pub(crate) fn tick(&mut self) {
        let mut effects = Vec::new();
        self.worker.tick(&mut effects);
        effects.iter().for_each(|effect| self.apply(effect));
    }

    /// Whether it has nothing to do but to wait for records.
    pub(crate) fn is_idle(&self) -> bool {
        !self.worker.has_timers()
            && self.worker.is_idle()
            && self.fetched.is_empty()
            && self.uncommitted.is_empty()
            && !self.is_committing
    }
}
