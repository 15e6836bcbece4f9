//! One producer for all groups: librdkafka batches better, and one thread serves all delivery reports.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use events::Topic;
use messaging::{DeadLetter, Outgoing};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};

use crate::heard::Heard;
use crate::{Connection, Error, Pace, settings};

/// How long a write waits for room in the local queue before it counts as failed.
const ROOM_DEADLINE: Duration = Duration::from_secs(30);

/// How long it may take to ask how a partition is.
const STATE_DEADLINE: Duration = Duration::from_millis(500);

/// A place where the delivery reports of one batch are counted.
pub type Slot = usize;

/// A record on its way out.
pub(crate) struct Write<'a> {
    pub(crate) topic: Topic,
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
        self.connect_within(settings::CONNECT_DEADLINE)
    }

    pub(crate) fn connect_within(&self, patience: Duration) -> Result<(), Error> {
        let metadata = |wait| self.inner.client().fetch_metadata(None, wait);
        self.heard.ask_for(patience, &self.connection, metadata, || {}).map(drop) // its own thread serves it
    }

    /// Opens a slot for a batch. It cannot seem complete before [`Producer::close`].
    pub(crate) fn open(&self, slot: Slot) {
        let state = &self.reports.slots[slot];
        state.failed.store(false, Ordering::Relaxed);
        state.pending.store(1, Ordering::Release);
    }

    /// Writes a record of ours, with the headers that each of them has.
    pub(crate) fn publish(&self, slot: Slot, record: &Outgoing, run: Option<&[u8]>) {
        let event_id = record.event_id.encode();
        let add = |headers: OwnedHeaders, (key, value)| headers.insert(Header { key, value: Some(value) });
        let headers = Outgoing::headers(&event_id, run).fold(OwnedHeaders::new_with_capacity(2), add);
        let (key, value) = (Some(&record.key[..]), Some(&record.value[..]));
        self.write(slot, Write { topic: record.topic, key, value, headers });
    }

    /// Writes a dead letter, with the headers that it states.
    pub(crate) fn dead_letter(&self, slot: Slot, letter: &DeadLetter) {
        let mut headers = OwnedHeaders::new_with_capacity(letter.headers.len());
        for (name, value) in &letter.headers {
            headers = headers.insert(Header { key: name, value: value.as_deref() });
        }
        let (topic, key, value) = (letter.topic, letter.key.as_deref(), letter.value.as_deref());
        self.write(slot, Write { topic, key, value, headers });
    }

    /// Hands a record to librdkafka, waiting while its queue is full. What becomes of it shows in the slot.
    pub(crate) fn write(&self, slot: Slot, write: Write<'_>) {
        let state = &self.reports.slots[slot];
        let Some(topic) = self.reports.confirmed.iter().position(|(topic, _)| *topic == write.topic) else {
            state.fail(Failure { topic: write.topic, partition: None, code: RDKafkaErrorCode::UnknownTopic });
            return;
        };
        let mut record = BaseRecord::with_opaque_to(write.topic.as_str(), opaque(topic, slot)).headers(write.headers);
        record.key = write.key;
        record.payload = write.value;
        state.pending.fetch_add(1, Ordering::Relaxed);
        let mut deadline = None; // the clock is asked only where there is no room
        loop {
            match self.inner.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again))
                    if Instant::now() < *deadline.get_or_insert_with(|| Instant::now() + ROOM_DEADLINE) =>
                {
                    record = again;
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err((error, _)) => {
                    state.fail(Failure { topic: write.topic, partition: None, code: code_of(&error) });
                    state.pending.fetch_sub(1, Ordering::Release);
                    return;
                }
            }
        }
    }

    /// Says that the slot's batch is complete: from now on it settles with its last report.
    pub(crate) fn close(&self, slot: Slot) {
        self.reports.slots[slot].pending.fetch_sub(1, Ordering::Release);
    }

    /// What became of a closed slot: `None` while reports are missing.
    pub(crate) fn result(&self, slot: Slot) -> Option<Result<(), Error>> {
        let is_complete = self.reports.slots[slot].pending.load(Ordering::Acquire) == 0;
        is_complete.then(|| self.failure(slot).map_or(Ok(()), Err))
    }

    /// How many reports of a slot are missing; an open slot counts itself.
    pub(crate) fn pending(&self, slot: Slot) -> usize {
        self.reports.slots[slot].pending.load(Ordering::Acquire) as usize
    }

    /// Gives up every write that has no report yet: the reports come at once, as failures. What is on its way to the broker may
    /// arrive all the same.
    pub(crate) fn give_up(&self) {
        self.inner.purge(PurgeConfig::default().queue().inflight());
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
        let Failure { topic, partition, code } = self.reports.slots[slot].failure()?;
        let address = self.connection.brokers().to_owned();
        Some(match code {
            RDKafkaErrorCode::MessageTimedOut => {
                let Some(state) = self.state_of(topic, partition) else {
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
    fn state_of(&self, topic: Topic, partition: Option<i32>) -> Option<String> {
        let metadata = self.inner.client().fetch_metadata(Some(topic.as_str()), STATE_DEADLINE);
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

/// A slot and its topic in the one word that librdkafka carries for us.
fn opaque(topic: usize, slot: Slot) -> usize {
    topic << 32 | slot
}

struct Counters {
    slots: Vec<SlotState>,
    confirmed: Vec<(Topic, Vec<AtomicU64>)>,
}

#[derive(Default)]
struct SlotState {
    pending: AtomicU32,
    failed: AtomicBool,
    failure: Mutex<Option<Failure>>,
}

impl SlotState {
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
        let state = &self.counters.slots[opaque & u32::MAX as usize];
        match result {
            Ok(message) => {
                let (_, partitions) = &self.counters.confirmed[opaque >> 32];
                let partition = usize::try_from(message.partition()).ok().and_then(|index| partitions.get(index));
                if let Some(count) = partition {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
            Err((error, message)) => {
                let (topic, _) = self.counters.confirmed[opaque >> 32];
                let partition = Some(message.partition()).filter(|&partition| partition >= 0);
                state.fail(Failure { topic, partition, code: code_of(error) });
            }
        }
        state.pending.fetch_sub(1, Ordering::Release);
    }
}
