//! Whole batches from librdkafka in one call.
//!
//! The safe interface hands out one message a call, with a deadline computed for each: two to three microseconds of CPU an
//! order. It upholds three rules of librdkafka's header: a partition's queue is forwarded before the partition is assigned, so
//! that no message takes the other way; a message lives until it is destroyed, once; the queue is destroyed before its consumer.
#![expect(unsafe_code, reason = "rdkafka has no safe wrapper for librdkafka's batch consumption")]

use std::ffi::{CStr, CString};
use std::marker::PhantomData;
use std::os::raw::c_char;
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;

use events::Topic;
use messaging::Headers;
use rdkafka::TopicPartitionList;
use rdkafka::bindings as rdsys;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaRespErr;

use crate::member::Member;

/// A consumer whose partitions all end in one queue, which is read in batches.
pub(crate) struct BatchQueue {
    queue: NonNull<rdsys::rd_kafka_queue_t>,
    topic: Topic,
    consumer: BaseConsumer<Member>,
}

// SAFETY: librdkafka's queues and consumers may be used from any thread; the pointer is owned by this value alone.
unsafe impl Send for BatchQueue {}

/// What one fetch brought.
pub(crate) struct Batch<'q> {
    pub(crate) messages: Vec<Message<'q>>,
    /// Errors that came among them, in their order; none of the messages is missing for it.
    pub(crate) errors: Vec<KafkaError>,
}

impl BatchQueue {
    /// Assigns partitions of one topic, each from its offset in the list, and reads them through one queue. No other consumer of
    /// the group is asked.
    pub(crate) fn assign(
        consumer: BaseConsumer<Member>,
        topic: Topic,
        partitions: &TopicPartitionList,
    ) -> Result<Self, KafkaError> {
        let this = Self::new(consumer, topic)?;
        this.forward(partitions)?;
        this.consumer.assign(partitions)?;
        Ok(this)
    }

    /// Joins the consumer's group; which partitions it reads is decided there.
    pub(crate) fn subscribe(consumer: BaseConsumer<Member>, topic: Topic) -> Result<Self, KafkaError> {
        let this = Self::new(consumer, topic)?;
        this.consumer.subscribe(&[topic.as_str()])?;
        Ok(this)
    }

    fn new(consumer: BaseConsumer<Member>, topic: Topic) -> Result<Self, KafkaError> {
        // SAFETY: the client lives as long as the consumer, which this value owns and drops after the queue.
        let queue = NonNull::new(unsafe { rdsys::rd_kafka_queue_new(consumer.client().native_ptr()) });
        Ok(Self { queue: queue.ok_or_else(|| no_queue(topic))?, topic, consumer })
    }

    /// Reads these partitions too, each from its offset in the list.
    pub(crate) fn take(&self, partitions: &TopicPartitionList) -> Result<(), KafkaError> {
        self.forward(partitions)?;
        self.consumer.incremental_assign(partitions)
    }

    /// Reads these partitions no more.
    pub(crate) fn give_back(&self, partitions: &TopicPartitionList) -> Result<(), KafkaError> {
        self.consumer.incremental_unassign(partitions)
    }

    fn forward(&self, partitions: &TopicPartitionList) -> Result<(), KafkaError> {
        let name = CString::new(self.topic.as_str()).map_err(|_| no_queue(self.topic))?;
        let client = self.consumer.client().native_ptr();
        for element in partitions.elements() {
            // SAFETY: client and name are valid; the partition's queue is ours to destroy, and forwarding keeps its own reference.
            unsafe {
                let partition = rdsys::rd_kafka_queue_get_partition(client, name.as_ptr(), element.partition());
                if partition.is_null() {
                    return Err(no_queue(self.topic));
                }
                rdsys::rd_kafka_queue_forward(partition, self.queue.as_ptr());
                rdsys::rd_kafka_queue_destroy(partition);
            }
        }
        Ok(())
    }

    /// The consumer, for everything but fetching.
    pub(crate) fn consumer(&self) -> &BaseConsumer<Member> {
        &self.consumer
    }

    /// Waits up to `wait` for a first message, then takes what is there, up to `limit` messages.
    pub(crate) fn fetch(&self, wait: Duration, limit: usize) -> Batch<'_> {
        // Serves the client's own events; messages never come this way.
        let mut errors: Vec<KafkaError> =
            self.consumer.poll(Duration::ZERO).and_then(Result::err).into_iter().collect();
        if limit == 0 {
            return Batch { messages: Vec::new(), errors };
        }
        let wait_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        let mut pointers: Vec<*mut rdsys::rd_kafka_message_t> = vec![ptr::null_mut(); limit];
        // SAFETY: the queue is valid; the array has room for `limit` pointers. A batch call would wait out its whole time, so
        // only the first message is waited for.
        let count = unsafe {
            let first = rdsys::rd_kafka_consume_queue(self.queue.as_ptr(), wait_ms);
            if first.is_null() {
                0
            } else {
                pointers[0] = first;
                let room = &mut pointers[1..];
                let more = rdsys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, room.as_mut_ptr(), room.len());
                1 + usize::try_from(more).unwrap_or(0)
            }
        };
        let mut messages = Vec::with_capacity(count);
        for message in pointers.into_iter().take(count).filter_map(NonNull::new) {
            let message = Message { message, queue: PhantomData };
            match message.error() {
                None => messages.push(message),
                Some(code) => errors.push(KafkaError::MessageConsumption(code)),
            }
        }
        Batch { messages, errors }
    }
}

fn no_queue(topic: Topic) -> KafkaError {
    KafkaError::Subscription(format!("{topic}: no queue"))
}

impl Drop for BatchQueue {
    fn drop(&mut self) {
        self.consumer.context().leave();
        // SAFETY: made in `new`, destroyed here only; the consumer is dropped after this body, or its drop would hang.
        unsafe { rdsys::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// A fetched message. Its headers are parsed when somebody asks for them.
pub(crate) struct Message<'q> {
    message: NonNull<rdsys::rd_kafka_message_t>,
    queue: PhantomData<&'q BatchQueue>,
}

impl Message<'_> {
    fn native(&self) -> &rdsys::rd_kafka_message_t {
        // SAFETY: valid until this value is dropped.
        unsafe { self.message.as_ref() }
    }

    fn error(&self) -> Option<RDKafkaErrorCode> {
        let code = self.native().err;
        (code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| code.into())
    }

    pub(crate) fn partition(&self) -> i32 {
        self.native().partition
    }

    pub(crate) fn offset(&self) -> i64 {
        self.native().offset
    }

    pub(crate) fn key(&self) -> Option<&[u8]> {
        let native = self.native();
        // SAFETY: librdkafka says where the key is and how long.
        unsafe { bytes(native.key.cast(), native.key_len) }
    }

    pub(crate) fn value(&self) -> Option<&[u8]> {
        let native = self.native();
        // SAFETY: librdkafka says where the value is and how long.
        unsafe { bytes(native.payload.cast(), native.len) }
    }
}

impl Headers for Message<'_> {
    fn visit<'a>(&'a self, each: &mut dyn FnMut(&'a str, Option<&'a [u8]>)) {
        // SAFETY: the message lives as long as this value.
        unsafe { visit(self.message.as_ptr(), each) }
    }
}

/// The headers of a message that came through the safe interface, whose own reading would panic at a name that is no UTF-8.
pub(crate) struct HeadersOf<'m>(pub(crate) &'m BorrowedMessage<'m>);

impl Headers for HeadersOf<'_> {
    fn visit<'a>(&'a self, each: &mut dyn FnMut(&'a str, Option<&'a [u8]>)) {
        // SAFETY: the message lives longer than this value.
        unsafe { visit(self.0.ptr(), each) }
    }
}

/// Shows each header of a message.
///
/// # Safety
/// The message lives as long as what is shown is used.
unsafe fn visit<'a>(message: *const rdsys::rd_kafka_message_t, each: &mut dyn FnMut(&'a str, Option<&'a [u8]>)) {
    let mut headers = ptr::null_mut();
    // SAFETY: the headers belong to the message and live as long; names end in NUL. Any error means that there are no (more)
    // headers.
    unsafe {
        if rdsys::rd_kafka_message_headers(message, &mut headers) != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return;
        }
        for index in 0.. {
            let (mut name, mut value, mut len) = (ptr::null::<c_char>(), ptr::null(), 0);
            if rdsys::rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut len)
                != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
            {
                return;
            }
            // A name that is no UTF-8 cannot be one of ours; its value still belongs into a dead letter.
            each(CStr::from_ptr(name).to_str().unwrap_or("?"), bytes(value.cast(), len));
        }
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        // SAFETY: fetched once, destroyed once, before its queue.
        unsafe { rdsys::rd_kafka_message_destroy(self.message.as_ptr()) }
    }
}

/// The bytes that librdkafka points to; `None` for a null pointer, which is how Kafka says "no key" or "tombstone".
///
/// # Safety
/// `start` is null, or `len` bytes behind it live as long as the result is used.
unsafe fn bytes<'a>(start: *const u8, len: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start, len) })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use messaging::Header;
    use rdkafka::Offset;
    use rdkafka::message::{Header as RawHeader, OwnedHeaders};
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};

    use super::*;
    use crate::{Connection, Pace, settings};

    const TOPIC: Topic = Topic::new("order_placed");
    const DEADLINE: Duration = Duration::from_secs(8);
    const WAIT: Duration = Duration::from_millis(5);

    /// What a writer states and a reader must see.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    struct Content {
        key: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
        headers: Vec<Header>,
    }

    impl Content {
        fn of(message: &Message<'_>) -> Self {
            let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
            Self { key: bytes(message.key()), value: bytes(message.value()), headers: message.to_list() }
        }

        fn numbered(n: i64) -> Self {
            Self { value: Some(n.to_string().into_bytes()), ..Self::default() }
        }
    }

    /// One topic, and a producer that writes to it.
    struct Broker {
        producer: BaseProducer,
        cluster: MockCluster<'static, DefaultProducerContext>,
    }

    impl Broker {
        fn with_partitions(partitions: i32) -> Self {
            let cluster = MockCluster::new(1).unwrap();
            cluster.create_topic(TOPIC.as_str(), partitions, 1).unwrap();
            let producer =
                settings::producer(&Connection::plaintext(&cluster.bootstrap_servers()), Pace::FULL).create().unwrap();
            Self { producer, cluster }
        }

        fn write(&self, partition: i32, contents: impl IntoIterator<Item = Content>) {
            for Content { key, value, headers } in contents {
                let add = |list: OwnedHeaders, (name, value): &Header| {
                    list.insert(RawHeader { key: name, value: value.as_deref() })
                };
                let headers = headers.iter().fold(OwnedHeaders::new(), add);
                let mut record = BaseRecord::to(TOPIC.as_str()).partition(partition).headers(headers);
                (record.key, record.payload) = (key.as_deref(), value.as_deref());
                self.producer.send(record).map_err(|(error, _): (_, BaseRecord<'_, [u8], [u8]>)| error).unwrap();
            }
            self.producer.flush(DEADLINE).unwrap();
        }

        /// A queue of these partitions, each from its offset.
        fn read(&self, from: &[(i32, i64)]) -> BatchQueue {
            let config =
                settings::consumer(&Connection::plaintext(&self.cluster.bootstrap_servers()), "group", Pace::FULL);
            let mut partitions = TopicPartitionList::new();
            for &(partition, offset) in from {
                partitions.add_partition_offset(TOPIC.as_str(), partition, Offset::Offset(offset)).unwrap();
            }
            BatchQueue::assign(config.create_with_context(Member::default()).unwrap(), TOPIC, &partitions).unwrap()
        }
    }

    /// Waits until so much stands in the queue itself.
    #[track_caller]
    fn wait_for(queue: &BatchQueue, count: usize) {
        let deadline = Instant::now() + DEADLINE;
        // SAFETY: the queue is valid.
        while unsafe { rdsys::rd_kafka_queue_length(queue.queue.as_ptr()) } < count {
            assert!(Instant::now() < deadline, "{count} are not there");
            std::thread::yield_now();
        }
    }

    /// Fetches until there are so many messages; `each` sees them.
    #[track_caller]
    fn fetch(queue: &BatchQueue, count: usize, limit: usize, mut each: impl FnMut(&Message<'_>)) {
        let deadline = Instant::now() + DEADLINE;
        let mut seen = 0;
        while seen < count {
            let Batch { messages, errors } = queue.fetch(WAIT, limit);
            assert!(errors.is_empty(), "{errors:?}");
            assert!(messages.len() <= limit, "{} messages, {limit} allowed", messages.len());
            seen += messages.len();
            messages.iter().for_each(&mut each);
            assert!(Instant::now() < deadline, "{seen} of {count}");
        }
        assert_eq!(seen, count);
    }

    #[test]
    fn null_empty_and_any_other_bytes_are_seen_as_they_were_written() {
        let header = |name: &str, value: Option<&[u8]>| (name.to_owned(), value.map(<[u8]>::to_vec));
        let some = |bytes: &[u8]| Some(bytes.to_vec());
        let contents = vec![
            Content::default(),
            Content { key: some(b""), value: some(b""), headers: Vec::new() },
            Content { key: None, value: some(b"\xff\x00\xfe"), headers: Vec::new() },
            Content { key: some(b"\x00"), value: None, headers: vec![header("only", None)] },
            Content {
                key: some(b"\xff"),
                value: some(b"{}"),
                headers: vec![
                    header("repeated", Some(b"1")),
                    header("null", None),
                    header("repeated", Some(b"\xff\x00\xfe")),
                    header("empty", Some(b"")),
                    header("", Some(b"no name")),
                    header("größe", Some("größe".as_bytes())),
                    header("repeated", None),
                ],
            },
            Content { value: Some(vec![7; 900_000]), ..Content::default() },
        ];
        let broker = Broker::with_partitions(1);
        broker.write(0, contents.clone());
        let mut seen = Vec::new();
        fetch(&broker.read(&[(0, 0)]), contents.len(), 100, |message| seen.push(Content::of(message)));
        assert_eq!(seen, contents);
    }

    #[test]
    fn partitions_are_read_in_order_without_a_gap_from_where_each_was_assigned() {
        const COUNT: i64 = 3_000;
        let broker = Broker::with_partitions(3);
        (0..3).for_each(|partition| broker.write(partition, (0..COUNT).map(Content::numbered)));
        for limit in [1, 2, 97, 100_000] {
            let from = [(0, 0), (1, 2_900), (2, 1)];
            let mut next = from.map(|(_, offset)| offset);
            let count = (3 * COUNT - 2_901) as usize;
            fetch(&broker.read(&from), count, limit, |message| {
                let expected = &mut next[message.partition() as usize];
                assert_eq!(message.offset(), *expected, "partition {}", message.partition());
                assert_eq!(Content::of(message), Content::numbered(*expected));
                *expected += 1;
            });
            assert_eq!(next, [COUNT; 3], "limit {limit}");
        }
    }

    #[test]
    fn a_limit_of_none_takes_none_and_loses_none() {
        let broker = Broker::with_partitions(1);
        broker.write(0, (0..10).map(Content::numbered));
        let queue = broker.read(&[(0, 0)]);
        wait_for(&queue, 10);
        for _ in 0..3 {
            assert_eq!(queue.fetch(WAIT, 0).messages.len(), 0);
        }
        let mut offsets = Vec::new();
        fetch(&queue, 10, 100, |message| offsets.push(message.offset()));
        assert_eq!(offsets, (0..10).collect::<Vec<i64>>());
    }

    #[test]
    fn errors_among_messages_cost_none_of_them_and_hide_none_of_each_other() {
        let broker = Broker::with_partitions(5);
        for partition in [0, 2, 4] {
            broker.write(partition, (0..10).map(Content::numbered));
        }
        let queue = broker.read(&[(0, 0), (1, 1_000), (2, 0), (3, 1_000), (4, 0)]); // two have no such offset
        // An assignment puts an entry for each partition into the queue that is no message.
        wait_for(&queue, 5 + 3 * 10 + 2);
        let Batch { messages, errors } = queue.fetch(WAIT, 100);
        for partition in [0, 2, 4] {
            let of_it = messages.iter().filter(|message| message.partition() == partition);
            assert_eq!(of_it.map(Message::offset).collect::<Vec<i64>>(), (0..10).collect::<Vec<i64>>());
        }
        assert_eq!(messages.len(), 30);
        assert_eq!(errors, vec![KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset); 2]);
    }

    #[test]
    fn nothing_to_fetch_is_an_empty_batch() {
        let broker = Broker::with_partitions(1);
        let queue = broker.read(&[(0, 0)]);
        let Batch { messages, errors } = queue.fetch(WAIT, 10);
        assert_eq!((messages.len(), errors.len()), (0, 0));
    }

    #[test]
    fn messages_may_go_in_any_order_while_others_are_fetched() {
        let broker = Broker::with_partitions(1);
        broker.write(0, (0..90).map(Content::numbered));
        let queue = broker.read(&[(0, 0)]);
        wait_for(&queue, 90);
        let mut kept = queue.fetch(WAIT, 30).messages;
        let mut later = queue.fetch(WAIT, 30).messages;
        kept.truncate(10);
        kept.reverse();
        later.drain(5..25);
        drop(queue.fetch(WAIT, 30));
        let offsets = |messages: &[Message<'_>]| messages.iter().map(Message::offset).collect::<Vec<i64>>();
        assert_eq!(offsets(&kept), (0..10).rev().collect::<Vec<i64>>());
        assert_eq!(offsets(&later), (30..35).chain(55..60).collect::<Vec<i64>>());
        assert!(kept.iter().all(|message| Content::of(message) == Content::numbered(message.offset())));
        drop(kept);
        assert!(later.iter().all(|message| Content::of(message) == Content::numbered(message.offset())));
    }

    #[test]
    fn consumers_end_whether_their_messages_were_fetched_or_not() {
        let broker = Broker::with_partitions(3);
        (0..3).for_each(|partition| broker.write(partition, (0..100).map(Content::numbered)));
        for round in 0..50 {
            let queue = broker.read(&[(0, 0), (1, 50), (2, 100)]);
            match round % 3 {
                0 => {} // at once
                1 => wait_for(&queue, 150),
                _ => fetch(&queue, 150, 40, |_| {}),
            }
        }
    }

    #[test]
    fn what_was_fetched_and_dropped_takes_no_memory() {
        const MESSAGE: usize = 100_000;
        let broker = Broker::with_partitions(1);
        let queue = broker.read(&[(0, 0)]);
        let round = || {
            let content = Content { value: Some(vec![7; MESSAGE]), ..Content::default() };
            broker.write(0, vec![content; 40]); // less than the cluster keeps
            fetch(&queue, 40, 10, |_| {});
        };
        (0..5).for_each(|_| round()); // until the buffers have their sizes
        let before = resident_bytes();
        (0..25).for_each(|_| round());
        let grown = resident_bytes().saturating_sub(before);
        assert!(grown < 250 * MESSAGE, "{grown} bytes more after 1,000 messages of {MESSAGE}");
    }

    fn resident_bytes() -> usize {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
    }
}
