//! A member of a consumer group: what the group gives it and takes back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Statistics, TopicPartitionList};

use crate::heard::Heard;
use crate::metrics::Lag;

/// What the group decided, in the order in which it did. The group waits until the member has answered each with
/// [`crate::batch_queue::BatchQueue::take`] or [`crate::batch_queue::BatchQueue::give_back`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rebalance {
    /// These partitions are ours from now on.
    Assigned(Vec<i32>),
    /// These go to somebody else.
    Revoked(Vec<i32>),
}

/// Where librdkafka tells a member what happens. Decisions are only noted here: the loop that handles the partitions' records
/// answers them, once it is done with what it has begun.
#[derive(Debug, Default)]
pub(crate) struct Member {
    pub(crate) heard: Heard,
    rebalances: Mutex<VecDeque<Rebalance>>,
    is_leaving: AtomicBool,
    lag: Option<Lag>,
    /// Where the loop began in each partition: librdkafka knows no lag before the first offset is stored.
    began: Mutex<BTreeMap<i32, i64>>,
}

impl Member {
    /// One that also states how far it is behind.
    pub(crate) fn stating(lag: Option<Lag>) -> Self {
        Self { lag, ..Self::default() }
    }

    /// The oldest decision that was not answered yet.
    pub(crate) fn next_rebalance(&self) -> Option<Rebalance> {
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Tells where the loop begins in partitions.
    pub(crate) fn begin(&self, began: &BTreeMap<i32, i64>) {
        self.began.lock().unwrap_or_else(PoisonError::into_inner).extend(began);
    }

    /// From now on partitions are given back as soon as the group asks for them.
    pub(crate) fn leave(&self) {
        self.is_leaving.store(true, Ordering::Release);
    }
}

impl ClientContext for Member {
    fn error(&self, error: KafkaError, reason: &str) {
        self.heard.error(error, reason);
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.heard.log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        let Some(lag) = &self.lag else { return };
        let began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        for partition in statistics.topics.values().flat_map(|topic| topic.partitions.values()) {
            let since_it_began = || {
                let began = began.get(&partition.partition)?;
                (partition.hi_offset >= 0).then(|| (partition.hi_offset - began).max(0))
            };
            let stored = Some(partition.consumer_lag_stored).filter(|&lag| lag >= 0);
            let records = stored.or_else(since_it_began).filter(|_| partition.fetch_state == "active");
            if partition.partition >= 0 {
                lag.set(partition.partition, records);
            }
        }
    }
}

impl ConsumerContext for Member {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        if self.is_leaving.load(Ordering::Acquire) {
            // An empty answer is one too: without it the consumer waits for ever.
            let _ = consumer.unassign();
            return;
        }
        let numbers = partitions.elements().iter().map(|element| element.partition()).collect();
        let rebalance = match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assigned(numbers),
            _ => Rebalance::Revoked(numbers),
        };
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).push_back(rebalance);
    }
}
