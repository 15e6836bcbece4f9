//! Topics read from outside: no group is joined, nothing is committed.

use std::time::{Duration, Instant};

use events::Topic;
use messaging::Record;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use crate::batch_queue::HeadersOf;
use crate::heard::Heard;
use crate::reader::{Reader, is_forbidden};
use crate::{Connection, Error, Pace, settings};

/// librdkafka wants a group's name for whatever consumes; this one has no members and no offsets.
const NO_GROUP: &str = "orderflow.reader";

/// Records that are read in one go where all of them are, and how long the first of them is waited for.
const BATCH: usize = 4_096;
const WAIT: Duration = Duration::from_millis(50);

/// A part of a partition: its records from one offset up to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The topic.
    pub topic: Topic,
    /// The partition within it.
    pub partition: i32,
    /// The offset of its first record.
    pub from: i64,
    /// The offset behind its last record.
    pub to: i64,
}

impl Span {
    /// What comes behind it, on and on.
    #[must_use]
    pub fn onwards(self) -> Self {
        Self { from: self.to, to: i64::MAX, ..self }
    }

    /// Whether nothing is left of it.
    pub fn is_empty(&self) -> bool {
        self.from >= self.to
    }

    /// Whether it ends, however late.
    fn has_end(&self) -> bool {
        self.to < i64::MAX
    }
}

/// Reads topics in bounded batches: from where to where is the caller's choice.
pub struct TopicReader {
    /// Asks, so that no question takes a record away from the consumer.
    reader: Reader,
    consumer: BaseConsumer<Heard>,
    heard: Heard,
    connection: Connection,
    /// What is left to be read of each partition.
    rest: Vec<Span>,
    /// Where the last record was found: the next one is mostly of the same partition.
    last: usize,
    /// How long it was waited for the next record, over all calls.
    silence: Duration,
}

impl TopicReader {
    /// A reader that has nothing to read yet.
    ///
    /// # Errors
    /// Where the brokers refuse us or do not answer within ten seconds.
    pub fn connect(connection: &Connection) -> Result<Self, Error> {
        let heard = Heard::default();
        let consumer = settings::consumer(connection, NO_GROUP, Pace::STEADY)
            .set("enable.auto.commit", "false")
            .create_with_context(heard.clone())
            .map_err(Error::kafka("topic reader: create the consumer"))?;
        let reader = Reader::new(connection, &settings::client(connection))?;
        // Whoever knows the leaders need not look for them at the first question.
        reader.ask("DESCRIBE", "the cluster", |client, wait| client.fetch_metadata(None, wait))?;
        let connection = connection.clone();
        Ok(Self { reader, consumer, heard, connection, rest: Vec::new(), last: 0, silence: Duration::ZERO })
    }

    /// What stands in these topics now, partition by partition.
    ///
    /// # Errors
    /// Where a topic is not there or may not be read, or the brokers do not answer within ten seconds.
    pub fn spans(&self, topics: impl IntoIterator<Item = Topic>) -> Result<Vec<Span>, Error> {
        let mut spans = Vec::new();
        for topic in topics {
            let Some(partitions) = self.partitions(topic)? else {
                return Err(Error::UnknownTopic { address: self.reader.address(), topic });
            };
            for partition in 0..partitions {
                spans.push(self.span(topic, partition)?);
            }
        }
        Ok(spans)
    }

    /// How many partitions a topic has; `None` where there is no such topic.
    ///
    /// # Errors
    /// As [`TopicReader::spans`].
    pub fn partitions(&self, topic: Topic) -> Result<Option<u32>, Error> {
        Ok(self.reader.replicas(topic.as_str())?.map(|replicas| replicas.len() as u32))
    }

    /// What stands in one partition now.
    ///
    /// # Errors
    /// As [`TopicReader::spans`].
    pub fn span(&self, topic: Topic, partition: u32) -> Result<Span, Error> {
        let partition = partition.cast_signed();
        let log = self.reader.log(topic.as_str(), partition)?;
        Ok(Span { topic, partition, from: log.start, to: log.end })
    }

    /// The parts of `spans` that were written at a time, in milliseconds since 1970, or later. The time is the one that the
    /// writer, or with `LogAppendTime` the broker, gave each record.
    ///
    /// # Errors
    /// Where the brokers do not answer within ten seconds.
    pub fn since(&self, mut spans: Vec<Span>, time_ms: i64) -> Result<Vec<Span>, Error> {
        let firsts = self.reader.ask("DESCRIBE", "the topics", |client, wait| {
            let mut times = TopicPartitionList::new();
            for span in &spans {
                times.add_partition_offset(span.topic.as_str(), span.partition, Offset::Offset(time_ms))?;
            }
            let firsts = client.offsets_for_times(times, wait)?;
            firsts
                .elements()
                .iter()
                .map(|first| first.error().map(|()| first.offset()))
                .collect::<KafkaResult<Vec<_>>>()
        })?;
        for (span, first) in spans.iter_mut().zip(firsts) {
            // Where nothing is as late there is none.
            span.from = if let Offset::Offset(first) = first { first.clamp(span.from, span.to) } else { span.to };
        }
        Ok(spans)
    }

    /// Begins to read these, in place of what it read before. A partition stands among them once at most.
    ///
    /// # Errors
    /// Where librdkafka takes no such assignment.
    pub fn begin(&mut self, spans: &[Span]) -> Result<(), Error> {
        let mut assignment = TopicPartitionList::new();
        let mut add = |span: &Span| {
            assignment.add_partition_offset(span.topic.as_str(), span.partition, Offset::Offset(span.from))
        };
        let added: Result<(), KafkaError> = spans.iter().filter(|span| !span.is_empty()).try_for_each(&mut add);
        added.and_then(|()| self.consumer.assign(&assignment)).map_err(Error::kafka("topic reader: assign"))?;
        (self.rest, self.last, self.silence) = (spans.to_vec(), 0, Duration::ZERO);
        Ok(())
    }

    /// Reads all of these, in place of what it read before, and shows each record to `each`, as [`TopicReader::read`] does. The first error of
    /// `each` ends it.
    ///
    /// # Errors
    /// As [`TopicReader::begin`] and [`TopicReader::read`]; what `each` says.
    pub fn read_all<E: From<Error>>(
        &mut self,
        spans: &[Span],
        mut each: impl FnMut(&Record<'_>, i64) -> Result<(), E>,
    ) -> Result<(), E> {
        self.begin(spans)?;
        let mut result = Ok(());
        while !self.is_done() && result.is_ok() {
            self.read(WAIT, BATCH, |record, at_ms| {
                if result.is_ok() {
                    result = each(record, at_ms);
                }
            })?;
        }
        result
    }

    /// What is left to be read of each partition.
    pub fn rest(&self) -> &[Span] {
        &self.rest
    }

    /// Whether everything was read.
    pub fn is_done(&self) -> bool {
        self.rest.iter().all(Span::is_empty)
    }

    /// Shows the next records to `each`, with the time of each in milliseconds since 1970: `limit` at most. It waits for the
    /// first of them up to `wait`.
    ///
    /// # Errors
    /// Where records were deleted before they were read, may not be read, or do not come for ten seconds although they stand.
    pub fn read(&mut self, wait: Duration, limit: usize, mut each: impl FnMut(&Record<'_>, i64)) -> Result<(), Error> {
        let (mut wait, mut asked_at) = (wait, Instant::now());
        for _ in 0..limit {
            if self.is_done() {
                return Ok(());
            }
            let message = match self.consumer.poll(wait) {
                None => break,
                Some(Err(error)) => {
                    self.check(&error)?;
                    continue;
                }
                Some(Ok(message)) => message,
            };
            wait = Duration::ZERO;
            let (partition, offset) = (message.partition(), message.offset());
            let Some(span) = find(&mut self.rest, &mut self.last, message.topic(), partition) else { continue };
            self.silence = Duration::ZERO;
            // What was written since may come too.
            if offset < span.to {
                let headers = &HeadersOf(&message);
                let (topic, key, value) = (span.topic, message.key(), message.payload());
                let record = Record { topic, partition, offset, key, value, headers, deliveries: None };
                each(&record, message.timestamp().to_millis().unwrap_or(0));
            }
            span.from = offset + 1;
            asked_at = Instant::now(); // the caller's own time is no silence
        }
        self.heard.lead_back(self.consumer.client(), &self.connection);
        self.silence += asked_at.elapsed();
        self.check_silence()
    }

    /// Errors that a consumer survives are librdkafka's to mend.
    fn check(&self, error: &KafkaError) -> Result<(), Error> {
        if let Some(refusal) = self.heard.refusal(&self.connection) {
            return Err(refusal);
        }
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset) => Err(Error::Deleted { address: self.reader.address() }),
            // Of our group's name, which does not matter.
            Some(RDKafkaErrorCode::GroupAuthorizationFailed) => Ok(()),
            Some(code) if is_forbidden(code) => Err(self.reader.forbidden("READ", "the topics")),
            _ => Ok(()),
        }
    }

    /// A record that stands comes soon, if it comes.
    fn check_silence(&self) -> Result<(), Error> {
        let deadline = settings::CONNECT_DEADLINE;
        let missing = self.rest.iter().find(|span| span.has_end() && !span.is_empty());
        let Some(Span { topic, partition, from, .. }) = missing.filter(|_| self.silence >= deadline) else {
            return Ok(());
        };
        let reason = format!("{topic}-{partition}@{from} did not come");
        let address = self.reader.address();
        Err(Error::Unreachable { address, deadline_s: deadline.as_secs(), reason })
    }
}

/// The span of a partition; `last` is where to look first.
fn find<'s>(spans: &'s mut [Span], last: &mut usize, topic: &str, partition: i32) -> Option<&'s mut Span> {
    let is_it = |span: &Span| span.partition == partition && span.topic.as_str() == topic;
    if !spans.get(*last).is_some_and(is_it) {
        *last = spans.iter().position(is_it)?;
    }
    spans.get_mut(*last)
}
