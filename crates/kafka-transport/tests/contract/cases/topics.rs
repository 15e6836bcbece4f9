use events::Topic;
use kafka_transport::{Admin, Ca, Connection, Error, TopicShape};
use simulation::broker::Stored;

use crate::broker::{Broker, Refusal};
use crate::cases::until;
use crate::suite::PARTITIONS;

pub(super) fn an_unknown_topic_is_refused_and_not_made(broker: &dyn Broker, topic: Topic) {
    let unknown = Topic::named(&format!("{topic}.unknown"));
    assert_eq!(broker.write(unknown, &[Stored::default()]), [Err(Refusal::UnknownTopic)]);
    assert_eq!(broker.partitions(unknown), None);
    assert_eq!(broker.partitions(topic), Some(PARTITIONS as usize));
}

pub(super) fn a_topic_is_made_once_with_its_partitions(broker: &dyn Broker, topic: Topic) {
    let new = Topic::named(&format!("{topic}.new"));
    assert_eq!(broker.create(new, 5), Ok(()));
    assert_eq!(broker.create(new, 5), Err(Refusal::TopicExists));
    assert_eq!(broker.create(topic, 5), Err(Refusal::TopicExists));
    until("the topic to be known", || broker.partitions(new) == Some(5));
    assert_eq!(broker.partitions(topic), Some(PARTITIONS as usize));
}

pub(super) fn a_topic_has_the_settings_that_it_was_made_with(broker: &dyn Broker, topic: Topic) {
    let kafka = broker.as_kafka().unwrap();
    let admin = Admin::connect(&kafka.connection).unwrap();
    let new = format!("{topic}.new");
    let shape = TopicShape {
        partitions: 2,
        replication: kafka.replication,
        retention_ms: 3_600_000,
        max_message_bytes: 200_000,
    };
    admin.create(&[(&new, shape)]).unwrap();
    until("the topic to be known", || admin.describe(&[&new]).unwrap().get(&new) == Some(&shape));
}

pub(super) fn a_stranger_is_not_let_in(broker: &dyn Broker, _: Topic) {
    let kafka = broker.as_kafka().unwrap();
    let ca = kafka.cluster.as_ref().and_then(|cluster| cluster.ca_file()).unwrap();
    let stranger = Connection::sasl_ssl(kafka.connection.brokers(), "stranger", "no password", Ca::File(ca.into()));
    let refused = Admin::connect(&stranger).err().unwrap();
    assert!(matches!(&refused, Error::Login { user, .. } if user == "stranger"), "{refused}");
}
