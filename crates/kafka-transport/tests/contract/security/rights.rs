use std::collections::BTreeSet;
use std::thread;

use events::Topic;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use simulation::broker::{Place, Stored};
use topology::Topology;

use crate::broker::{Broker, Refusal};
use crate::cases::until;
use crate::kafka::{DEADLINE, STRANGER, TURN, producer, write};

pub(super) fn everybody_may_do_what_the_topology_says_and_nothing_else(broker: &dyn Broker, _: Topic) {
    let kafka = broker.as_kafka().unwrap();
    let topology = Topology::built_in().unwrap();
    let right = |right: topology::Right<'_>| {
        let (kind, name) = (right.resource.kind(), right.resource.name());
        format!("{} may {} {kind} {name}", right.user, right.operation)
    };
    let declared: BTreeSet<String> = topology.rights().into_iter().map(right).collect();
    let records: Vec<Place> = topology.topics().map(|topic| one_record(broker, Topic::named(&topic.name))).collect();
    let users = topology.services().map(|service| service.name.as_str()).chain([STRANGER]);
    let found: BTreeSet<String> = thread::scope(|scope| {
        let probe = |user| {
            let config = kafka.config_as(user);
            let (topology, records) = (&topology, &records);
            scope.spawn(move || rights_of(user, &config, topology, records))
        };
        let probes: Vec<_> = users.map(probe).collect();
        probes.into_iter().flat_map(|probe| probe.join().unwrap()).collect()
    });
    let only_found: Vec<_> = found.difference(&declared).collect();
    let only_declared: Vec<_> = declared.difference(&found).collect();
    assert!(found == declared, "allowed but not declared: {only_found:#?}\ndeclared but refused: {only_declared:#?}");
}

/// A topic's record, for whoever may read it.
fn one_record(broker: &dyn Broker, topic: Topic) -> Place {
    broker.write(topic, &[Stored::default()]).swap_remove(0).unwrap()
}

/// Tries everything.
fn rights_of(user: &str, config: &ClientConfig, topology: &Topology, records: &[Place]) -> Vec<String> {
    let mut rights = Vec::new();
    let mut note = |is_allowed: bool, what: String| rights.extend(is_allowed.then(|| format!("{user} may {what}")));
    let client: BaseConsumer = config.clone().set("group.id", "of nobody").create().unwrap();
    let producer = producer(config);
    for place in records {
        let topic = place.topic;
        let is_known = describes(&client, topic);
        note(is_known, format!("DESCRIBE topic {topic}"));
        // Who may READ may DESCRIBE; who may not is never answered when it reads.
        note(is_known && reads(&client, place), format!("READ topic {topic}"));
        let is_written = match write(&producer, topic, &[Stored::default()])[..] {
            [Ok(_)] => true,
            [Err(Refusal::Forbidden)] => false,
            ref other => panic!("{user} writes to {topic}: {other:?}"),
        };
        note(is_written, format!("WRITE topic {topic}"));
    }
    for (_, consumption) in topology.groups() {
        note(joins(config, &consumption.group, &consumption.topic), format!("READ group {}", consumption.group));
    }
    rights
}

fn describes(client: &BaseConsumer, topic: Topic) -> bool {
    let metadata = client.fetch_metadata(Some(topic.as_str()), DEADLINE).unwrap();
    let refused = metadata.topics().first().unwrap().error().map(RDKafkaErrorCode::from);
    match refused {
        None => true,
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => false,
        Some(code) => panic!("{topic}: {code}"),
    }
}

fn reads(client: &BaseConsumer, &Place { topic, partition, offset }: &Place) -> bool {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic.as_str(), partition, Offset::Offset(offset)).unwrap();
    client.assign(&list).unwrap();
    let mut is_allowed = None;
    until("a record or a refusal", || {
        is_allowed = match client.poll(TURN) {
            Some(Ok(_)) => Some(true),
            Some(Err(error)) => refused(error.rdkafka_error_code(), RDKafkaErrorCode::TopicAuthorizationFailed),
            None => None,
        };
        is_allowed.is_some()
    });
    client.unassign().unwrap();
    is_allowed.unwrap()
}

/// Whether the group takes the user as a member. A topic that it may not read has no say in it.
fn joins(config: &ClientConfig, group: &str, topic: &str) -> bool {
    let consumer: BaseConsumer = config.clone().set("group.id", group).create().unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let mut is_allowed = None;
    until("a place or a refusal", || {
        let error = consumer.poll(TURN).and_then(Result::err).and_then(|error| error.rdkafka_error_code());
        let is_member = consumer.assignment().unwrap().count() > 0;
        is_allowed = is_member.then_some(true).or(refused(error, RDKafkaErrorCode::GroupAuthorizationFailed));
        is_allowed.is_some()
    });
    is_allowed.unwrap()
}

/// `Some(false)` where this refusal is heard.
fn refused(heard: Option<RDKafkaErrorCode>, refusal: RDKafkaErrorCode) -> Option<bool> {
    (heard == Some(refusal)).then_some(false)
}
