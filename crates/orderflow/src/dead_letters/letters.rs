use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::topology::Topology;
use events::Topic;
use kafka_transport::{Connection, Span, TopicReader};
use messaging::audit::Flow;
use messaging::{Fate, GivenUp, Record, Settlement};

use super::letter::Letter;
use crate::Error;
use crate::business::Business;

/// Records that are read in one go at most, and how long the first of them is waited for.
const BATCH: usize = 4_096;
const WAIT: Duration = Duration::from_millis(50);

/// The dead letters of all groups.
pub(crate) struct Letters {
    reader: TopicReader,
    topics: BTreeMap<Topic, Known>,
    /// What became of those that are being read.
    fates: BTreeMap<(Topic, i32, i64), Fate>,
}

/// What is known of a topic of dead letters.
struct Known {
    /// The topic of the records that they were made of, and what these mean.
    origin: Topic,
    flow: Arc<dyn Flow>,
    partitions: u32,
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
                if let Some(partitions) = reader.partitions(dead_letter)? {
                    topics.insert(dead_letter, Known { origin: group.topic, flow: business.flow(), partitions });
                }
            }
        }
        if topics.is_empty() && topology.groups().any(|(_, consumption)| consumption.dead_letter.is_some()) {
            let address = connection.brokers();
            return Err(Error::Failed(format!(
                "{address}: no topic of dead letters is there: `orderflow topics create` makes them"
            )));
        }
        Ok(Self { reader, topics, fates: BTreeMap::new() })
    }

    /// Whether this is a topic of theirs, by its name.
    pub(crate) fn topic(&self, name: &str) -> Option<Topic> {
        self.topics.keys().copied().find(|topic| topic.as_str() == name)
    }

    /// Their topics.
    pub(crate) fn topics(&self) -> impl Iterator<Item = Topic> {
        self.topics.keys().copied()
    }

    /// The topics that are written to where they are redriven or discarded, with their partitions: their own, and those of the records that they
    /// were made of where these are there.
    ///
    /// # Errors
    /// Where the brokers do not answer or refuse.
    pub(crate) fn written(&self) -> Result<BTreeMap<Topic, u32>, Error> {
        let mut written = BTreeMap::new();
        for (&topic, known) in &self.topics {
            written.insert(topic, known.partitions);
            if let Some(partitions) = self.reader.partitions(known.origin)? {
                written.insert(known.origin, partitions);
            }
        }
        Ok(written)
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
        let partitions = self.topics.get(&topic).map_or(0, |known| known.partitions);
        Ok((partition < partitions).then(|| self.reader.span(topic, partition)).transpose()?)
    }

    /// Shows each of them to `each`, with the record that it is.
    ///
    /// # Errors
    /// Where the brokers do not answer or refuse.
    pub(crate) fn read(&mut self, spans: &[Span], mut each: impl FnMut(Letter, &Record<'_>)) -> Result<(), Error> {
        self.begin(spans)?;
        while !self.reader.is_done() {
            self.read_some(BATCH, &mut each)?;
        }
        Ok(())
    }

    /// Begins to read these with [`Letters::next`], in place of what was read before. What became of them stands behind them, so that is read
    /// first.
    ///
    /// # Errors
    /// Where the brokers do not answer or refuse.
    pub(crate) fn begin(&mut self, spans: &[Span]) -> Result<(), Error> {
        let to_the_end = |span: &Span| {
            let end = self.reader.span(span.topic, span.partition.cast_unsigned())?.to;
            Ok(Span { to: end.max(span.to), ..*span })
        };
        let behind = spans.iter().map(to_the_end).collect::<Result<Vec<Span>, Error>>()?;
        let Self { reader, topics, fates } = self;
        fates.clear();
        reader.read_all(&behind, |record, _| {
            let origin = topics.get(&record.topic).map(|known| known.origin);
            let settlement = origin.and_then(|origin| Settlement::read(record, &[origin]));
            if let Some(Settlement { letter, fate, .. }) = settlement {
                fates.insert((record.topic, record.partition, letter), fate);
            }
            Ok::<(), Error>(())
        })?;
        Ok(reader.begin(spans)?)
    }

    /// What `take` makes of the next of them, of `limit` records at most; nothing where all were read.
    ///
    /// # Errors
    /// Where the brokers do not answer or refuse.
    pub(crate) fn next<T>(
        &mut self,
        limit: usize,
        mut take: impl FnMut(Letter, &Record<'_>) -> Option<T>,
    ) -> Result<Option<Vec<T>>, Error> {
        if self.reader.is_done() {
            return Ok(None);
        }
        let mut taken = Vec::new();
        self.read_some(limit.min(BATCH), &mut |letter, record: &Record<'_>| taken.extend(take(letter, record)))?;
        Ok(Some(taken))
    }

    fn read_some(&mut self, limit: usize, each: &mut impl FnMut(Letter, &Record<'_>)) -> Result<(), Error> {
        let Self { reader, topics, fates } = self;
        Ok(reader.read(WAIT, limit, |record, at_ms| {
            let Some(Known { origin, flow, .. }) = topics.get(&record.topic) else { return };
            if Settlement::read(record, &[*origin]).is_some() {
                return;
            }
            let order_id = flow.order_id(*origin, record.key, record.value);
            let order_id = order_id.map(|id| String::from_utf8_lossy(&id).into_owned());
            let given_up = GivenUp::read(record.headers, &[*origin]);
            let Record { topic, partition, offset, .. } = *record;
            let fate = fates.get(&(topic, partition, offset)).copied();
            each(Letter { topic, partition, offset, at_ms, given_up, order_id, fate }, record);
        })?)
    }
}
