//! Asks brokers, and tells why where there is no answer.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::MetadataPartition;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::heard::Heard;
use crate::{Connection, Error};

/// How many brokers have a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replicas {
    /// Brokers that should.
    pub all: u16,
    /// Brokers that have all of it.
    pub in_sync: u16,
    /// Whether one of them takes records and gives them out.
    pub has_leader: bool,
}

/// A client that reads no records: it asks what there is.
pub(crate) struct Reader {
    connection: Connection,
    client: BaseConsumer<Heard>,
    heard: Heard,
}

impl Reader {
    pub(crate) fn new(connection: &Connection, config: &ClientConfig) -> Result<Self, Error> {
        let heard = Heard::default();
        let client = config.create_with_context(heard.clone()).map_err(Error::kafka("reader: create"))?;
        Ok(Self { connection: connection.clone(), client, heard })
    }

    /// Asks until there is an answer, for less than 10 seconds. That the user has not the right to `operation` on `resource` is
    /// an answer, too.
    pub(crate) fn ask<T>(
        &self,
        operation: &'static str,
        resource: &str,
        question: impl Fn(&BaseConsumer<Heard>, Duration) -> KafkaResult<T>,
    ) -> Result<T, Error> {
        let question = |wait| match question(&self.client, wait) {
            Err(error) if error.rdkafka_error_code().is_some_and(is_forbidden) => Ok(None),
            Err(_) if self.heard.is_group_denied() => Ok(None),
            answer => answer.map(Some),
        };
        let serve = || while self.client.poll(Duration::from_millis(1)).is_some() {};
        let answer = self.heard.ask(self.client.client(), &self.connection, question, serve)?;
        answer.ok_or_else(|| self.forbidden(operation, resource))
    }

    /// The replicas of each partition of a topic; `None` where there is no such topic.
    pub(crate) fn replicas(&self, topic: &str) -> Result<Option<Vec<Replicas>>, Error> {
        self.ask("DESCRIBE", &format!("topic {topic}"), |client, wait| {
            let metadata = client.fetch_metadata(Some(topic), wait)?;
            let found = metadata.topics().first();
            match found.and_then(|topic| topic.error()).map(RDKafkaErrorCode::from) {
                Some(RDKafkaErrorCode::UnknownTopicOrPartition) => Ok(None),
                Some(code) => Err(KafkaError::MetadataFetch(code)),
                None => {
                    let partitions = found.map_or(&[][..], |topic| topic.partitions());
                    let replicas = |partition: &MetadataPartition| Replicas {
                        all: partition.replicas().len() as u16,
                        in_sync: partition.isr().len() as u16,
                        has_leader: partition.leader() >= 0,
                    };
                    Ok(Some(partitions.iter().map(replicas).collect()))
                }
            }
        })
    }

    /// Where the log of a partition begins and ends.
    pub(crate) fn log(&self, topic: &str, partition: i32) -> Result<Range<i64>, Error> {
        let ask = |client: &BaseConsumer<_>, wait| client.fetch_watermarks(topic, partition, wait);
        self.ask("DESCRIBE", &format!("topic {topic}"), ask).map(|(begin, end)| begin..end)
    }

    /// The first offset of each of these partitions, or the one behind the last: one request a broker, however many they are.
    pub(crate) fn offsets_at(&self, edge: Offset, partitions: &[(&str, i32)]) -> Result<Vec<i64>, Error> {
        if partitions.is_empty() {
            return Ok(Vec::new()); // librdkafka takes no empty question
        }
        self.ask("DESCRIBE", "the topics", |client, wait| {
            let mut asked = TopicPartitionList::with_capacity(partitions.len());
            for &(topic, partition) in partitions {
                asked.add_partition_offset(topic, partition, edge)?;
            }
            // An edge goes to the brokers as the time of which it is the offset.
            let found = client.offsets_for_times(asked, wait)?;
            let offset = |&(topic, partition): &(&str, i32)| {
                let found = found.find_partition(topic, partition).ok_or(KafkaError::Canceled)?;
                found.error()?;
                found.offset().to_raw().ok_or(KafkaError::Canceled)
            };
            partitions.iter().map(offset).collect()
        })
    }

    /// How many members each group of the cluster has; `None` where not all brokers say so within `wait`.
    pub(crate) fn members(&self, wait: Duration) -> Option<BTreeMap<String, usize>> {
        let found = self.client.fetch_group_list(None, wait).ok()?;
        Some(found.groups().iter().map(|group| (group.name().to_owned(), group.members().len())).collect())
    }

    pub(crate) fn forbidden(&self, operation: &'static str, resource: &str) -> Error {
        Error::forbidden(&self.connection, operation, resource)
    }

    pub(crate) fn address(&self) -> String {
        self.connection.brokers().to_owned()
    }

    pub(crate) fn user(&self) -> String {
        self.connection.principal().to_owned()
    }
}

pub(crate) fn is_forbidden(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{ClusterAuthorizationFailed, GroupAuthorizationFailed, TopicAuthorizationFailed};
    matches!(code, ClusterAuthorizationFailed | GroupAuthorizationFailed | TopicAuthorizationFailed)
}
