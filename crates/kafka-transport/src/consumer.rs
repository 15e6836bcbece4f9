//! One consumer group on one topic: fetch, hand to the loop, carry out its effects.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use messaging::audit::Observation;
use messaging::{Answer, BatchId, BatchStep, Clock, Effect, Origin, RUN, Record, Subscription, Worker};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::{Offset, TopicPartitionList};

use crate::batch_queue::{Batch, BatchQueue};
use crate::producer::{Producer, Slot, Write};
use crate::{Connection, Error, Group, Pace, Tap, log, settings};

/// Batches that a group may have unconfirmed; beyond that it stops fetching.
pub(crate) const MAX_OPEN_BATCHES: usize = 64;

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
    pub(crate) pace: Pace,
    pub(crate) producer: Arc<Producer>,
    pub(crate) tap: Option<Tap>,
    /// Set when the groups are to come to rest.
    pub(crate) stop: Arc<AtomicBool>,
    /// Records answered so far.
    pub(crate) handled: Arc<AtomicU64>,
}

/// A consumer group on its topic.
pub(crate) struct ConsumerLoop {
    worker: Worker<Box<dyn BatchStep>>,
    queue: BatchQueue,
    shared: Shared,
    free_slots: Vec<Slot>,
    open: VecDeque<OpenBatch>,
    /// The offset that each partition stored last.
    stored: BTreeMap<i32, i64>,
    /// Their sum: the records that are done with for good.
    done: Arc<AtomicU64>,
}

struct OpenBatch {
    id: BatchId,
    slot: Slot,
    /// What the audit hears once the broker has confirmed it.
    observations: Vec<Observation>,
}

/// The machine's clock, which never goes back.
struct Monotonic(Instant);

impl Clock for Monotonic {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl ConsumerLoop {
    /// A group that reads all `partitions` of its topic from the beginning, without the group protocol: on the embedded
    /// cluster every group has one member. `slots` are the producer's slots that are its own.
    pub(crate) fn assigned(
        Group { subscription, step }: Group,
        partitions: i32,
        slots: Range<Slot>,
        shared: Shared,
    ) -> Result<Self, Error> {
        let group = subscription.group.as_str();
        let consumer: BaseConsumer = settings::consumer(&shared.connection, group, shared.pace)
            .create()
            .map_err(Error::kafka(format!("{group}: create the consumer")))?;
        let mut assignment = TopicPartitionList::new();
        for partition in 0..partitions {
            assignment
                .add_partition_offset(subscription.topic.as_str(), partition, Offset::Offset(0))
                .map_err(Error::kafka(format!("{group}: begin at the first record")))?;
        }
        let queue = BatchQueue::assign(consumer, subscription.topic, &assignment)
            .map_err(Error::kafka(format!("{group}: assign partitions")))?;
        // Connects now, so that the first record does not wait for it. Asked for watermarks alone, a client that knows no
        // leader yet looks for one only every half a second.
        let topic = subscription.topic.as_str();
        let client = queue.consumer();
        client
            .fetch_metadata(Some(topic), settings::CONNECT_DEADLINE)
            .and_then(|_| client.fetch_watermarks(topic, 0, settings::CONNECT_DEADLINE))
            .map_err(Error::kafka(format!("{group}: connect")))?;
        let clock = Arc::new(Monotonic(Instant::now()));
        let worker = Worker::new(subscription, step, clock, MAX_OPEN_BATCHES.min(slots.len()));
        Ok(Self {
            worker,
            queue,
            shared,
            free_slots: slots.collect(),
            open: VecDeque::new(),
            stored: BTreeMap::new(),
            done: Arc::default(),
        })
    }

    /// The records of the topic that are done with for good, counted on.
    pub(crate) fn done(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.done)
    }

    /// Runs until it is told to stop; then confirms what is open and commits.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        let mut effects = Vec::new();
        while !self.shared.stop.load(Ordering::Acquire) {
            self.settle(&mut effects);
            self.worker.tick(&mut effects);
            self.carry_out_control(&mut effects)?;
            self.turn(&mut effects)?;
        }
        self.drain(&mut effects)
    }

    /// Fetches one batch and hands it to the loop.
    fn turn(&mut self, effects: &mut Vec<Effect>) -> Result<(), Error> {
        let Some(&slot) = self.free_slots.last().filter(|_| self.worker.has_capacity()) else {
            std::thread::sleep(Duration::from_micros(200)); // reports arrive on another thread
            return Ok(());
        };
        let Subscription { topic, batch_records, .. } = *self.worker.subscription();
        let wait = if self.open.is_empty() { IDLE_WAIT } else { BUSY_WAIT };
        let Batch { messages, errors } = self.queue.fetch(wait, batch_records);
        errors.into_iter().try_for_each(|error| self.check(error))?;
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
        self.shared.producer.open(slot);
        let mut handled = 0;
        for effect in effects.extract_if(.., |effect| is_about_records(effect)) {
            match effect {
                Effect::Answered { index, answer } => {
                    log::answered(&self.worker, &records[index], &answer);
                    handled += 1;
                    observations.extend(self.observe(&records[index], answer));
                }
                Effect::Produce { index, record, .. } => {
                    if let Some(tap) = &self.shared.tap {
                        observations.extend(tap.written(&record));
                    }
                    self.shared.producer.publish(slot, &record, records[index].headers.last(RUN));
                }
                Effect::DeadLetter { dead_letter, .. } => {
                    let mut headers = OwnedHeaders::new_with_capacity(dead_letter.headers.len());
                    for (name, value) in &dead_letter.headers {
                        headers = headers.insert(Header { key: name, value: value.as_deref() });
                    }
                    let (topic, key, value) =
                        (dead_letter.topic, dead_letter.key.as_deref(), dead_letter.value.as_deref());
                    self.shared.producer.write(slot, Write { topic, key, value, headers });
                    if let Some(tap) = &self.shared.tap {
                        observations.push(tap.dead_lettered(dead_letter.origin, key));
                    }
                }
                Effect::Store { .. } | Effect::Pause { .. } | Effect::Resume { .. } | Effect::Stuck { .. } => {}
            }
        }
        self.shared.producer.close(slot);
        self.shared.handled.fetch_add(handled, Ordering::Relaxed);
        self.open.push_back(OpenBatch { id, slot, observations });
        drop(records);
        drop(messages);
        self.carry_out_control(effects)
    }

    fn observe(&self, record: &Record<'_>, answer: Answer) -> Option<Observation> {
        let Subscription { service, group, .. } = self.worker.subscription();
        match answer {
            Answer::Handled => self.shared.tap.as_ref()?.handled(service, record),
            Answer::Rejected(_) => Some(Observation::Rejected { origin: Origin::of(group, record) }),
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
                    let before = self.stored.insert(partition, offset).unwrap_or(0);
                    self.done.fetch_add(u64::try_from(offset - before).unwrap_or(0), Ordering::Release);
                    let mut offsets = TopicPartitionList::new();
                    offsets
                        .add_partition_offset(topic.as_str(), partition, Offset::Offset(offset))
                        .and_then(|()| self.queue.consumer().store_offsets(&offsets))
                }),
                Effect::Pause { partition } => ("pause", self.queue.consumer().pause(&only(topic.as_str(), partition))),
                Effect::Resume { partition, from } => ("resume", {
                    let seek =
                        self.queue.consumer().seek(topic.as_str(), partition, Offset::Offset(from), SEEK_DEADLINE);
                    seek.and_then(|()| self.queue.consumer().resume(&only(topic.as_str(), partition)))
                }),
                Effect::Stuck { partition, offset, attempts, reason } => {
                    log::stuck(&self.worker.subscription().service, topic, partition, offset, attempts, &reason);
                    continue;
                }
                Effect::Answered { .. } | Effect::Produce { .. } | Effect::DeadLetter { .. } => continue,
            };
            result.map_err(Error::kafka(format!("{}: {doing}", self.worker.subscription().group)))?;
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
        match self.queue.consumer().commit_consumer_state(CommitMode::Sync) {
            Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => Ok(()),
            Err(error) => Err(Error::kafka(format!("{}: commit", self.worker.subscription().group))(error)),
        }
    }
}

fn is_about_records(effect: &Effect) -> bool {
    matches!(effect, Effect::Answered { .. } | Effect::Produce { .. } | Effect::DeadLetter { .. })
}

fn only(topic: &str, partition: i32) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    list
}
