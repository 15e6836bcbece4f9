//! What brokers are asked about topics and groups.

use std::time::Duration;

use events::Topic;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use crate::heard::Heard;
use crate::{Connection, Error, settings};

/// A client that asks and never reads. Each question has ten seconds, and ends at once where the answer is no.
pub(crate) struct Questions {
    client: BaseConsumer<Heard>,
    heard: Heard,
    connection: Connection,
}

impl Questions {
    /// Connects; `group` is the one whose offsets will be asked for.
    pub(crate) fn connect(connection: &Connection, group: Option<&str>) -> Result<Self, Error> {
        let heard = Heard::default();
        let mut config = settings::client(connection);
        if let Some(group) = group {
            config.set("group.id", group).set("enable.auto.commit", "false");
        }
        let client = config.create_with_context(heard.clone()).map_err(Error::kafka("questions: create the client"))?;
        let this = Self { client, heard, connection: connection.clone() };
        // Whoever knows the leaders need not look for them at the first question.
        this.ask("the cluster", |client, wait| client.fetch_metadata(None, wait))?;
        Ok(this)
    }

    /// How many partitions a topic has.
    pub(crate) fn partitions(&self, topic: Topic) -> Result<i32, Error> {
        self.ask(&format!("topic {topic}"), |client, wait| {
            let metadata = client.fetch_metadata(Some(topic.as_str()), wait)?;
            let no_topic = || KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition);
            let found = metadata.topics().first().ok_or_else(no_topic)?;
            match found.error() {
                Some(code) => Err(KafkaError::MetadataFetch(code.into())),
                None => Ok(found.partitions().len() as i32),
            }
        })
    }

    /// The offset of a partition's first record, and the one behind its last.
    pub(crate) fn watermarks(&self, topic: Topic, partition: i32) -> Result<(i64, i64), Error> {
        let watermarks = |client: &BaseConsumer<_>, wait| client.fetch_watermarks(topic.as_str(), partition, wait);
        self.ask(&format!("topic {topic}"), watermarks)
    }

    /// The offset of the first record of that time or later, for each of these partitions; `None` where there is none.
    pub(crate) fn first_since(
        &self,
        partitions: impl Iterator<Item = (Topic, i32)> + Clone,
        time_ms: i64,
    ) -> Result<Vec<Option<i64>>, Error> {
        self.ask("the times of records", |client, wait| {
            let mut times = TopicPartitionList::new();
            for (topic, partition) in partitions.clone() {
                times.add_partition_offset(topic.as_str(), partition, Offset::Offset(time_ms))?;
            }
            offsets(&client.offsets_for_times(times, wait)?)
        })
    }

    /// What the group has committed of the first partitions of a topic; `None` where it has not.
    pub(crate) fn committed(&self, group: &str, topic: Topic, partitions: i32) -> Result<Vec<Option<i64>>, Error> {
        self.ask(&format!("group {group}"), |client, wait| {
            let mut list = TopicPartitionList::new();
            list.add_partition_range(topic.as_str(), 0, partitions - 1);
            offsets(&client.committed_offsets(list, wait)?)
        })
    }

    fn ask<T>(
        &self,
        resource: &str,
        mut question: impl FnMut(&BaseConsumer<Heard>, Duration) -> KafkaResult<T>,
    ) -> Result<T, Error> {
        let question = |wait| match question(&self.client, wait) {
            Err(error) => self.refused("DESCRIBE", resource, &error).map_or(Err(error), |refusal| Ok(Err(refusal))),
            Ok(answer) => Ok(Ok(answer)),
        };
        let serve = || while self.client.poll(Duration::from_millis(1)).is_some() {};
        self.heard.ask(&self.connection, question, serve)?
    }

    /// An answer that no further question changes.
    pub(crate) fn refused(&self, operation: &'static str, resource: &str, error: &KafkaError) -> Option<Error> {
        use RDKafkaErrorCode::{ClusterAuthorizationFailed, GroupAuthorizationFailed, TopicAuthorizationFailed};
        let address = self.connection.brokers().to_owned();
        match error.rdkafka_error_code()? {
            ClusterAuthorizationFailed | GroupAuthorizationFailed | TopicAuthorizationFailed => {
                let user = self.connection.user().unwrap_or("ANONYMOUS").to_owned();
                Some(Error::Forbidden { address, user, operation, resource: resource.to_owned() })
            }
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
                Some(Error::NoTopic { address, resource: resource.to_owned() })
            }
            _ => None,
        }
    }
}

/// The offset of each partition in the list, which are there or not.
fn offsets(list: &TopicPartitionList) -> KafkaResult<Vec<Option<i64>>> {
    let offset = |offset| if let Offset::Offset(offset) = offset { Some(offset) } else { None };
    list.elements().iter().map(|element| element.error().map(|()| offset(element.offset()))).collect()
}
