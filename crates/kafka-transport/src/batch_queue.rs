//! Whole batches from librdkafka in one call.
//!
//! The safe interface hands out one message a call, with a deadline computed for each: two to three microseconds of CPU an
//! order. This is the one module with `unsafe` code. It upholds three rules of librdkafka's header: a partition's queue is
//! forwarded before the partition is assigned, so that no message takes the other way; a message lives until it is
//! destroyed, once; the queue is destroyed before its consumer.
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
use rdkafka::types::RDKafkaRespErr;

/// A consumer whose partitions all end in one queue, which is read in batches.
pub(crate) struct BatchQueue {
    queue: NonNull<rdsys::rd_kafka_queue_t>,
    consumer: BaseConsumer,
}

// SAFETY: librdkafka's queues and consumers may be used from any thread; the pointer is owned by this value alone.
unsafe impl Send for BatchQueue {}

/// What one fetch brought.
pub(crate) struct Batch<'q> {
    pub(crate) messages: Vec<Message<'q>>,
    /// An error that came among them; they were fetched before it.
    pub(crate) error: Option<KafkaError>,
}

impl BatchQueue {
    /// Assigns partitions of one topic, each from its offset in the list, and reads them through one queue.
    pub(crate) fn assign(
        consumer: BaseConsumer,
        topic: Topic,
        partitions: &TopicPartitionList,
    ) -> Result<Self, KafkaError> {
        let client = consumer.client().native_ptr();
        // SAFETY: the client lives as long as the consumer, which this value owns and drops after the queue.
        let queue = NonNull::new(unsafe { rdsys::rd_kafka_queue_new(client) });
        let failed = || KafkaError::Subscription(format!("{topic}: no queue"));
        let this = Self { queue: queue.ok_or_else(failed)?, consumer };
        let name = CString::new(topic.as_str()).map_err(|_| failed())?;
        for element in partitions.elements() {
            // SAFETY: client and name are valid; the partition's queue is ours to destroy, and forwarding keeps its own reference.
            unsafe {
                let partition = rdsys::rd_kafka_queue_get_partition(client, name.as_ptr(), element.partition());
                if partition.is_null() {
                    return Err(failed());
                }
                rdsys::rd_kafka_queue_forward(partition, this.queue.as_ptr());
                rdsys::rd_kafka_queue_destroy(partition);
            }
        }
        this.consumer.assign(partitions)?;
        Ok(this)
    }

    /// The consumer, for everything but fetching.
    pub(crate) fn consumer(&self) -> &BaseConsumer {
        &self.consumer
    }

    /// Waits up to `wait` for a first message, then takes what is there, up to `limit` messages.
    pub(crate) fn fetch(&self, wait: Duration, limit: usize) -> Batch<'_> {
        // Serves the client's own events; messages never come this way.
        let mut error = self.consumer.poll(Duration::ZERO).and_then(Result::err);
        let wait_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        let mut pointers: Vec<*mut rdsys::rd_kafka_message_t> = vec![ptr::null_mut(); limit];
        // SAFETY: the queue is valid; the array has room for `limit` pointers. A batch call would wait out its whole time, so
        // only the first message is waited for.
        let count = unsafe {
            let first = rdsys::rd_kafka_consume_queue(self.queue.as_ptr(), wait_ms);
            if first.is_null() || limit == 0 {
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
                Some(code) => error = Some(KafkaError::MessageConsumption(code)),
            }
        }
        Batch { messages, error }
    }
}

impl Drop for BatchQueue {
    fn drop(&mut self) {
        // SAFETY: made in `assign`, destroyed here only; the consumer is dropped after this body, or its drop would hang.
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
        let mut headers = ptr::null_mut();
        // SAFETY: the headers belong to the message and live as long; names end in NUL. Any error means that there are no
        // (more) headers.
        unsafe {
            if rdsys::rd_kafka_message_headers(self.message.as_ptr(), &mut headers)
                != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
            {
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
