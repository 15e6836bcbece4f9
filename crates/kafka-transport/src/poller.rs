//! One topic for a host that hands batches to somebody else and commits once they are handled: an event source mapping.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use events::Topic;
use messaging::Record;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Message, Timestamp};
use rdkafka::statistics::Statistics;
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use crate::batch_queue::HeadersOf;
use crate::heard::Heard;
use crate::reader::is_forbidden;
use crate::{Connection, Error, Pace, settings};

/// Where a group begins that has committed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// At the first record that there is.
    Earliest,
    /// Behind the last.
    Latest,
    /// At the first of this time, in milliseconds since 1970, or later.
    Time(i64),
}

/// When a record was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrittenAt {
    /// The writer's time in milliseconds since 1970.
    Create(i64),
    /// The broker's.
    LogAppend(i64),
}

/// How often librdkafka states where partitions end.
const STATISTICS_INTERVAL_MS: &str = "1000";

/// What librdkafka tells of a poller's client.
#[derive(Default)]
struct Watched {
    heard: Heard,
    /// Where partitions ended when they were last fetched.
    ends: Mutex<BTreeMap<i32, i64>>,
}

impl ClientContext for Watched {
    fn error(&self, error: KafkaError, reason: &str) {
        self.heard.error(error, reason);
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.heard.log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        let partitions = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        let known = partitions.filter(|partition| partition.partition >= 0 && partition.hi_offset >= 0);
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.extend(known.map(|partition| (partition.partition, partition.hi_offset)));
    }
}

impl ConsumerContext for Watched {}

/// Reads all partitions of a topic for a group whose only reader it is, without the group protocol.
pub struct Poller {
    connection: Connection,
    group: String,
    topic: Topic,
    /// The records of each partition, which are fetched ahead as far as a queue has room. They go before their consumer.
    queues: Vec<PartitionQueue<Watched>>,
    consumer: Arc<BaseConsumer<Watched>>,
    partitions: i32,
    /// What the group is done with, by partition: the offset behind it.
    committed: Mutex<BTreeMap<i32, i64>>,
}

impl Poller {
    /// Begins where the group has committed, or at `start`; that is committed at once, so that it does not move.
    ///
    /// # Errors
    /// Where the brokers refuse us, the topic or the group, or do not answer within ten seconds.
    pub fn begin(
        connection: &Connection,
        group: &str,
        topic: Topic,
        start: StartAt,
        pace: Pace,
    ) -> Result<Self, Error> {
        let consumer: BaseConsumer<Watched> = settings::consumer(connection, group, pace)
            .set("enable.auto.commit", "false")
            .set("statistics.interval.ms", STATISTICS_INTERVAL_MS)
            .create_with_context(Watched::default())
            .map_err(Error::kafka(format!("{group}: create the consumer")))?;
        let mut poller = Self {
            connection: connection.clone(),
            group: group.to_owned(),
            topic,
            queues: Vec::new(),
            consumer: Arc::new(consumer),
            partitions: 0,
            committed: Mutex::default(),
        };
        let name = topic.as_str();
        let found = poller.ask(|client, wait| {
            let metadata = client.fetch_metadata(Some(name), wait)?;
            let found = metadata.topics().first();
            Ok(found.map_or(Ok(0), |found| found.error().map_or(Ok(found.partitions().len()), |code| Err(code.into()))))
        })?;
        poller.partitions = found.map_err(|code: RDKafkaErrorCode| poller.refused(code))? as i32;
        if poller.partitions == 0 {
            return Err(poller.refused(RDKafkaErrorCode::UnknownTopicOrPartition));
        }
        let begins = poller.begins(start)?;
        poller.commit(&begins)?;
        // Before they are assigned: no record takes the way that all would share.
        let queue = |partition| poller.consumer.split_partition_queue(name, partition);
        let queues: Option<Vec<_>> = (0..poller.partitions).map(queue).collect();
        poller.queues = queues.ok_or_else(|| Error::Kafka {
            doing: format!("{group}: read {topic} by partition"),
            source: KafkaError::Subscription(name.to_owned()),
        })?;
        let assigned = poller.list(&begins).and_then(|list| poller.consumer.assign(&list));
        assigned.map_err(Error::kafka(format!("{group}: assign partitions")))?;
        Ok(poller)
    }

    /// The first offset of each partition to be read.
    fn begins(&self, start: StartAt) -> Result<BTreeMap<i32, i64>, Error> {
        let mut asked = TopicPartitionList::new();
        asked.add_partition_range(self.topic.as_str(), 0, self.partitions - 1);
        let offsets = |list: TopicPartitionList| {
            let offset = |offset| if let Offset::Offset(offset) = offset { Some(offset) } else { None };
            let each = |element: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
                element.error().map(|()| (element.partition(), offset(element.offset())))
            };
            list.elements().into_iter().map(each).collect::<KafkaResult<BTreeMap<i32, Option<i64>>>>()
        };
        let committed = self.ask(|client, wait| offsets(client.committed_offsets(asked.clone(), wait)?))?;
        let at_time = match start {
            StartAt::Time(time_ms) => {
                let mut times = TopicPartitionList::new();
                for partition in 0..self.partitions {
                    let added = times.add_partition_offset(self.topic.as_str(), partition, Offset::Offset(time_ms));
                    added.map_err(Error::kafka(format!("{}: ask for a time", self.group)))?;
                }
                self.ask(|client, wait| offsets(client.offsets_for_times(times.clone(), wait)?))?
            }
            StartAt::Earliest | StartAt::Latest => BTreeMap::new(),
        };
        let mut begins = BTreeMap::new();
        for (partition, committed) in committed {
            let begin = match (committed, at_time.get(&partition)) {
                (Some(offset), _) | (None, Some(&Some(offset))) => offset,
                _ => {
                    let (first, end) = self.span(partition)?;
                    if start == StartAt::Earliest { first } else { end }
                }
            };
            begins.insert(partition, begin);
        }
        Ok(begins)
    }

    /// How many partitions the topic had when we began.
    pub const fn partitions(&self) -> i32 {
        self.partitions
    }

    /// Where a partition's log begins and ends now.
    ///
    /// # Errors
    /// Where the brokers do not answer within ten seconds.
    pub fn span(&self, partition: i32) -> Result<(i64, i64), Error> {
        self.ask(|client, wait| client.fetch_watermarks(self.topic.as_str(), partition, wait))
    }

    /// Shows a partition's next records to `each` until it breaks off, `limit` at most, and gives their number. It waits for none.
    ///
    /// # Errors
    /// Where the next record was dropped before it was read, or may not be read.
    pub fn poll(
        &self,
        partition: i32,
        limit: usize,
        mut each: impl FnMut(&Record<'_>, WrittenAt) -> ControlFlow<()>,
    ) -> Result<usize, Error> {
        let Some(queue) = self.queues.get(partition as usize) else { return Ok(0) };
        for count in 0..limit {
            let message = match queue.poll(Duration::ZERO) {
                None => return Ok(count),
                Some(Err(error)) => {
                    self.check(error)?;
                    continue;
                }
                Some(Ok(message)) => message,
            };
            let record = Record {
                topic: self.topic,
                partition,
                offset: message.offset(),
                key: message.key(),
                value: message.payload(),
                headers: &HeadersOf(&message),
                deliveries: None,
            };
            let written_at = match message.timestamp() {
                Timestamp::LogAppendTime(ms) => WrittenAt::LogAppend(ms),
                Timestamp::CreateTime(ms) => WrittenAt::Create(ms),
                Timestamp::NotAvailable => WrittenAt::Create(-1),
            };
            if each(&record, written_at).is_break() {
                return Ok(count + 1);
            }
        }
        Ok(limit)
    }

    /// Lets the client tell what it has heard of the brokers; to be called again and again.
    ///
    /// # Errors
    /// Where they refuse us.
    pub fn serve(&self) -> Result<(), Error> {
        // Records come by their partitions' queues only.
        while let Some(event) = self.consumer.poll(Duration::ZERO) {
            event.map(drop).or_else(|error| self.check(error))?;
        }
        self.consumer.context().heard.lead_back(self.consumer.client(), &self.connection);
        Ok(())
    }

    /// Commits that the group is done with everything before these offsets, and waits for the answer.
    ///
    /// # Errors
    /// Where the brokers refuse it.
    pub fn commit(&self, offsets: &BTreeMap<i32, i64>) -> Result<(), Error> {
        let committed = self.list(offsets).and_then(|list| self.consumer.commit(&list, CommitMode::Sync));
        committed.map_err(|error| match error.rdkafka_error_code() {
            Some(code) if is_forbidden(code) => self.refused(code),
            _ => Error::Kafka { doing: format!("{}: commit", self.group), source: error },
        })?;
        self.committed.lock().unwrap_or_else(PoisonError::into_inner).extend(offsets);
        Ok(())
    }

    /// Records that are not committed yet, of those that stood in the topic when it was last fetched, a second ago at most; `None`
    /// before every partition was fetched.
    pub fn lag(&self) -> Option<u64> {
        let ends = self.consumer.context().ends.lock().unwrap_or_else(PoisonError::into_inner);
        let committed = self.committed.lock().unwrap_or_else(PoisonError::into_inner);
        let of_partition = |(partition, &end): (&i32, &i64)| Some((end - committed.get(partition)?).max(0));
        let is_known = ends.len() == usize::try_from(self.partitions).unwrap_or_default();
        is_known.then(|| ends.iter().filter_map(of_partition).sum::<i64>().cast_unsigned())
    }

    fn list(&self, offsets: &BTreeMap<i32, i64>) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (&partition, &offset) in offsets {
            list.add_partition_offset(self.topic.as_str(), partition, Offset::Offset(offset))?;
        }
        Ok(list)
    }

    fn ask<T>(&self, question: impl Fn(&BaseConsumer<Watched>, Duration) -> KafkaResult<T>) -> Result<T, Error> {
        let heard = &self.consumer.context().heard;
        let question = |wait| match question(&self.consumer, wait) {
            Err(error) => match error.rdkafka_error_code() {
                Some(code) if is_forbidden(code) => Ok(Err(code)),
                _ => Err(error),
            },
            answer => answer.map(Ok),
        };
        let serve = || drop(self.consumer.poll(Duration::ZERO));
        let answer = heard.ask(self.consumer.client(), &self.connection, question, serve)?;
        answer.map_err(|code| self.refused(code))
    }

    fn refused(&self, code: RDKafkaErrorCode) -> Error {
        let resource = match code {
            RDKafkaErrorCode::GroupAuthorizationFailed => format!("group {}", self.group),
            _ => format!("topic {}", self.topic),
        };
        Error::access(code, &self.connection, "READ", resource, self.topic)
    }

    /// Errors that a consumer survives are librdkafka's to mend.
    fn check(&self, error: KafkaError) -> Result<(), Error> {
        if let Some(refusal) = self.consumer.context().heard.refusal(&self.connection) {
            return Err(refusal);
        }
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset) => {
                Err(Error::Dropped { group: self.group.clone(), topic: self.topic, source: error })
            }
            Some(code) if is_forbidden(code) || code == RDKafkaErrorCode::UnknownTopicOrPartition => {
                Err(self.refused(code))
            }
            _ => Ok(()),
        }
    }
}
