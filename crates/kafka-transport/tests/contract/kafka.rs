use std::collections::BTreeSet;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use events::Topic;
use events::shop::OrderPlaced;
use kafka_cluster::{ADMIN, Cluster, Distribution, Options};
use kafka_transport::{Admin, Connection, EmbeddedCluster, Error, Membership, Pace, TopicShape};
use messaging::audit::Verdict;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};
use simulation::broker::{Place, Stored};
use topology::{System, Topology};

use crate::broker::{Broker, Capability, End, Member, Refusal};
use crate::cases::until;
use crate::shop;
use crate::suite::{self, Case};

/// No case waits longer for anything; one that gets here has failed. A write that nobody confirms takes 30 s.
pub(crate) const DEADLINE: Duration = Duration::from_secs(45);

/// How long one look at what a consumer has takes.
pub(crate) const TURN: Duration = Duration::from_millis(50);

/// How long a member may be silent: what Kafka allows at least.
const SESSION_TIMEOUT_MS: &str = "6000";

/// A user without any right.
pub(crate) const STRANGER: &str = "stranger";

/// Kafka's default for a topic's largest batch.
pub(crate) const MAX_MESSAGE_BYTES: u32 = 1_048_588;

/// A broker that is reached by Kafka's protocol, with plain clients of librdkafka.
pub(crate) struct Kafka {
    name: &'static str,
    capabilities: &'static [Capability],
    /// How our own clients reach it.
    pub(crate) connection: Connection,
    pub(crate) pace: Pace,
    membership: Membership,
    /// Replicas of each topic.
    pub(crate) replication: u16,
    config: ClientConfig,
    producer: ThreadedProducer<Reports>,
    /// What can be killed.
    pub(crate) cluster: Option<Cluster>,
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
            replication: 1,
            producer: producer(&config),
            config,
            cluster: None,
        }
    }

    /// One broker without security, with the topics of these cases.
    pub(crate) fn kraft(cases: &[Case]) -> Self {
        use Capability::{Creation, Durability, Protocol, Settings};
        let cluster = Options::kraft().start(&Distribution::find().unwrap()).unwrap();
        let capabilities = &[Protocol, Creation, Settings, Durability];
        let config = ClientConfig::new();
        Self::apache("a KRaft broker", capabilities, 1, config, cluster).with_topics(cases)
    }

    /// Three brokers behind TLS, SCRAM and ACLs, with the topics of these cases.
    pub(crate) fn secured(cases: &[Case]) -> Self {
        use Capability::{Creation, Durability, Protocol, Replication, Security, Settings};
        let topology = Topology::built_in().unwrap();
        let cluster = Options::secured(&topology).with_user(STRANGER).start(&Distribution::find().unwrap()).unwrap();
        let config = sasl_ssl(&cluster, ADMIN);
        let capabilities = &[Protocol, Creation, Settings, Durability, Replication, Security];
        Self::apache("the secured cluster", capabilities, 3, config, cluster).with_topics(cases)
    }

    fn apache(
        name: &'static str,
        capabilities: &'static [Capability],
        replication: u16,
        mut config: ClientConfig,
        cluster: Cluster,
    ) -> Self {
        config.set("bootstrap.servers", cluster.brokers());
        Self {
            name,
            capabilities,
            connection: cluster.connection(),
            pace: Pace::BROKERS,
            membership: Membership::Shared { instance: None },
            replication,
            producer: producer(&config),
            config,
            cluster: Some(cluster),
        }
    }

    fn with_topics(self, cases: &[Case]) -> Self {
        let topics = suite::topics(cases);
        let shapes: Vec<_> =
            topics.iter().map(|(topic, partitions)| (topic.as_str(), self.shape(partitions.unsigned_abs()))).collect();
        Admin::connect(&self.connection).and_then(|admin| admin.create(&shapes)).unwrap();
        self
    }

    fn shape(&self, partitions: u32) -> TopicShape {
        let Self { replication, .. } = *self;
        TopicShape { partitions, replication, retention_ms: -1, max_message_bytes: MAX_MESSAGE_BYTES }
    }

    /// The shop's services, with the connection of each that runs in a pipeline of its own: where there is security, as its own user.
    fn parts(&self) -> Vec<(Connection, Vec<String>)> {
        let topology = Topology::built_in().unwrap();
        let services = topology.services_of(System::Shop).map(|service| service.name.clone());
        if self.membership == Membership::Sole {
            return vec![(self.connection.clone(), services.collect())]; // it counts all that is written
        }
        let connection_of = |service: &str| match &self.cluster {
            Some(cluster) if self.capabilities.contains(&Capability::Security) => {
                cluster.connection_as(service).unwrap()
            }
            _ => self.connection.clone(),
        };
        services.map(|service| (connection_of(&service), vec![service])).collect()
    }

    /// What a plain client is told to be one of the users.
    pub(crate) fn config_as(&self, user: &str) -> ClientConfig {
        let cluster = self.cluster.as_ref().unwrap();
        let mut config = sasl_ssl(cluster, user);
        config.set("bootstrap.servers", cluster.brokers());
        config
    }

    /// The broker that leads a partition, if one does.
    pub(crate) fn leader(&self, topic: Topic, partition: i32) -> Option<u8> {
        let metadata = self.consumer("metadata").fetch_metadata(Some(topic.as_str()), DEADLINE).unwrap();
        let partitions = metadata.topics().first().unwrap().partitions();
        partitions.iter().find(|known| known.id() == partition).and_then(|known| u8::try_from(known.leader()).ok())
    }

    /// How many replicas of a partition are in sync.
    pub(crate) fn in_sync(&self, topic: Topic, partition: i32) -> usize {
        let metadata = self.consumer("metadata").fetch_metadata(Some(topic.as_str()), DEADLINE).unwrap();
        let partitions = metadata.topics().first().unwrap().partitions();
        partitions.iter().find(|known| known.id() == partition).map_or(0, |known| known.isr().len())
    }

    fn consumer(&self, group: &str) -> BaseConsumer {
        self.config.clone().set("group.id", group).set("enable.auto.commit", "false").create().unwrap()
    }
}

fn sasl_ssl(cluster: &Cluster, user: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("security.protocol", "SASL_SSL")
        .set("sasl.mechanism", "SCRAM-SHA-512")
        .set("sasl.username", user)
        .set("sasl.password", cluster.password(user).unwrap())
        .set("ssl.ca.location", cluster.ca_file().unwrap().to_string_lossy());
    config
}

pub(crate) fn producer(config: &ClientConfig) -> ThreadedProducer<Reports> {
    let mut config = config.clone();
    config
        .set("acks", "all")
        .set("linger.ms", "1")
        // Without idempotence a write that is repeated would come behind those that were under way with it.
        .set("max.in.flight", "1")
        // What is too large is for the broker to say.
        .set("message.max.bytes", "2097152")
        .set("allow.auto.create.topics", "false")
        // The default gives a topic half a minute to appear; brokers that all come back at once know none for seconds.
        .set("topic.metadata.propagation.max.ms", "5000");
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

    fn create(&self, topic: Topic, partitions: usize) -> Result<(), Refusal> {
        let topics = [(topic.as_str(), self.shape(partitions as u32))];
        match Admin::connect(&self.connection).unwrap().create(&topics) {
            Ok(()) => Ok(()),
            Err(Error::Kafka { source, .. }) => Err(refusal(source)),
            Err(error) => panic!("{error}"),
        }
    }

    fn partitions(&self, topic: Topic) -> Option<usize> {
        let metadata = self.consumer("metadata").fetch_metadata(Some(topic.as_str()), DEADLINE).unwrap();
        let topic = metadata.topics().first().unwrap();
        topic.error().is_none().then(|| topic.partitions().len())
    }

    fn write(&self, topic: Topic, records: &[Stored]) -> Vec<Result<Place, Refusal>> {
        write(&self.producer, topic, records)
    }

    fn read(&self, topic: Topic, partition: i32, from: i64) -> Vec<Stored> {
        let consumer = self.consumer("reader");
        let (_, end) = consumer.fetch_watermarks(topic.as_str(), partition, DEADLINE).unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic.as_str(), partition, Offset::Offset(from)).unwrap();
        consumer.assign(&list).unwrap();
        let mut records = Vec::new();
        until("the records of a partition", || {
            // An error is passing: its leader has moved, or is asked too early.
            records.extend(consumer.poll(TURN).and_then(Result::ok).map(|message| stored(&message)));
            records.len() as i64 == end - from
        });
        records
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
        shop::run(self.parts(), &self.membership, self.pace, orders)
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
        let deadline = Instant::now() + TURN;
        while let Some(message) = self.consumer.poll(deadline.saturating_duration_since(Instant::now())) {
            self.seen.extend(message.ok().map(|message| (message.partition(), message.offset())));
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

impl Drop for KafkaMember {
    fn drop(&mut self) {
        // The end of one that has not heard yet that its partitions are lost may wait for ever: librdkafka's issue 4884.
        self.turn();
    }
}

/// Writes records without waiting in between.
pub(crate) fn write(
    producer: &ThreadedProducer<Reports>,
    topic: Topic,
    records: &[Stored],
) -> Vec<Result<Place, Refusal>> {
    let (sender, reports) = sync_channel(records.len());
    for (index, Stored { key, value, headers }) in records.iter().enumerate() {
        let add =
            |list: OwnedHeaders, (key, value): &messaging::Header| list.insert(Header { key, value: value.as_deref() });
        let mut record = BaseRecord::with_opaque_to(topic.as_str(), Box::new((index, sender.clone())));
        record = record.headers(headers.iter().fold(OwnedHeaders::new(), add));
        (record.key, record.payload) = (key.as_deref(), value.as_deref());
        if let Err((error, _)) = producer.send(record) {
            sender.send((index, Err(error))).unwrap();
        }
    }
    let mut reported: Vec<_> = records.iter().map(|_| reports.recv_timeout(DEADLINE).unwrap()).collect();
    reported.sort_by_key(|(index, _)| *index);
    let place = |(partition, offset)| Place { topic, partition, offset };
    reported.into_iter().map(|(_, result)| result.map(place).map_err(refusal)).collect()
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
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => Refusal::Forbidden,
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => Refusal::TooLarge,
        _ if error == KafkaError::AdminOp(RDKafkaErrorCode::TopicAlreadyExists) => Refusal::TopicExists,
        _ => panic!("{error}"),
    }
}

/// Where librdkafka reports deliveries, each to whom it may concern.
pub(crate) struct Reports;

pub(crate) type Delivery = (usize, Result<(i32, i64), KafkaError>);

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
