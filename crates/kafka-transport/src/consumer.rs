//! One consumer group on one topic: fetch, hand to the loop, carry out its effects.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use events::Topic;
use messaging::audit::Observation;
use messaging::{Answer, BatchId, BatchStep, Clock, Effect, Record, Subscription, Worker};
use otlp::{Answering, Span, Traces, entered};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use crate::batch_queue::{Batch, BatchQueue};
use crate::member::Member;
use crate::metrics::{GroupMetrics, Metrics};
use crate::pipeline::TIMERS;
use crate::producer::{Producer, Slot};
use crate::{Connection, Error, Group, Pace, Tap, log, settings};

mod rebalance; // partitions come and go

/// Batches that a group may have unconfirmed; beyond that it stops fetching.
pub const MAX_OPEN_BATCHES: usize = 64;

/// How long a fetch waits for a first record: while batches are open no longer than their reports may.
const IDLE_WAIT: Duration = Duration::from_millis(5);
const BUSY_WAIT: Duration = Duration::from_millis(1);

/// How long a consumer may take to go back.
const SEEK_DEADLINE: Duration = Duration::from_secs(5);

/// How long writes may take to be confirmed once the groups are told to stop.
pub(crate) const DRAIN_DEADLINE: Duration = Duration::from_secs(10);

/// What all groups of a pipeline share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) connection: Connection,
    pub(crate) membership: Membership,
    pub(crate) pace: Pace,
    pub(crate) producer: Arc<Producer>,
    pub(crate) tap: Option<Tap>,
    pub(crate) metrics: Option<Metrics>,
    pub(crate) traces: Option<Traces>,
    /// Set when the groups are to come to rest.
    pub(crate) stop: Arc<AtomicBool>,
    /// Records answered so far.
    pub(crate) handled: Arc<AtomicU64>,
}

/// Who else reads the groups' topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Membership {
    /// Nobody: each group has this one member, which reads all partitions from the first record on, without the group protocol.
    Sole,
    /// The groups share their partitions among all members, and go on where they stopped.
    Shared {
        /// A name that a worker keeps when it starts anew: within the session's timeout it gets its partitions back without
        /// disturbing the others. No two workers may have the same. `None` for one that comes and goes.
        instance: Option<String>,
    },
}

/// A consumer group on its topic.
pub(crate) struct ConsumerLoop {
    worker: Worker<Box<dyn BatchStep>>,
    queue: BatchQueue,
    shared: Shared,
    free_slots: Vec<Slot>,
    open: VecDeque<OpenBatch>,
    /// The partitions that are ours, each with the offset that it stored last: where it began, at first.
    stored: BTreeMap<i32, i64>,
    /// Partitions that are ours once we know where the group stopped; the group waits until we have begun, also with none.
    awaited: Option<BTreeSet<i32>>,
    /// Partitions that failed and are to go back to an offset, as soon as librdkafka lets them.
    resuming: BTreeMap<i32, i64>,
    metrics: Option<GroupMetrics>,
    /// Whose the spans are.
    group: Arc<Subscription>,
    /// What others may know of it.
    pulse: Arc<Pulse>,
}

/// What others may know of a group while it works.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// The records that are done with for good.
    pub(crate) done: AtomicU64,
    /// Whether it has its place in the group, with or without partitions.
    pub(crate) has_joined: AtomicBool,
    /// Turns of its loop so far.
    pub(crate) turns: AtomicU64,
    /// Records by what became of them.
    pub(crate) handled: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) retried: AtomicU64,
    /// From the fetch of each handled or given-up record to the confirmation of its batch, in microseconds, summed up.
    pub(crate) waited_us: AtomicU64,
}

struct OpenBatch {
    id: BatchId,
    slot: Slot,
    fetched: Instant,
    /// How many of its records were handled or given up.
    answered: u64,
    /// What the audit hears once the broker has confirmed it.
    observations: Vec<Observation>,
    /// What is told of its records once it has come to its end.
    spans: Vec<Span>,
}

/// The machine's clock, which never goes back.
struct Monotonic(Instant);

impl Clock for Monotonic {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl ConsumerLoop {
    /// Makes the consumer and connects it. `partitions` are those of the topic, for a sole member; `slots` are the producer's
    /// slots that are its own.
    pub(crate) fn start(
        Group { subscription, step }: Group,
        partitions: i32,
        slots: Range<Slot>,
        shared: Shared,
    ) -> Result<Self, Error> {
        let group = subscription.group.as_str();
        let mut config = settings::consumer(&shared.connection, group, shared.pace);
        if let Membership::Shared { instance: Some(instance) } = &shared.membership {
            config.set("group.instance.id", format!("{instance}.{group}"));
        }
        let metrics = shared.metrics.as_ref().map(|metrics| metrics.of(&subscription));
        if metrics.is_some() {
            config.set("statistics.interval.ms", settings::STATISTICS_INTERVAL_MS);
        }
        let lag = metrics.as_ref().map(|metrics| metrics.lag().clone());
        let consumer: BaseConsumer<Member> = config
            .create_with_context(Member::stating(lag))
            .map_err(Error::kafka(format!("{group}: create the consumer")))?;
        check_access(&consumer, &subscription, &shared.connection)?;
        let topic = subscription.topic;
        let (queue, stored) = match shared.membership {
            Membership::Sole => {
                let first: BTreeMap<i32, i64> = (0..partitions).map(|partition| (partition, 0)).collect();
                let queue = positions(topic, &first).and_then(|list| BatchQueue::assign(consumer, topic, &list));
                let queue = queue.map_err(Error::kafka(format!("{group}: assign partitions")))?;
                // Connects to the leader now, so that the first record does not wait for it.
                let watermarks = queue.consumer().fetch_watermarks(topic.as_str(), 0, settings::CONNECT_DEADLINE);
                watermarks.map_err(Error::kafka(format!("{group}: connect")))?;
                (queue, first)
            }
            Membership::Shared { .. } => {
                let queue = BatchQueue::subscribe(consumer, topic);
                (queue.map_err(Error::kafka(format!("{group}: subscribe")))?, BTreeMap::new())
            }
        };
        let clock = Arc::new(Monotonic(Instant::now()));
        let group = Arc::new(subscription.clone());
        let worker = Worker::new(subscription, step, clock, MAX_OPEN_BATCHES.min(slots.len()));
        Ok(Self {
            worker,
            queue,
            shared,
            free_slots: slots.collect(),
            open: VecDeque::new(),
            stored,
            awaited: None,
            resuming: BTreeMap::new(),
            metrics,
            group,
            pulse: Arc::default(),
        })
    }

    /// What it lets others know from now on.
    pub(crate) fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.pulse)
    }

    /// Runs until it is told to stop; then confirms what is open and commits.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        let mut effects = Vec::new();
        while !self.shared.stop.load(Ordering::Acquire) {
            self.pulse.turns.fetch_add(1, Ordering::Relaxed);
            self.settle(&mut effects);
            self.worker.tick(&mut effects);
            self.carry_out_control(&mut effects)?;
            self.resume()?;
            self.rebalance(&mut effects)?;
            self.write_due();
            self.turn(&mut effects)?;
            if let Some(metrics) = &self.metrics {
                metrics.state(self.worker.breaker(), self.open.len());
            }
        }
        self.drain(&mut effects)
    }

    /// Goes back to where partitions failed. A partition whose leader is moving is asked again at the next turn.
    fn resume(&mut self) -> Result<(), Error> {
        let topic = self.worker.subscription().topic;
        let consumer = self.queue.consumer();
        let mut refused = None;
        self.resuming.retain(|&partition, &mut from| {
            let sought = consumer.seek(topic.as_str(), partition, Offset::Offset(from), SEEK_DEADLINE);
            match sought.and_then(|()| consumer.resume(&partition_list(topic, [&partition]))) {
                Ok(()) => false,
                Err(error) if is_passing(&error) => true,
                Err(error) => {
                    refused = Some(error);
                    true
                }
            }
        });
        let group = &self.worker.subscription().group;
        refused.map_or(Ok(()), |error| Err(Error::kafka(format!("{group}: resume"))(error)))
    }

    /// Writes what is due without a record. Nobody waits for it: what is lost comes due again.
    fn write_due(&mut self) {
        let due = self.worker.due();
        if let Some(tap) = &self.shared.tap {
            tap.tell(due.iter().filter_map(|due| tap.written(&due.record)).collect());
        }
        for due in &due {
            let follows = entered(self.shared.traces.as_ref(), &due.record, due.follows(), SystemTime::now);
            self.shared.producer.publish(TIMERS, &due.record, follows);
        }
    }

    /// Fetches one batch and hands it to the loop.
    fn turn(&mut self, effects: &mut Vec<Effect>) -> Result<(), Error> {
        let Some(&slot) = self.free_slots.last().filter(|_| self.worker.has_capacity()) else {
            std::thread::sleep(Duration::from_micros(200)); // reports arrive on another thread
            return Ok(());
        };
        let Subscription { topic, batch_records, .. } = *self.worker.subscription();
        let wait = if self.open.is_empty() { IDLE_WAIT } else { BUSY_WAIT };
        let Batch { mut messages, errors } = self.queue.fetch(wait, batch_records);
        let consumer = self.queue.consumer();
        consumer.context().heard.lead_back(consumer.client(), &self.shared.connection);
        let (fetched, fetched_at) = (Instant::now(), SystemTime::now());
        errors.into_iter().try_for_each(|error| self.check(error))?;
        // What came before its partition went to somebody else is his to handle.
        messages.retain(|message| self.stored.contains_key(&message.partition()));
        if messages.is_empty() {
            return Ok(());
        }
        let records: Vec<Record<'_>> = messages
            .iter()
            .map(|message| Record {
                topic,
                partition: message.partition(),
                offset: message.offset(),
                key: message.key(),
                value: message.value(),
                headers: message,
                deliveries: None,
            })
            .collect();
        let id = self.worker.receive(&records, effects);
        self.free_slots.pop();
        let mut observations = Vec::new();
        let mut answering = Answering::new(self.shared.traces.as_ref(), &self.group, fetched_at);
        self.shared.producer.open(slot);
        let (mut handled, mut answered) = (0, 0);
        for effect in effects.extract_if(.., |effect| is_about_records(effect)) {
            match effect {
                Effect::Answered { index, answer } => {
                    log::answered(&self.worker, &records[index], &answer);
                    if let Some(metrics) = &self.metrics {
                        metrics.answered(&answer);
                    }
                    handled += 1;
                    answered += u64::from(!matches!(answer, Answer::Retried(_)));
                    let count = match answer {
                        Answer::Handled => &self.pulse.handled,
                        Answer::Rejected(_) => &self.pulse.rejected,
                        Answer::Retried(_) => &self.pulse.retried,
                    };
                    count.fetch_add(1, Ordering::Relaxed);
                    answering.answered(index, &records[index], &answer);
                    observations.extend(self.observe(&records[index], answer));
                }
                Effect::Produce { index, record, .. } => {
                    if let Some(tap) = &self.shared.tap {
                        observations.extend(tap.written(&record));
                    }
                    self.shared.producer.publish(slot, &record, answering.follows(index, &records[index]));
                }
                Effect::DeadLetter { dead_letter, .. } => {
                    self.shared.producer.dead_letter(slot, &dead_letter);
                    if let Some(tap) = &self.shared.tap {
                        observations.extend(tap.dead_lettered(dead_letter));
                    }
                }
                Effect::Store { .. } | Effect::Pause { .. } | Effect::Resume { .. } | Effect::Stuck { .. } => {}
            }
        }
        self.shared.producer.close(slot);
        self.shared.handled.fetch_add(handled, Ordering::Relaxed);
        let spans = answering.into_spans();
        self.open.push_back(OpenBatch { id, slot, fetched, answered, observations, spans });
        drop(records);
        drop(messages);
        self.carry_out_control(effects)
    }

    fn observe(&self, record: &Record<'_>, answer: Answer) -> Option<Observation> {
        let subscription = self.worker.subscription();
        let tap = self.shared.tap.as_ref()?;
        match answer {
            Answer::Handled => tap.handled(&subscription.service, record),
            Answer::Rejected(_) => tap.rejected(subscription, record),
            Answer::Retried(_) => None,
        }
    }

    /// Reports the batches whose delivery reports are in, oldest first.
    fn settle(&mut self, effects: &mut Vec<Effect>) {
        while let Some(result) = self.open.front().and_then(|batch| self.shared.producer.result(batch.slot)) {
            let Some(batch) = self.open.pop_front() else { return };
            if let (Ok(()), Some(tap)) = (&result, &self.shared.tap) {
                tap.tell(batch.observations);
            }
            let waited = batch.fetched.elapsed();
            let waited_us = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
            self.pulse.waited_us.fetch_add(waited_us.saturating_mul(batch.answered), Ordering::Relaxed);
            if let Some(metrics) = &self.metrics {
                let failed = if result.is_err() { batch.answered } else { 0 };
                metrics.settled(waited.as_secs_f64(), failed);
            }
            let result = result.map_err(|error| error.to_string());
            if let Some(traces) = &self.shared.traces {
                traces.end(batch.spans, SystemTime::now(), result.as_ref().err().map(String::as_str));
            }
            if let Err(reason) = &result {
                log::failed(self.worker.subscription(), reason);
            }
            self.worker.settle(batch.id, result, effects);
            self.free_slots.push(batch.slot);
        }
    }

    /// Carries out what concerns offsets and partitions.
    fn carry_out_control(&mut self, effects: &mut Vec<Effect>) -> Result<(), Error> {
        let topic = self.worker.subscription().topic;
        for effect in effects.drain(..) {
            let (doing, result) = match effect {
                Effect::Store { partition, offset } => ("store an offset", {
                    let Some(before) = self.stored.insert(partition, offset) else {
                        self.stored.remove(&partition); // it went to somebody else meanwhile
                        continue;
                    };
                    self.pulse.done.fetch_add(u64::try_from(offset - before).unwrap_or(0), Ordering::Release);
                    positions(topic, &BTreeMap::from([(partition, offset)]))
                        .and_then(|offsets| self.queue.consumer().store_offsets(&offsets))
                }),
                Effect::Pause { partition } => {
                    ("pause", self.queue.consumer().pause(&partition_list(topic, [&partition])))
                }
                Effect::Resume { partition, from } => {
                    self.resuming.insert(partition, from);
                    continue;
                }
                Effect::Stuck { partition, offset, attempts, reason } => {
                    log::stuck(&self.worker.subscription().service, topic, partition, offset, attempts, &reason);
                    continue;
                }
                Effect::Answered { .. } | Effect::Produce { .. } | Effect::DeadLetter { .. } => continue,
            };
            match result {
                Err(error) if !is_passing(&error) => {
                    return Err(Error::kafka(format!("{}: {doing}", self.worker.subscription().group))(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Errors that a consumer survives are librdkafka's to mend; those that mean loss are ours to shout.
    fn check(&self, error: KafkaError) -> Result<(), Error> {
        let Subscription { service, group, topic, .. } = self.worker.subscription();
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset) => {
                Err(Error::Dropped { group: group.clone(), topic: *topic, source: error })
            }
            Some(
                code @ (RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic),
            ) => Err(access_refused(code, self.worker.subscription(), &self.shared.connection)),
            Some(RDKafkaErrorCode::FencedInstanceId) => Err(Error::Fenced { group: group.clone() }),
            _ => {
                tracing::warn!(order_id = "", event_type = "", service, status = "poll_failed", %error, "poll failed");
                Ok(())
            }
        }
    }

    fn drain(&mut self, effects: &mut Vec<Effect>) -> Result<(), Error> {
        let deadline = Instant::now() + DRAIN_DEADLINE;
        loop {
            self.settle(effects);
            self.carry_out_control(effects)?;
            if self.open.is_empty() {
                break;
            }
            if Instant::now() >= deadline {
                let group = self.worker.subscription().group.clone();
                let (open, deadline_s) = (self.open.len(), DRAIN_DEADLINE.as_secs());
                return Err(Error::NotDrained { group, open, what: "batches", deadline_s });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.stop_waiting();
        match self.queue.consumer().commit_consumer_state(CommitMode::Sync) {
            Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => Ok(()),
            // The group has been made anew meanwhile, because others came or went.
            Err(
                error @ KafkaError::ConsumerCommit(
                    RDKafkaErrorCode::IllegalGeneration
                    | RDKafkaErrorCode::UnknownMemberId
                    | RDKafkaErrorCode::RebalanceInProgress,
                ),
            ) => {
                log::commit_refused(&self.worker.subscription().service, &error);
                Ok(())
            }
            Err(error) => Err(Error::kafka(format!("{}: commit", self.worker.subscription().group))(error)),
        }
    }
}

fn is_about_records(effect: &Effect) -> bool {
    matches!(effect, Effect::Answered { .. } | Effect::Produce { .. } | Effect::DeadLetter { .. })
}

/// Whether an error of a call about a partition passes by itself, because the partition is moving to another member or broker.
fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::State
                | RDKafkaErrorCode::InProgress
                | RDKafkaErrorCode::PreviousInProgress
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::UnknownPartition
        )
    )
}

/// Asks for the topic, so that a missing one, or a missing right to it or to the group, is told at the start.
fn check_access(
    consumer: &BaseConsumer<Member>,
    subscription: &Subscription,
    connection: &Connection,
) -> Result<(), Error> {
    let topic = subscription.topic.as_str();
    let metadata = |wait| consumer.fetch_metadata(Some(topic), wait);
    // That the group is refused is told once, and may be told here already.
    let mut group_refused = None;
    let serve = || {
        let heard = consumer.poll(Duration::ZERO).and_then(Result::err).and_then(|error| error.rdkafka_error_code());
        group_refused = group_refused.or(heard.filter(|code| *code == RDKafkaErrorCode::GroupAuthorizationFailed));
    };
    let metadata = consumer.context().heard.ask(consumer.client(), connection, metadata, serve)?;
    let topic_refused = metadata.topics().iter().find_map(|topic| topic.error()).map(RDKafkaErrorCode::from);
    topic_refused.or(group_refused).map_or(Ok(()), |code| Err(access_refused(code, subscription, connection)))
}

fn access_refused(code: RDKafkaErrorCode, subscription: &Subscription, connection: &Connection) -> Error {
    let resource = match code {
        RDKafkaErrorCode::GroupAuthorizationFailed => format!("group {}", subscription.group),
        _ => format!("topic {}", subscription.topic),
    };
    Error::access(code, connection, "READ", resource, subscription.topic)
}

/// Partitions of one topic, each with an offset.
fn positions(topic: Topic, offsets: &BTreeMap<i32, i64>) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for (&partition, &offset) in offsets {
        list.add_partition_offset(topic.as_str(), partition, Offset::Offset(offset))?;
    }
    Ok(list)
}

/// These partitions of one topic.
fn partition_list<'a>(topic: Topic, partitions: impl IntoIterator<Item = &'a i32>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for &partition in partitions {
        list.add_partition(topic.as_str(), partition);
    }
    list
}
