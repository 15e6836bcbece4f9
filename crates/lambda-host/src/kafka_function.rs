//! One batch an invocation, through the at-least-once loop of `messaging`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use events::Topic;
use kafka_transport::{Slot, Writer, log};
use messaging::{BatchStep, Clock, DeadLetter, Effect, Follows, NewStep, Outgoing, Record, Subscription, Worker};
use otlp::{Answering, Traces};

use crate::{AnswerMode, BatchFailed, BatchResponse, Delivered, Position};

/// Where a function writes what follows from a batch: Kafka, or a test.
pub trait Broker {
    /// How many partitions may be written for at once.
    const SLOTS: usize;

    /// Begins the writes that belong to one partition's records.
    fn open(&self, slot: Slot);

    /// Writes a record of ours.
    fn publish(&self, slot: Slot, record: &Outgoing, follows: Follows<'_>);

    /// Writes a dead letter.
    fn dead_letter(&self, slot: Slot, letter: &DeadLetter);

    /// Waits until the slot's writes are confirmed; from the deadline on nothing of it is under way any more.
    ///
    /// # Errors
    /// Why a write failed.
    fn confirm(&self, slot: Slot, deadline: Instant) -> Result<(), String>;
}

impl Broker for Writer {
    const SLOTS: usize = Self::SLOTS;

    fn open(&self, slot: Slot) {
        self.open(slot);
    }

    fn publish(&self, slot: Slot, record: &Outgoing, follows: Follows<'_>) {
        self.publish(slot, record, follows);
    }

    fn dead_letter(&self, slot: Slot, letter: &DeadLetter) {
        self.dead_letter(slot, letter);
    }

    fn confirm(&self, slot: Slot, deadline: Instant) -> Result<(), String> {
        self.confirm(slot, deadline).map_err(|error| error.to_string())
    }
}

/// A service behind event source mappings, one a consumer group.
pub struct KafkaFunction<B> {
    groups: Vec<(Subscription, NewStep)>,
    broker: B,
    mode: AnswerMode,
    traces: Option<Traces>,
}

/// Why a batch was not answered as a success.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Records have to come again, and the mode is [`AnswerMode::Whole`].
    #[error(transparent)]
    BatchFailed(#[from] BatchFailed),
    /// The mapping reads a topic that the service does not.
    #[error(
        "{service} does not read the topic {found}: it reads {known}; is the event source mapping another service's?"
    )]
    UnknownTopic {
        /// The service.
        service: String,
        /// The topic of the records.
        found: String,
        /// Its own topics.
        known: String,
    },
}

/// Time stands still within an invocation: a partition that failed does not try again before the next one.
struct Still;

impl Clock for Still {
    fn now_ms(&self) -> u64 {
        0
    }
}

impl<B: Broker> KafkaFunction<B> {
    /// The groups of one service, each with what makes its steps. Spans of records are told to `traces`, where there are any.
    pub fn new(groups: Vec<(Subscription, NewStep)>, broker: B, mode: AnswerMode, traces: Option<Traces>) -> Self {
        Self { groups, broker, mode, traces }
    }

    /// Handles a batch: records by topic and partition, in the order of their offsets, as [`crate::read_batch`] gives them.
    /// Until `deadline` all that follows from it is confirmed or given up.
    ///
    /// A record that can never be handled goes to its group's dead-letter topic. A partition stops at the first record that may
    /// be handled another time, or whose writes nobody confirmed: what the loop would not store comes again.
    ///
    /// # Errors
    /// Where records come again and the mode is [`AnswerMode::Whole`], or a topic is not this service's: nothing of the
    /// batch is handled then.
    pub fn handle(&self, batch: &[Delivered], deadline: Instant) -> Result<BatchResponse, Error> {
        let mut stopped = Vec::new();
        let topics: Vec<&[Delivered]> = batch.chunk_by(|one, next| one.topic == next.topic).collect();
        let groups: Vec<_> = topics.iter().map(|records| self.group(&records[0].topic)).collect::<Result<_, _>>()?;
        for ((subscription, new_step), records) in groups.into_iter().zip(topics) {
            let partitions: Vec<&[Delivered]> = records.chunk_by(|one, next| one.partition == next.partition).collect();
            for partitions in partitions.chunks(B::SLOTS) {
                self.handle_partitions(subscription, new_step(), partitions, deadline, &mut stopped);
            }
        }
        crate::export(self.traces.as_ref(), deadline);
        Ok(self.mode.answer(stopped)?)
    }

    fn group(&self, topic: &str) -> Result<&(Subscription, NewStep), Error> {
        let of_topic = |(subscription, _): &&(Subscription, NewStep)| subscription.topic.as_str() == topic;
        self.groups.iter().find(of_topic).ok_or_else(|| {
            let service =
                self.groups.first().map_or_else(String::new, |(subscription, _)| subscription.service.clone());
            let known: Vec<&str> = self.groups.iter().map(|(known, _)| known.topic.as_str()).collect();
            Error::UnknownTopic { service, found: topic.to_owned(), known: known.join(", ") }
        })
    }

    /// Handles partitions of one topic, all their writes under way at once.
    fn handle_partitions(
        &self,
        subscription: &Subscription,
        step: Box<dyn BatchStep>,
        partitions: &[&[Delivered]],
        deadline: Instant,
        stopped: &mut Vec<(Position, String)>,
    ) {
        let mut worker = Worker::new(subscription.clone(), step, Arc::new(Still), partitions.len());
        let mut effects = Vec::new();
        let mut reasons = BTreeMap::new();
        let group = Arc::new(subscription.clone());
        let received = SystemTime::now();
        let mut open = Vec::with_capacity(partitions.len());
        let under_way = UnderWay { broker: &self.broker, slots: Cell::new(0..0) };
        for (slot, records) in partitions.iter().enumerate() {
            let topic = subscription.topic;
            let records: Vec<Record<'_>> = records.iter().map(|delivered| record(topic, delivered)).collect();
            self.broker.open(slot);
            under_way.slots.set(0..slot + 1);
            let id = worker.receive(&records, &mut effects);
            let mut answering = Answering::new(self.traces.as_ref(), &group, received);
            for effect in effects.drain(..) {
                self.carry_out(slot, &worker, &records, effect, &mut reasons, &mut answering);
            }
            open.push((id, answering.into_spans()));
        }
        let mut ends = BTreeMap::new();
        for (slot, (id, spans)) in open.into_iter().enumerate() {
            let confirmed = self.broker.confirm(slot, deadline);
            under_way.slots.set(slot + 1..partitions.len());
            if let Some(traces) = &self.traces {
                traces.end(spans, SystemTime::now(), confirmed.as_ref().err().map(String::as_str));
            }
            if let Err(reason) = &confirmed {
                log::failed(subscription, reason);
                reasons.insert(partitions[slot][0].partition, reason.clone());
            }
            worker.settle(id, confirmed, &mut effects);
            for effect in effects.drain(..) {
                if let Effect::Store { partition, offset } = effect {
                    ends.insert(partition, offset);
                }
            }
        }
        for records in partitions {
            let Delivered { topic, partition, .. } = &records[0];
            let end = ends.get(partition).copied().unwrap_or(i64::MIN);
            // What the loop would not store is not done.
            if let Some(first) = records.iter().find(|record| record.offset >= end) {
                let position = Position { partition: format!("{topic}-{partition}"), offset: first.offset };
                stopped.push((position, reasons.remove(partition).unwrap_or_default()));
            }
        }
    }

    fn carry_out<'a>(
        &self,
        slot: Slot,
        worker: &Worker<Box<dyn BatchStep>>,
        records: &[Record<'a>],
        effect: Effect,
        reasons: &mut BTreeMap<i32, String>,
        answering: &mut Answering<'a>,
    ) {
        match effect {
            Effect::Answered { index, answer } => {
                log::answered(worker, &records[index], &answer);
                answering.answered(index, &records[index], &answer);
                if let messaging::Answer::Retried(reason) = answer {
                    reasons.insert(records[index].partition, reason);
                }
            }
            Effect::Produce { index, record, .. } => {
                self.broker.publish(slot, &record, answering.follows(index, &records[index]));
            }
            Effect::DeadLetter { dead_letter, .. } => self.broker.dead_letter(slot, &dead_letter),
            // Offsets are the mapping's, and so is the wait before the next attempt.
            Effect::Store { .. } | Effect::Pause { .. } | Effect::Resume { .. } | Effect::Stuck { .. } => {}
        }
    }
}

/// Slots that are open: where a step panics, which Lambda's runtime survives, their writes are given up before it answers.
struct UnderWay<'a, B: Broker> {
    broker: &'a B,
    slots: Cell<Range<Slot>>,
}

impl<B: Broker> Drop for UnderWay<'_, B> {
    fn drop(&mut self) {
        let now = Instant::now();
        self.slots.take().for_each(|slot| drop(self.broker.confirm(slot, now)));
    }
}

fn record(topic: Topic, delivered: &Delivered) -> Record<'_> {
    let Delivered { partition, offset, key, value, headers, .. } = delivered;
    let (partition, offset, key, value) = (*partition, *offset, key.as_deref(), value.as_deref());
    Record { topic, partition, offset, key, value, headers, deliveries: None }
}

#[cfg(test)]
mod tests;
