use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ::topology::Topology;
use events::Topic;
use kafka_transport::{Connection, Span, TopicReader};
use messaging::audit::Flow;
use messaging::{GivenUp, Record};

use super::letter::Letter;
use crate::Error;
use crate::business::Business;

/// The dead letters of all groups.
pub(crate) struct Letters {
    reader: TopicReader,
    /// By their topic: the topic of the records that they were made of, and what these mean.
    topics: BTreeMap<Topic, (Topic, Arc<dyn Flow>)>,
}

impl Letters {
    /// Connects, and looks which of their topics there are.
    ///
    /// # Errors
    /// Where the brokers do not answer or refuse, or have none of the topics.
    pub(crate) fn connect(
        connection: &Connection,
        topology: &Topology,
        businesses: &[Arc<dyn Business>],
    ) -> Result<Self, Error> {
        let reader = TopicReader::connect(connection)?;
        let mut topics = BTreeMap::new();
        for business in businesses {
            for (group, _) in business.services().iter() {
                let Some(dead_letter) = group.dead_letter else { continue };
                if reader.partitions(dead_letter)?.is_some() {
                    topics.insert(dead_letter, (group.topic, business.flow()));
                }
            }
        }
        if topics.is_empty() && topology.groups().any(|(_, consumption)| consumption.dead_letter.is_some()) {
            let address = connection.brokers();
            return Err(Error::Failed(format!(
                "{address}: no topic of dead letters is there: `orderflow topics create` makes them"
            )));
        }
        Ok(Self { reader, topics })
    }

    /// Whether this is a topic of theirs, by its name.
    pub(crate) fn topic(&self, name: &str) -> Option<Topic> {
        self.topics.keys().copied().find(|topic| topic.as_str() == name)
    }

    /// Their topics.
    pub(crate) fn topics(&self) -> impl Iterator<Item = Topic> {
        self.topics.keys().copied()
    }

    /// What stands in these topics since a time.
    ///
    /// # Errors
    /// Where the brokers do not answer or refuse.
    pub(crate) fn spans(&self, since: Option<SystemTime>) -> Result<Vec<Span>, Error> {
        let spans = self.reader.spans(self.topics())?;
        let Some(since) = since else { return Ok(spans) };
        let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(self.reader.since(spans, i64::try_from(since.as_millis()).unwrap_or(i64::MAX))?)
    }

    /// What stands in one partition.
    ///
    /// # Errors
    /// Where the brokers do not answer or refuse.
    pub(crate) fn span(&self, topic: Topic, partition: u32) -> Result<Option<Span>, Error> {
        let partitions = self.reader.partitions(topic)?.unwrap_or(0);
        Ok((partition < partitions).then(|| self.reader.span(topic, partition)).transpose()?)
    }

    /// Shows each of them to `each`, with the record that it is.
    ///
    /// # Errors
    /// Where the brokers do not answer or refuse.
    pub(crate) fn read(&mut self, spans: &[Span], mut each: impl FnMut(Letter, &Record<'_>)) -> Result<(), Error> {
        let Self { reader, topics } = self;
        reader.read_all(spans, |record, at_ms| {
            let Some((origin, flow)) = topics.get(&record.topic) else { return Ok(()) };
            let order_id = flow.order_id(*origin, record.key, record.value);
            let order_id = order_id.map(|id| String::from_utf8_lossy(&id).into_owned());
            let given_up = GivenUp::read(record.headers, &[*origin]);
            let Record { topic, partition, offset, .. } = *record;
            each(Letter { topic, partition, offset, at_ms, given_up, order_id }, record);
            Ok(())
        })
    }
}
