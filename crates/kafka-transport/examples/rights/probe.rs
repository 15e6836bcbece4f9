//! What users may really do on a cluster: each right is found by using it.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use pollster::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};
use topology::{Operation, Resource, Topology};

/// Whoever is not answered by then is not answered any more.
const DEADLINE: Duration = Duration::from_secs(45);

/// Each of them is a client for each group, all at once, with a login and its TLS: more of them would wait for the machine, and not for a
/// broker.
const USERS_AT_ONCE: usize = 3;

/// How long one look at what a consumer has takes.
const TURN: Duration = Duration::from_millis(50);

/// A right as somebody has it: a user, Kafka's word for what it is about, its name, and what may be done with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Right {
    pub(crate) user: String,
    pub(crate) resource: &'static str,
    pub(crate) name: String,
    pub(crate) operation: &'static str,
}

/// The rights that a topology gives, without DESCRIBE on a group: who may READ it, may do that in any case.
pub(crate) fn declared(topology: &Topology) -> BTreeSet<Right> {
    let is_probed = |right: &topology::Right<'_>| {
        !matches!((right.resource, right.operation), (Resource::Group(_), Operation::Describe))
    };
    let right = |right: topology::Right<'_>| Right {
        user: right.user.to_owned(),
        resource: right.resource.kind(),
        name: right.resource.name().to_owned(),
        operation: right.operation.as_str(),
    };
    topology.rights().into_iter().filter(is_probed).map(right).collect()
}

/// Tries, as each of these users, everything that a topology knows. `config_as` is what a client is told to be one of them; `admin`
/// may do anything. In each topic records come to stand that nobody can decode.
pub(crate) fn found(
    topology: &Topology,
    admin: &ClientConfig,
    users: &[&str],
    config_as: &(dyn Fn(&str) -> ClientConfig + Sync),
) -> BTreeSet<Right> {
    let writer = Writer::new(admin);
    let records: Vec<Place> = topology.topics().map(|topic| writer.write(&topic.name).unwrap()).collect();
    let of_some = |users: &[&str]| {
        thread::scope(|scope| {
            let probe = |&user| {
                let records = &records;
                scope.spawn(move || rights_of(user, &config_as(user), topology, records))
            };
            let probes: Vec<_> = users.iter().map(probe).collect();
            probes.into_iter().flat_map(|probe| probe.join().unwrap()).collect::<Vec<Right>>()
        })
    };
    users.chunks(USERS_AT_ONCE).flat_map(of_some).collect()
}

/// Where a record stands.
struct Place {
    topic: String,
    partition: i32,
    offset: i64,
}

/// Tries everything, groups at the same time.
fn rights_of(user: &str, config: &ClientConfig, topology: &Topology, records: &[Place]) -> BTreeSet<Right> {
    let right = |resource, name: &str, operation| Right { user: user.into(), resource, name: name.into(), operation };
    thread::scope(|scope| {
        let joined = |(_, consumption): (_, &topology::Consumption)| {
            let (group, topic) = (consumption.group.clone(), consumption.topic.clone());
            scope.spawn(move || joins(config, &group, &topic).then_some(group))
        };
        let groups: Vec<_> = topology.groups().map(joined).collect();
        let client: BaseConsumer = config.create().unwrap();
        let writer = Writer::new(config);
        let mut rights = BTreeSet::new();
        for place in records {
            let topic = place.topic.as_str();
            let is_known = describes(&client, topic);
            // Who may READ may DESCRIBE; who may not is never answered when it reads.
            let tried = [
                ("DESCRIBE", is_known),
                ("READ", is_known && reads(config, place)),
                ("WRITE", writer.write(topic).is_some()),
            ];
            let allowed = tried.into_iter().filter(|(_, is_allowed)| *is_allowed);
            rights.extend(allowed.map(|(operation, _)| right("topic", topic, operation)));
        }
        if describes_settings(config, &client) {
            rights.insert(right("cluster", Resource::Cluster.name(), "DESCRIBE_CONFIGS"));
        }
        let groups = groups.into_iter().filter_map(|group| group.join().unwrap());
        rights.extend(groups.map(|group| right("group", &group, "READ")));
        rights
    })
}

fn describes(client: &BaseConsumer, topic: &str) -> bool {
    let metadata = client.fetch_metadata(Some(topic), DEADLINE).unwrap();
    match metadata.topics().first().unwrap().error().map(RDKafkaErrorCode::from) {
        None => true,
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => false,
        Some(code) => panic!("{topic}: {code}"),
    }
}

/// Each time with a new consumer, which has heard of no other refusal yet.
fn reads(config: &ClientConfig, Place { topic, partition, offset }: &Place) -> bool {
    let mut config = config.clone();
    // Else it would try to commit for 45 s at its end, in a group that is not its own.
    config.set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.set("group.id", "of nobody").create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, *partition, Offset::Offset(*offset)).unwrap();
    consumer.assign(&list).unwrap();
    heard("a record or a refusal", || match consumer.poll(TURN) {
        Some(Ok(_)) => Some(true),
        Some(Err(error)) => refused(&error, RDKafkaErrorCode::TopicAuthorizationFailed),
        None => None,
    })
}

/// Whether the group takes the user as a member. A topic that it may not read has no say in it.
fn joins(config: &ClientConfig, group: &str, topic: &str) -> bool {
    let consumer: BaseConsumer = config.clone().set("group.id", group).create().unwrap();
    consumer.subscribe(&[topic]).unwrap();
    heard("a place or a refusal", || {
        let error = consumer.poll(TURN).and_then(Result::err);
        let is_member = consumer.assignment().unwrap().count() > 0;
        is_member
            .then_some(true)
            .or(error.and_then(|error| refused(&error, RDKafkaErrorCode::GroupAuthorizationFailed)))
    })
}

/// Whether a broker tells its settings.
fn describes_settings(config: &ClientConfig, client: &BaseConsumer) -> bool {
    let broker = client.fetch_metadata(None, DEADLINE).unwrap().brokers().first().unwrap().id();
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    let options = AdminOptions::new().request_timeout(Some(DEADLINE));
    let told = block_on(admin.describe_configs(&[ResourceSpecifier::Broker(broker)], &options)).unwrap();
    // A refusal comes as a resource without settings.
    told.iter().all(|resource| resource.as_ref().is_ok_and(|resource| !resource.entries.is_empty()))
}

/// `Some(false)` where this refusal is heard.
fn refused(error: &KafkaError, refusal: RDKafkaErrorCode) -> Option<bool> {
    (error.rdkafka_error_code() == Some(refusal)).then_some(false)
}

fn heard(what: &str, mut ask: impl FnMut() -> Option<bool>) -> bool {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {} s for {what}", DEADLINE.as_secs());
    }
}

/// Writes one record at a time, and waits for what becomes of it.
struct Writer {
    producer: ThreadedProducer<Reports>,
    reports: Receiver<Delivery>,
}

type Delivery = Result<(i32, i64), KafkaError>;

struct Reports(SyncSender<Delivery>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let place = result.as_ref().map(|message| (message.partition(), message.offset()));
        let _ = self.0.send(place.map_err(|(error, _)| error.clone())); // nobody waits where a probe has failed
    }
}

impl Writer {
    fn new(config: &ClientConfig) -> Self {
        let (sender, reports) = sync_channel(1);
        let mut config = config.clone();
        config.set("acks", "all").set("linger.ms", "1").set("allow.auto.create.topics", "false");
        Self { producer: config.create_with_context(Reports(sender)).unwrap(), reports }
    }

    /// Where it stands then; nothing where that is not allowed.
    fn write(&self, topic: &str) -> Option<Place> {
        let sent = self.producer.send(BaseRecord::<(), ()>::to(topic)).map_err(|(error, _)| error);
        match sent.and_then(|()| self.reports.recv_timeout(DEADLINE).unwrap()) {
            Ok((partition, offset)) => Some(Place { topic: topic.to_owned(), partition, offset }),
            Err(error) => {
                let is_refusal = refused(&error, RDKafkaErrorCode::TopicAuthorizationFailed).is_some();
                assert!(is_refusal, "a write to {topic}: {error}");
                None
            }
        }
    }
}
