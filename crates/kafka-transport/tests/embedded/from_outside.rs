use std::time::{Duration, Instant};

use events::Topic;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::run::DEADLINE;

/// A record as it stands in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Stored {
    fn of(message: &OwnedMessage) -> Self {
        let header = |header: Header<'_, &[u8]>| (header.key.to_owned(), header.value.map(<[u8]>::to_vec));
        Self {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: message.headers().map(|headers| headers.iter().map(header).collect()).unwrap_or_default(),
        }
    }

    /// The values of all headers of this name.
    pub(crate) fn values(&self, name: &str) -> Vec<Option<&[u8]>> {
        self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_deref()).collect()
    }
}

/// All records of a topic, by partition and offset.
#[track_caller]
pub(crate) fn read(brokers: &str, topic: Topic, partitions: i32) -> Vec<Stored> {
    let reader = reader(brokers, "reader");
    let mut expected = 0;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        let (low, high) = reader.fetch_watermarks(topic.as_str(), partition, DEADLINE).unwrap();
        assert_eq!(low, 0, "{topic}-{partition}: records were dropped");
        expected += high as usize;
        assignment.add_partition_offset(topic.as_str(), partition, Offset::Offset(0)).unwrap();
    }
    reader.assign(&assignment).unwrap();
    let deadline = Instant::now() + DEADLINE;
    let mut records = Vec::new();
    while records.len() < expected {
        assert!(Instant::now() < deadline, "{topic}: {} of {expected} records read", records.len());
        if let Some(message) = reader.poll(Duration::from_millis(100)) {
            records.push(Stored::of(&message.unwrap().detach()));
        }
    }
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}

/// Where each partition of a topic ends.
pub(crate) fn ends(brokers: &str, topic: Topic, partitions: i32) -> Vec<i64> {
    let reader = reader(brokers, "reader");
    (0..partitions).map(|partition| reader.fetch_watermarks(topic.as_str(), partition, DEADLINE).unwrap().1).collect()
}

/// What a group has committed of each partition; `None` for nothing.
pub(crate) fn committed(brokers: &str, group: &str, topic: Topic, partitions: i32) -> Vec<Option<i64>> {
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic.as_str(), 0, partitions - 1);
    let committed = reader(brokers, group).committed_offsets(list, DEADLINE).unwrap();
    committed.elements().iter().map(|element| element.offset().to_raw().filter(|&offset| offset >= 0)).collect()
}

fn reader(brokers: &str, group: &str) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", group).set("enable.auto.commit", "false");
    config.set("fetch.wait.max.ms", "5").create().unwrap()
}

/// A producer that knows nothing of pipelines.
pub(crate) struct Stranger(BaseProducer);

impl Stranger {
    pub(crate) fn connect(brokers: &str) -> Self {
        Self(ClientConfig::new().set("bootstrap.servers", brokers).set("linger.ms", "0").create().unwrap())
    }

    /// Writes one record and waits until it stands.
    pub(crate) fn write(
        &self,
        topic: Topic,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) {
        let headers =
            headers.iter().fold(OwnedHeaders::new(), |list, &(key, value)| list.insert(Header { key, value }));
        let mut record = BaseRecord::to(topic.as_str()).partition(partition).headers(headers);
        (record.key, record.payload) = (key, value);
        self.0.send(record).map_err(|(error, _): (_, BaseRecord<'_, [u8], [u8]>)| error).unwrap();
        self.0.flush(DEADLINE).unwrap();
    }
}
