use events::Topic;

use crate::{Header, Record, Subscription};

/// A record that can never be handled, on its way to its group's dead-letter topic: key, value and headers untouched, and
/// headers behind them that say why and from where.
///
/// Header names are those of Spring Kafka where it has one, because consoles read them; numbers are decimal text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The group's dead-letter topic.
    pub topic: Topic,
    /// The original key.
    pub key: Option<Vec<u8>>,
    /// The original value.
    pub value: Option<Vec<u8>>,
    /// The original headers, then those of the dead letter.
    pub headers: Vec<Header>,
    /// Which record of which group it is.
    pub origin: Origin,
}

/// Where a dead letter comes from. One record of a group has one dead letter, however often it is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The consumer group that gave it up.
    pub group: String,
    /// The record's topic.
    pub topic: Topic,
    /// The record's partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
}

/// Why the record was given up.
const REASON: &str = "kafka_dlt-exception-message";
/// The service that gave it up.
const SERVICE: &str = "dead_letter-service";
/// How often it was delivered, where the host knew.
const DELIVERIES: &str = "dead_letter-deliveries";
const GROUP: &str = "kafka_dlt-original-consumer-group";
const TOPIC: &str = "kafka_dlt-original-topic";
const PARTITION: &str = "kafka_dlt-original-partition";
const OFFSET: &str = "kafka_dlt-original-offset";

impl Origin {
    /// Where `record` stands, for the group that reads it.
    pub fn of(group: &str, record: &Record<'_>) -> Self {
        Self { group: group.to_owned(), topic: record.topic, partition: record.partition, offset: record.offset }
    }
}

impl DeadLetter {
    /// What `subscription` makes of a record that it gives up for `reason`.
    pub fn new(subscription: &Subscription, record: &Record<'_>, reason: &str) -> Self {
        let origin = Origin::of(&subscription.group, record);
        let mut headers = record.headers.to_list();
        let mut add = |name: &str, value: String| headers.push((name.to_owned(), Some(value.into_bytes())));
        add(REASON, reason.to_owned());
        add(SERVICE, subscription.service.clone());
        add(GROUP, origin.group.clone());
        add(TOPIC, origin.topic.to_string());
        add(PARTITION, origin.partition.to_string());
        add(OFFSET, origin.offset.to_string());
        if let Some(deliveries) = record.deliveries {
            add(DELIVERIES, deliveries.to_string());
        }
        let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        Self {
            topic: subscription.dead_letter,
            key: bytes(record.key),
            value: bytes(record.value),
            headers,
            origin,
        }
    }
}
