use std::collections::BTreeSet;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use events::Topic;
use events::shop::OrderPlaced;
use kafka_transport::{Connection, EmbeddedCluster, Membership, Pace};
use messaging::audit::Verdict;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};
use simulation::broker::{Place, Stored};

use crate::broker::{Broker, Capability, End, Member, Refusal};
use crate::shop;

/// No case waits longer for anything; one that gets here has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// How long a member may be silent: what Kafka allows at least.
const SESSION_TIMEOUT_MS: &str = "6000";

/// A broker that is reached by Kafka's protocol, with plain clients of librdkafka.
pub(crate) struct Kafka {
    name: &'static str,
    capabilities: &'static [Capability],
    /// How our own clients reach it.
    pub(crate) connection: Connection,
    pub(crate) pace: Pace,
    membership: Membership,
    config: ClientConfig,
    producer: ThreadedProducer<Reports>,
}

impl Kafka {
    pub(crate) fn embedded(cluster: &EmbeddedCluster) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", cluster.brokers()).set("fetch.wait.max.ms", "5");
        Self {
            name: "the embedded cluster",
            capabilities: &[Capability::Protocol],
            connection: Connection::plaintext(&cluster.brokers()),
            pace: Pace::FULL,
            membership: Membership::Sole,
            producer: producer(&config),
            config,
        }
    }

    fn consumer(&self, group: &str) -> BaseConsumer {
        self.config.clone().set("group.id", group).set("enable.auto.commit", "false").create().unwrap()
    }
}

fn producer(config: &ClientConfig) -> ThreadedProducer<Reports> {
    let mut config = config.clone();
    config
        .set("acks", "all")
        .set("linger.ms", "1")
        .set("allow.auto.create.topics", "false")
        // The default gives a topic half a minute to appear.
        .set("topic.metadata.propagation.max.ms", "500");
    config.create_with_context(Reports).unwrap()
}

impl Broker for Kafka {
    fn name(&self) -> &'static str {
        self.name
    }

    fn capabilities(&self) -> &'static [Capability] {
        self.capabilities
    }

    fn as_kafka(&self) -> Option<&Kafka> {
        Some(self)
    }

    fn partitions(&self, topic: Topic) -> Option<usize> {
        let metadata = self.consumer("metadata").fetch_metadata(Some(topic.as_str()), DEADLINE).unwrap();
        let topic = metadata.topics().first().unwrap();
        topic.error().is_none().then(|| topic.partitions().len())
    }

    fn write(&self, topic: Topic, records: &[Stored]) -> Vec<Result<Place, Refusal>> {
        let (sender, reports) = sync_channel(records.len());
        for (index, Stored { key, value, headers }) in records.iter().enumerate() {
            let add = |list: OwnedHeaders, (key, value): &messaging::Header| {
                list.insert(Header { key, value: value.as_deref() })
            };
            let opaque = Box::new((index, sender.clone()));
            let mut record = BaseRecord::with_opaque_to(topic.as_str(), opaque);
            record = record.headers(headers.iter().fold(OwnedHeaders::new(), add));
            (record.key, record.payload) = (key.as_deref(), value.as_deref());
            if let Err((error, record)) = self.producer.send(record) {
                let (index, sender) = *record.delivery_opaque;
                sender.send((index, Err(error))).unwrap();
            }
        }
        let mut reported: Vec<_> = records.iter().map(|_| reports.recv_timeout(DEADLINE).unwrap()).collect();
        reported.sort_by_key(|(index, _)| *index);
        let place = |(partition, offset)| Place { topic, partition, offset };
        reported.into_iter().map(|(_, result)| result.map(place).map_err(refusal)).collect()
    }

    fn read(&self, topic: Topic, partition: i32, from: i64) -> Vec<Stored> {
        let consumer = self.consumer("reader");
        let (_, end) = consumer.fetch_watermarks(topic.as_str(), partition, DEADLINE).unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic.as_str(), partition, Offset::Offset(from)).unwrap();
        consumer.assign(&list).unwrap();
        let next = || stored(&consumer.poll(DEADLINE).expect("a record in time").unwrap());
        (from..end).map(|_| next()).collect()
    }

    fn join(&self, group: &str, topic: Topic, end: End) -> Box<dyn Member + '_> {
        Box::new(KafkaMember::join(self.config.clone(), group, topic, end))
    }

    fn committed(&self, group: &str, topic: Topic, partition: i32) -> Option<i64> {
        let mut list = TopicPartitionList::new();
        list.add_partition(topic.as_str(), partition);
        let committed = self.consumer(group).committed_offsets(list, DEADLINE).unwrap();
        committed.elements()[0].offset().to_raw().filter(|&offset| offset >= 0)
    }

    fn audit(&self, orders: &[OrderPlaced]) -> Verdict {
        shop::run(&self.connection, self.pace, self.membership.clone(), orders)
    }
}

struct KafkaMember {
    consumer: BaseConsumer,
    topic: Topic,
    seen: Vec<(i32, i64)>,
}

impl KafkaMember {
    fn join(mut config: ClientConfig, group: &str, topic: Topic, end: End) -> Self {
        if end == End::Dies {
            // librdkafka says farewell for every other member; one with a name is expected back until its session is over.
            config.set("group.instance.id", "mortal");
        }
        let consumer: BaseConsumer = config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("session.timeout.ms", SESSION_TIMEOUT_MS)
            // A member that takes no turn is silent, too.
            .set("max.poll.interval.ms", SESSION_TIMEOUT_MS)
            .set("heartbeat.interval.ms", "500")
            .create()
            .unwrap();
        consumer.subscribe(&[topic.as_str()]).unwrap();
        Self { consumer, topic, seen: Vec::new() }
    }
}

impl Member for KafkaMember {
    fn turn(&mut self) -> Vec<i32> {
        let until = Instant::now() + Duration::from_millis(50);
        while let Some(message) = self.consumer.poll(until.saturating_duration_since(Instant::now())) {
            let message = message.unwrap();
            self.seen.push((message.partition(), message.offset()));
        }
        let assigned: BTreeSet<i32> =
            self.consumer.assignment().unwrap().elements().iter().map(|element| element.partition()).collect();
        assigned.into_iter().collect()
    }

    fn seen(&self) -> &[(i32, i64)] {
        &self.seen
    }

    fn commit(&mut self, partition: i32, offset: i64) -> Result<(), Refusal> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(self.topic.as_str(), partition, Offset::Offset(offset)).unwrap();
        self.consumer.commit(&list, CommitMode::Sync).map_err(refusal)
    }

    fn end(self: Box<Self>) {}
}

fn stored(message: &BorrowedMessage<'_>) -> Stored {
    let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    let header = |header: Header<'_, &[u8]>| (header.key.to_owned(), bytes(header.value));
    let headers = message.headers().map(|headers| headers.iter().map(header).collect()).unwrap_or_default();
    Stored { key: bytes(message.key()), value: bytes(message.payload()), headers }
}

fn refusal(error: KafkaError) -> Refusal {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => Refusal::UnknownTopic,
        Some(RDKafkaErrorCode::UnknownMemberId | RDKafkaErrorCode::IllegalGeneration) => Refusal::LateMember,
        _ => panic!("{error}"),
    }
}

/// Where librdkafka reports deliveries, each to whom it may concern.
struct Reports;

type Delivery = (usize, Result<(i32, i64), KafkaError>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<(usize, SyncSender<Delivery>)>;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: Self::DeliveryOpaque) {
        let (index, sender) = *opaque;
        let place = |message: &BorrowedMessage<'_>| (message.partition(), message.offset());
        // Nobody waits any more where a case has failed.
        let _ = sender.send((index, result.as_ref().map(place).map_err(|(error, _)| error.clone())));
    }
}
