//! One producer for all groups: librdkafka batches better, and one thread serves all delivery reports.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use events::Topic;
use messaging::{DeadLetter, Follows, Outgoing, Verbatim};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::metadata::Metadata;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};

use crate::heard::Heard;
use crate::{Connection, Error, Pace, settings};

/// How long it may take to ask how a partition is.
const STATE_DEADLINE: Duration = Duration::from_millis(500);

/// A place where the delivery reports of one batch are counted.
pub type Slot = usize;

/// A record on its way out.
pub(crate) struct Write<'a> {
    pub(crate) topic: Topic,
    /// `None` where the key decides.
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: OwnedHeaders,
}

/// Writes records and counts what became of them, by slot.
pub(crate) struct Producer {
    inner: ThreadedProducer<Reports>,
    reports: Arc<Counters>,
    connection: Connection,
    heard: Heard,
    /// How long a write may wait for its confirmation.
    write_deadline: Duration,
}

impl Producer {
    /// A producer for these topics (with their partitions), with this many slots.
    pub(crate) fn new(
        connection: &Connection,
        pace: Pace,
        topics: &[(Topic, i32)],
        slots: usize,
    ) -> Result<Self, Error> {
        Self::configured(&settings::producer(connection, pace), connection, topics, slots)
    }

    /// A producer as `config` has it.
    pub(crate) fn configured(
        config: &ClientConfig,
        connection: &Connection,
        topics: &[(Topic, i32)],
        slots: usize,
    ) -> Result<Self, Error> {
        let partitions = |count: i32| (0..count).map(|_| AtomicU64::new(0)).collect();
        let reports = Arc::new(Counters {
            slots: (0..slots).map(|_| SlotState::default()).collect(),
            confirmed: topics.iter().map(|&(topic, count)| (topic, partitions(count))).collect(),
        });
        let heard = Heard::default();
        let inner = config
            .create_with_context(Reports { counters: Arc::clone(&reports), heard: heard.clone() })
            .map_err(Error::kafka("producer: create"))?;
        let deadline_ms = config.get("message.timeout.ms").and_then(|ms| ms.parse().ok());
        let write_deadline = deadline_ms.map_or(settings::WRITE_DEADLINE, Duration::from_millis);
        Ok(Self { inner, reports, connection: connection.clone(), heard, write_deadline })
    }

    /// Connects before the first write, so that it does not pay for it.
    pub(crate) fn connect(&self) -> Result<(), Error> {
        self.connect_within(settings::CONNECT_DEADLINE).map(drop)
    }

    /// Looks for a topic.
    pub(crate) fn find(&self, topic: Topic) -> Result<(), Error> {
        let metadata = |wait| self.inner.client().fetch_metadata(Some(topic.as_str()), wait);
        let metadata = self.ask(settings::CONNECT_DEADLINE, metadata)?;
        let refused = metadata.topics().iter().find_map(|topic| topic.error()).map(RDKafkaErrorCode::from);
        let access = |code| Error::access(code, &self.connection, "DESCRIBE", format!("topic {topic}"), topic);
        refused.map_or(Ok(()), |code| Err(access(code)))
    }

    fn connect_within(&self, patience: Duration) -> Result<Metadata, Error> {
        self.ask(patience, |wait| self.inner.client().fetch_metadata(None, wait))
    }

    /// Connects to every broker that leads a partition of the topics: librdkafka does that with the first write only.
    pub(crate) fn connect_to_leaders(&self, patience: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + patience;
        let metadata = self.connect_within(patience)?;
        let ours = metadata
            .topics()
            .iter()
            .filter(|topic| self.reports.confirmed.iter().any(|(known, _)| known.as_str() == topic.name()));
        let leaders: BTreeMap<i32, (&str, i32)> = ours
            .flat_map(|topic| {
                topic.partitions().iter().map(|partition| (partition.leader(), (topic.name(), partition.id())))
            })
            .filter(|(leader, _)| *leader >= 0)
            .collect();
        // A question that its leader alone answers; to all at once, because most of the time is that of the brokers.
        thread::scope(|scope| {
            let asked: Vec<_> = leaders
                .into_values()
                .map(|(topic, partition)| {
                    scope.spawn(move || {
                        let ask = |wait| self.inner.client().fetch_watermarks(topic, partition, wait);
                        let patience = deadline.saturating_duration_since(Instant::now());
                        self.ask(patience, ask).map(drop)
                    })
                })
                .collect();
            asked.into_iter().try_for_each(|one| one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }

    /// The client has a thread of its own that serves it, and that hears of its brokers.
    fn ask<T>(&self, patience: Duration, question: impl FnMut(Duration) -> Result<T, KafkaError>) -> Result<T, Error> {
        self.heard.ask_for(patience, self.inner.client(), &self.connection, question, || {})
    }

    /// Opens a slot for a batch. It cannot seem complete before [`Producer::close`].
    pub(crate) fn open(&self, slot: Slot) {
        self.reports.slots[slot].open();
    }

    /// Writes a record of ours, with the headers that each of them has.
    pub(crate) fn publish(&self, slot: Slot, record: &Outgoing, follows: Follows<'_>) {
        let add = |headers: OwnedHeaders, key, value: &[u8]| headers.insert(Header { key, value: Some(value) });
        let headers = record.fold_headers(&follows, OwnedHeaders::new_with_capacity(3), add);
        let (key, value) = (Some(&record.key[..]), Some(&record.value[..]));
        self.write(slot, Write { topic: record.topic, partition: None, key, value, headers });
    }

    /// Writes a dead letter, with the headers that it states.
    pub(crate) fn dead_letter(&self, slot: Slot, letter: &DeadLetter) {
        let headers = stated(&letter.headers);
        let (topic, key, value) = (letter.topic, letter.key.as_deref(), letter.value.as_deref());
        self.write(slot, Write { topic, partition: None, key, value, headers });
    }

    /// Writes a record as it is.
    pub(crate) fn verbatim(&self, slot: Slot, record: &Verbatim) {
        let headers = stated(&record.headers);
        let (topic, partition, key, value) =
            (record.topic, record.partition, record.key.as_deref(), record.value.as_deref());
        self.write(slot, Write { topic, partition, key, value, headers });
    }

    /// Hands a record to librdkafka, waiting while its queue is full. What becomes of it shows in the slot.
    pub(crate) fn write(&self, slot: Slot, write: Write<'_>) {
        let state = &self.reports.slots[slot];
        let Some(topic) = self.reports.confirmed.iter().position(|(topic, _)| *topic == write.topic) else {
            state.fail(Failure { topic: write.topic, partition: None, code: RDKafkaErrorCode::UnknownTopic });
            return;
        };
        let mut record = BaseRecord::with_opaque_to(write.topic.as_str(), opaque(topic, state.generation(), slot));
        record = record.headers(write.headers);
        record.key = write.key;
        record.payload = write.value;
        record.partition = write.partition;
        state.add();
        let mut deadline = None; // the clock is asked only where there is no room
        loop {
            match self.inner.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again))
                    if Instant::now() < *deadline.get_or_insert_with(|| Instant::now() + self.write_deadline) =>
                {
                    record = again;
                    thread::sleep(Duration::from_millis(1));
                }
                Err((error, _)) => {
                    state.fail(Failure { topic: write.topic, partition: None, code: code_of(&error) });
                    state.settle(state.generation());
                    return;
                }
            }
        }
    }

    /// Says that the slot's batch is complete: from now on it settles with its last report.
    pub(crate) fn close(&self, slot: Slot) {
        let state = &self.reports.slots[slot];
        state.settle(state.generation());
    }

    /// What became of a closed slot: `None` while reports are missing.
    pub(crate) fn result(&self, slot: Slot) -> Option<Result<(), Error>> {
        self.result_within(slot, STATE_DEADLINE)
    }

    /// As [`Producer::result`], asking for the reason no longer than `patience`.
    pub(crate) fn result_within(&self, slot: Slot, patience: Duration) -> Option<Result<(), Error>> {
        let patience = patience.min(STATE_DEADLINE);
        (self.pending(slot) == 0).then(|| self.failure_within(slot, patience).map_or(Ok(()), Err))
    }

    /// The offset that a record of the slot's batch was given: of a batch of one it is that one's.
    pub(crate) fn offset(&self, slot: Slot) -> i64 {
        self.reports.slots[slot].offset.load(Ordering::Relaxed)
    }

    /// How many reports of a slot are missing; an open slot counts itself. Whoever waits for them asks again and again.
    pub(crate) fn pending(&self, slot: Slot) -> usize {
        self.heard.lead_back(self.inner.client(), &self.connection);
        self.reports.slots[slot].pending() as usize
    }

    /// Gives up every write that has no report yet: the reports come soon, as failures. What is on its way to the broker may
    /// arrive all the same.
    pub(crate) fn give_up(&self) {
        // Else it would wait for broker threads, which may be looking up a name.
        self.inner.purge(PurgeConfig::default().queue().inflight().non_blocking());
    }

    /// How many writes the broker confirmed, for each topic and partition.
    pub(crate) fn confirmed(&self) -> impl Iterator<Item = (Topic, Vec<u64>)> {
        let counts = |counts: &Vec<AtomicU64>| counts.iter().map(|count| count.load(Ordering::Acquire)).collect();
        self.reports.confirmed.iter().map(move |(topic, partitions)| (*topic, counts(partitions)))
    }

    /// Whether every write of a slot that is still open has its report.
    pub(crate) fn is_confirmed(&self, slot: Slot) -> bool {
        self.pending(slot) <= 1
    }

    /// Why a slot's batch failed, if a report says so already.
    pub(crate) fn failure(&self, slot: Slot) -> Option<Error> {
        self.failure_within(slot, STATE_DEADLINE)
    }

    fn failure_within(&self, slot: Slot, patience: Duration) -> Option<Error> {
        let Failure { topic, partition, code } = self.reports.slots[slot].failure()?;
        let address = self.connection.brokers().to_owned();
        Some(match code {
            RDKafkaErrorCode::MessageTimedOut => {
                let Some(state) = self.state_of(topic, partition, patience) else {
                    return Some(Error::UnknownTopic { address, topic });
                };
                let deadline_s = self.write_deadline.as_secs();
                let partition = partition.map_or("?".to_owned(), |partition| partition.to_string());
                Error::NotConfirmed { address, topic, partition, deadline_s, state }
            }
            RDKafkaErrorCode::MessageSizeTooLarge => Error::TooLarge { address, topic },
            _ => Error::access(code, &self.connection, "WRITE", format!("topic {topic}"), topic),
        })
    }

    /// How a partition's replicas are, in words: the reason why nobody confirms. `None` where the topic is not there.
    fn state_of(&self, topic: Topic, partition: Option<i32>, patience: Duration) -> Option<String> {
        let metadata = self.inner.client().fetch_metadata(Some(topic.as_str()), patience);
        let Ok(metadata) = metadata else { return Some("no broker answers".to_owned()) };
        let found = metadata.topics().first();
        if found.and_then(|topic| topic.error()).map(RDKafkaErrorCode::from)
            == Some(RDKafkaErrorCode::UnknownTopicOrPartition)
        {
            return None;
        }
        let partitions = found.map_or(&[][..], |topic| topic.partitions());
        Some(match partitions.iter().find(|known| Some(known.id()) == partition) {
            None => "it is not there".to_owned(),
            Some(known) if known.leader() < 0 => "it has no leader".to_owned(),
            Some(known) => {
                let (in_sync, replicas) = (known.isr().len(), known.replicas().len());
                format!("broker {} leads it, {in_sync} of {replicas} replicas in sync", known.leader())
            }
        })
    }
}

/// What librdkafka says of a write that failed.
#[derive(Clone, Copy, Debug)]
struct Failure {
    topic: Topic,
    partition: Option<i32>,
    code: RDKafkaErrorCode,
}

fn code_of(error: &KafkaError) -> RDKafkaErrorCode {
    error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail)
}

fn stated(headers: &[messaging::Header]) -> OwnedHeaders {
    let add = |all: OwnedHeaders, (name, value): &messaging::Header| {
        all.insert(Header { key: name, value: value.as_deref() })
    };
    headers.iter().fold(OwnedHeaders::new_with_capacity(headers.len()), add)
}

/// A slot, which of its batches, and the topic, in the one word that librdkafka carries for us.
fn opaque(topic: usize, generation: u32, slot: Slot) -> usize {
    topic << 48 | (generation as usize) << 16 | slot
}

const fn of_opaque(opaque: usize) -> (usize, u32, Slot) {
    (opaque >> 48, (opaque >> 16) as u32, opaque & u16::MAX as usize)
}

struct Counters {
    slots: Vec<SlotState>,
    confirmed: Vec<(Topic, Vec<AtomicU64>)>,
}

#[derive(Default)]
struct SlotState {
    /// Which batch the slot has, in the upper half, and how many of its reports are missing. In one word, because a report of
    /// a batch that was abandoned must not count for the one that has the slot now.
    batch: AtomicU64,
    failed: AtomicBool,
    failure: Mutex<Option<Failure>>,
    /// The offset that a record of the batch was given last.
    offset: AtomicI64,
}

impl SlotState {
    /// Begins the next batch, which counts itself until it is closed.
    fn open(&self) {
        self.failed.store(false, Ordering::Relaxed);
        let generation = u64::from(self.generation().wrapping_add(1));
        self.batch.store(generation << 32 | 1, Ordering::Release);
    }

    fn generation(&self) -> u32 {
        (self.batch.load(Ordering::Relaxed) >> 32) as u32
    }

    fn pending(&self) -> u32 {
        self.batch.load(Ordering::Acquire) as u32
    }

    fn add(&self) {
        self.batch.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one report of a batch, if that is the one that has the slot.
    fn settle(&self, generation: u32) {
        let less = |batch: u64| ((batch >> 32) as u32 == generation && batch as u32 > 0).then(|| batch - 1);
        let _ = self.batch.fetch_update(Ordering::Release, Ordering::Relaxed, less); // refused: an abandoned batch's
    }

    fn fail(&self, failure: Failure) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
        self.failed.store(true, Ordering::Release);
    }

    fn failure(&self) -> Option<Failure> {
        let has_failed = self.failed.load(Ordering::Acquire);
        has_failed.then(|| *self.failure.lock().unwrap_or_else(PoisonError::into_inner)).flatten()
    }
}

/// Where librdkafka reports deliveries.
struct Reports {
    counters: Arc<Counters>,
    heard: Heard,
}

impl ClientContext for Reports {
    fn error(&self, error: KafkaError, reason: &str) {
        self.heard.error(error, reason);
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.heard.log(level, facility, message);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        let (topic, generation, slot) = of_opaque(opaque);
        let state = &self.counters.slots[slot];
        match result {
            Ok(message) => {
                let (_, partitions) = &self.counters.confirmed[topic];
                let partition = usize::try_from(message.partition()).ok().and_then(|index| partitions.get(index));
                if let Some(count) = partition {
                    count.fetch_add(1, Ordering::Relaxed);
                }
                if generation == state.generation() {
                    state.offset.store(message.offset(), Ordering::Relaxed); // visible once the batch has settled
                }
            }
            Err((error, message)) if generation == state.generation() => {
                let (topic, _) = self.counters.confirmed[topic];
                let partition = Some(message.partition()).filter(|&partition| partition >= 0);
                state.fail(Failure { topic, partition, code: code_of(error) });
            }
            Err(_) => {} // of a batch that nobody waits for
        }
        state.settle(generation);
    }
}
