//! The at-least-once loop, without I/O.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use events::Envelope;

use crate::{BatchStep, Clock, DeadLetter, Draw, Due, Outcome, Outgoing, Record, Subscription};

/// The number of a batch, ascending in the order in which a worker took them in.
pub type BatchId = u64;

/// What a host has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Tell the log and the audit what became of the record at `index` of the batch just taken in.
    Answered {
        /// The record's place in the slice that the host handed in.
        index: usize,
        /// What became of it.
        answer: Answer,
    },
    /// Write a record that follows from the record at `index`.
    Produce {
        /// The batch whose delivery reports this one belongs to.
        batch: BatchId,
        /// The record's place in the slice that the host handed in; its header `run` is to be copied.
        index: usize,
        /// What to write.
        record: Outgoing,
    },
    /// Write a dead letter.
    DeadLetter {
        /// The batch whose delivery reports this one belongs to.
        batch: BatchId,
        /// What to write.
        dead_letter: DeadLetter,
    },
    /// Everything before `offset` is done: the group may commit it.
    Store {
        /// The partition.
        partition: i32,
        /// The offset of the next record to handle.
        offset: i64,
    },
    /// Fetch no more of this partition.
    Pause {
        /// The partition.
        partition: i32,
    },
    /// Fetch this partition again, beginning at `from`. Nothing fetched before may be handed in any more.
    Resume {
        /// The partition.
        partition: i32,
        /// The record that failed.
        from: i64,
    },
    /// Call somebody: a partition keeps failing. It goes on trying.
    Stuck {
        /// The partition.
        partition: i32,
        /// The record it fails at.
        offset: i64,
        /// Failures in a row.
        attempts: u32,
        /// Why the last one failed.
        reason: String,
    },
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Handled; what follows from it is being written.
    Handled,
    /// Given up for this reason; its dead letter is being written, where the group keeps them.
    Rejected(String),
    /// It comes again, for this reason.
    Retried(String),
}

/// Whether the loop spares what its partitions need: it is a circuit breaker by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// Every partition flows.
    Closed,
    /// A partition waits after a failure; nothing of it is tried.
    Open,
    /// The wait of a partition is over: it tries again.
    HalfOpen,
}

/// The at-least-once loop of one consumer group on one topic.
///
/// A host hands in batches ([`Worker::receive`]), carries out the effects in their order (those about records may go before those
/// about offsets and partitions), and reports each batch once all
/// its writes are confirmed or one has failed ([`Worker::settle`]). An offset is stored only when every batch up to it
/// is settled: a crash at any point costs a redelivery, never a record.
///
/// Limits: `max_open_batches` batches at once; the host asks [`Worker::has_capacity`] before it hands one in.
pub struct Worker<S> {
    subscription: Subscription,
    step: S,
    clock: Arc<dyn Clock>,
    max_open_batches: usize,
    next_batch: BatchId,
    open: VecDeque<OpenBatch>,
    partitions: BTreeMap<i32, Partition>,
}

struct OpenBatch {
    id: BatchId,
    is_settled: bool,
    spans: Vec<Span>,
}

/// The handled records of one partition within a batch: `first..end`.
struct Span {
    partition: i32,
    first: i64,
    end: i64,
}

#[derive(Default)]
struct Partition {
    /// Everything before this offset is stored.
    stored: i64,
    failing: Option<Failing>,
}

/// A partition that failed and has not got past the failure yet.
struct Failing {
    /// Where it tries again.
    offset: i64,
    /// The furthest record that failed: a batch further back may have failed since.
    furthest: i64,
    attempts: u32,
    /// Until when it waits; `None` once it tries again.
    waits: Option<Wait>,
}

struct Wait {
    since_ms: u64,
    until_ms: u64,
}

impl<S: BatchStep> Worker<S> {
    /// A worker that has read nothing yet.
    pub fn new(subscription: Subscription, step: S, clock: Arc<dyn Clock>, max_open_batches: usize) -> Self {
        Self {
            subscription,
            step,
            clock,
            max_open_batches,
            next_batch: 0,
            open: VecDeque::new(),
            partitions: BTreeMap::new(),
        }
    }

    /// Which group this is.
    pub fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// Which order a record is about, and which event, as the log names them.
    pub fn envelope(&self, record: &Record<'_>) -> Envelope {
        self.step.envelope(record)
    }

    /// What the log says of a handled record beyond its status.
    pub fn remark(&self, record: &Record<'_>) -> Option<String> {
        self.step.remark(record)
    }

    /// What is due without a record, and is to be written without a promise. A host asks at every turn.
    pub fn due(&mut self) -> Vec<Due> {
        self.step.due()
    }

    /// Whether the service waits for a time, however far off.
    pub fn has_timers(&self) -> bool {
        self.step.has_timers()
    }

    /// Whether another batch may be handed in; if not, the host settles open ones first.
    pub fn has_capacity(&self) -> bool {
        self.open.len() < self.max_open_batches
    }

    /// Whether no batch is open and no partition has a failure to get past. Records not fetched yet do not count.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty() && self.partitions.values().all(|partition| partition.failing.is_none())
    }

    /// The state of the partition that is worst off.
    pub fn breaker(&self) -> Breaker {
        if self.partitions.values().any(Partition::is_waiting) {
            Breaker::Open
        } else if self.partitions.values().any(|partition| partition.failing.is_some()) {
            Breaker::HalfOpen
        } else {
            Breaker::Closed
        }
    }

    /// Takes in a batch, and answers with its number and what to do. The records of a partition come in the order of
    /// their offsets; those of a partition that is paused are passed over, because they will be fetched again.
    pub fn receive(&mut self, batch: &[Record<'_>], effects: &mut Vec<Effect>) -> BatchId {
        let id = self.next_batch;
        self.next_batch += 1;
        let mut open = OpenBatch { id, is_settled: false, spans: Vec::new() };
        if self.partitions.values().any(Partition::is_waiting) {
            let kept: Vec<usize> = (0..batch.len()).filter(|&index| !self.is_waiting(batch[index].partition)).collect();
            let records: Vec<Record<'_>> = kept.iter().map(|&index| batch[index]).collect();
            self.answer(&mut open, &records, |index| kept[index], effects);
        } else {
            self.answer(&mut open, batch, |index| index, effects);
        }
        self.open.push_back(open);
        id
    }

    fn answer(
        &mut self,
        open: &mut OpenBatch,
        records: &[Record<'_>],
        index_of: impl Fn(usize) -> usize,
        effects: &mut Vec<Effect>,
    ) {
        if records.is_empty() {
            return;
        }
        let outcomes = self.step.process(records);
        // Should a step answer with fewer outcomes, the records without one come again instead of being lost.
        let unanswered = || Outcome::Retry("the step gave no outcome".into());
        let outcomes = outcomes.into_iter().chain(std::iter::repeat_with(unanswered));
        for (position, (record, outcome)) in records.iter().zip(outcomes).enumerate() {
            if self.is_waiting(record.partition) {
                continue; // behind a record of this batch that failed
            }
            let index = index_of(position);
            match outcome {
                Outcome::Done(outgoing) => {
                    open.cover(record);
                    effects.push(Effect::Answered { index, answer: Answer::Handled });
                    effects.extend(outgoing.into_iter().map(|record| Effect::Produce {
                        batch: open.id,
                        index,
                        record,
                    }));
                }
                Outcome::Reject(reason) => {
                    open.cover(record);
                    let dead_letter = DeadLetter::new(&self.subscription, record, &reason);
                    effects.push(Effect::Answered { index, answer: Answer::Rejected(reason) });
                    effects.extend(dead_letter.map(|dead_letter| Effect::DeadLetter { batch: open.id, dead_letter }));
                }
                Outcome::Retry(reason) => {
                    effects.push(Effect::Answered { index, answer: Answer::Retried(reason.clone()) });
                    self.fail(record.partition, record.offset, reason, effects);
                }
            }
        }
    }

    /// Reports a batch: all its writes are confirmed, or one of them failed for a reason. A failed batch comes again.
    pub fn settle(&mut self, batch: BatchId, result: Result<(), String>, effects: &mut Vec<Effect>) {
        let Some(position) = self.open.iter().position(|open| open.id == batch) else { return };
        if let Err(reason) = result {
            let failed: Vec<(i32, i64)> =
                self.open[position].spans.iter().map(|span| (span.partition, span.first)).collect();
            for (partition, first) in failed {
                self.fail(partition, first, reason.clone(), effects);
            }
        }
        self.open[position].is_settled = true;
        while self.open.front().is_some_and(|open| open.is_settled) {
            let spans = self.open.pop_front().map(|open| open.spans);
            for Span { partition, end, .. } in spans.into_iter().flatten() {
                self.store(partition, end, effects);
            }
        }
    }

    fn store(&mut self, partition: i32, offset: i64, effects: &mut Vec<Effect>) {
        let state = self.partitions.entry(partition).or_default();
        if offset > state.stored {
            state.stored = offset;
            effects.push(Effect::Store { partition, offset });
        }
        // Past the failure: the next one is a first attempt again.
        state.failing.take_if(|failing| failing.waits.is_none() && offset > failing.furthest);
    }

    /// A partition goes back to `offset`: it pauses, and nothing from there on is stored any more.
    fn fail(&mut self, partition: i32, offset: i64, reason: String, effects: &mut Vec<Effect>) {
        for open in &mut self.open {
            open.cut(partition, offset);
        }
        let state = self.partitions.entry(partition).or_default();
        let before = state.failing.take();
        let furthest = before.as_ref().map_or(offset, |failing| failing.furthest.max(offset));
        if let Some(failing) = before.as_ref().filter(|failing| failing.waits.is_some()) {
            // It waits already: the same failure seen once more, from a batch further back or further on.
            let offset = offset.min(failing.offset);
            state.failing = before.map(|failing| Failing { offset, furthest, ..failing });
            return;
        }
        // A record further on that fails is another failure: what failed before has passed.
        let again = before.filter(|failing| offset <= failing.furthest);
        let attempts = again.map_or(0, |failing| failing.attempts) + 1;
        let now_ms = self.clock.now_ms();
        let draw = Draw::for_backoff(&self.subscription.group, partition, offset, attempts);
        let delay_ms = self.subscription.retry.delay_ms(attempts, draw);
        let waits = Some(Wait { since_ms: now_ms, until_ms: now_ms.saturating_add(delay_ms) });
        state.failing = Some(Failing { offset, furthest, attempts, waits });
        effects.push(Effect::Pause { partition });
        if self.subscription.retry.is_stuck(attempts) {
            effects.push(Effect::Stuck { partition, offset, attempts, reason });
        }
    }

    /// Looks at the clock: partitions whose wait is over are to be fetched again. A host calls it at every turn.
    pub fn tick(&mut self, effects: &mut Vec<Effect>) {
        let now_ms = self.clock.now_ms();
        for (&partition, state) in &mut self.partitions {
            let Some(failing) = &mut state.failing else { continue };
            // A clock that went back would prolong the wait: trying early costs one attempt, waiting on could cost hours.
            let is_over = |wait: &mut Wait| now_ms >= wait.until_ms || now_ms < wait.since_ms;
            if failing.waits.take_if(is_over).is_some() {
                effects.push(Effect::Resume { partition, from: failing.offset });
            }
        }
    }

    /// Forgets a partition that the group has given to another member: its open records are no longer ours to store.
    pub fn revoke(&mut self, partition: i32) {
        for open in &mut self.open {
            open.cut(partition, 0);
        }
        self.partitions.remove(&partition);
    }

    fn is_waiting(&self, partition: i32) -> bool {
        self.partitions.get(&partition).is_some_and(Partition::is_waiting)
    }
}

impl Partition {
    fn is_waiting(&self) -> bool {
        self.failing.as_ref().is_some_and(|failing| failing.waits.is_some())
    }
}

impl OpenBatch {
    /// Adds a handled record.
    fn cover(&mut self, record: &Record<'_>) {
        let end = record.offset + 1;
        match self.spans.iter_mut().find(|span| span.partition == record.partition) {
            Some(span) => (span.first, span.end) = (span.first.min(record.offset), span.end.max(end)),
            None => self.spans.push(Span { partition: record.partition, first: record.offset, end }),
        }
    }

    /// Leaves out what a partition has from `offset` on.
    fn cut(&mut self, partition: i32, offset: i64) {
        self.spans.retain_mut(|span| {
            if span.partition == partition {
                span.end = span.end.min(offset);
            }
            span.first < span.end
        });
    }
}

#[cfg(test)]
mod tests;
