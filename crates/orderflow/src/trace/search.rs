use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ::topology::{System, Topology};
use events::Topic;
use kafka_transport::{Connection, GroupOffsets, Span, TopicReader, partition_of};
use messaging::audit::{Flow, Marks, Stage};
use messaging::{Record, Subscription};

use super::step::Step;
use super::way::Way;
use crate::Error;
use crate::business::{Business, topics_of};

/// Records that are read in one go.
const BATCH: usize = 4_096;

/// What has become of the order so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It has come to its one end, with everything that it must have.
    Ended,
    /// A record of it was given up or skipped, and nothing more is expected of it.
    GivenUp,
    /// It has two ends that exclude each other.
    Contradictory,
    /// Something is still to come.
    Open,
}

/// Looks for the records of one order where its key puts them.
pub(crate) struct Search {
    connection: Connection,
    reader: TopicReader,
    order_id: Vec<u8>,
    topics: BTreeMap<Topic, Known>,
    names: Vec<Topic>,
    /// The groups of all systems; how far one is is asked once a record of its topic was found.
    groups: Vec<(Subscription, Option<GroupOffsets>)>,
    /// What stands where the order's records should, or do.
    here: Vec<Span>,
    records: u64,
}

/// What is known of a topic.
struct Known {
    system: System,
    flow: Arc<dyn Flow>,
    is_dead_letter: bool,
    partitions: u32,
    /// The partition of the order's records; `None` where their key is not the order's.
    own: Option<u32>,
}

impl Search {
    /// Connects, and looks which topics there are.
    ///
    /// # Errors
    /// Where the brokers do not answer or refuse, or have none of the topics.
    pub(crate) fn begin(
        connection: &Connection,
        topology: &Topology,
        businesses: &[Arc<dyn Business>],
        order_id: &[u8],
    ) -> Result<Self, Error> {
        let reader = TopicReader::connect(connection)?;
        let mut topics = BTreeMap::new();
        for business in businesses {
            let (system, flow) = (business.system(), business.flow());
            for (topic, _) in topics_of(topology, system) {
                let Some(partitions) = reader.partitions(topic)? else { continue }; // of a system that is not there
                let is_keyed = flow.order_id(topic, Some(order_id), None).as_deref() == Some(order_id);
                let own = is_keyed.then(|| partition_of(order_id, partitions));
                let is_dead_letter = topology.dead_letter_of(topic.as_str()).is_some();
                topics.insert(topic, Known { system, flow: Arc::clone(&flow), is_dead_letter, partitions, own });
            }
        }
        if topics.is_empty() {
            let address = connection.brokers();
            return Err(Error::Failed(format!(
                "{address}: none of our topics is there: `orderflow topics create` makes them"
            )));
        }
        let subscriptions = businesses.iter().flat_map(|business| business.services().iter().map(|(group, _)| group));
        let groups = subscriptions.filter(|group| topics.contains_key(&group.topic));
        let groups = groups.map(|group| (group.clone(), None)).collect();
        let names = topics.keys().copied().collect();
        let (connection, order_id) = (connection.clone(), order_id.to_vec());
        let mut search = Self { connection, reader, order_id, topics, names, groups, here: Vec::new(), records: 0 };
        search.here = search.spans(|known, partition| known.own.is_none_or(|own| own == partition))?;
        Ok(search)
    }

    /// What stands in these partitions.
    fn spans(&self, is_wanted: impl Fn(&Known, u32) -> bool) -> Result<Vec<Span>, Error> {
        let mut spans = Vec::new();
        for (&topic, known) in &self.topics {
            for partition in (0..known.partitions).filter(|&partition| is_wanted(known, partition)) {
                spans.push(self.reader.span(topic, partition)?);
            }
        }
        Ok(spans)
    }

    /// How many topics there are.
    pub(crate) fn topics(&self) -> usize {
        self.topics.len()
    }

    /// How many records were looked through.
    pub(crate) const fn records(&self) -> u64 {
        self.records
    }

    /// Reads what stands where the order's records should.
    ///
    /// # Errors
    /// Where the brokers do not answer or refuse.
    pub(crate) fn read(&mut self, way: &mut Way) -> Result<(), Error> {
        let spans = self.here.clone();
        self.read_all(&spans, way)
    }

    /// Reads everything else: somebody may have written with another rule for partitions.
    ///
    /// # Errors
    /// As [`Search::read`].
    pub(crate) fn read_elsewhere(&mut self, way: &mut Way) -> Result<(), Error> {
        let spans = self.spans(|known, partition| known.own.is_some_and(|own| own != partition))?;
        let found = way.len();
        self.read_all(&spans, way)?;
        if way.len() > found {
            self.here.extend(spans); // more of it may come there
        }
        Ok(())
    }

    fn read_all(&mut self, spans: &[Span], way: &mut Way) -> Result<(), Error> {
        let Self { reader, topics, names, order_id, records, .. } = self;
        reader.read_all(spans, |record, at_ms| {
            *records += 1;
            way.extend(step_of(topics, names, order_id, record, at_ms));
            Ok(())
        })
    }

    /// Reads on, for so long at most.
    ///
    /// # Errors
    /// As [`Search::read`].
    pub(crate) fn wait(&mut self, way: &mut Way, wait: Duration) -> Result<(), Error> {
        if self.reader.is_done() {
            let onwards: Vec<Span> = self.here.iter().map(|span| span.onwards()).collect();
            self.reader.begin(&onwards)?;
        }
        let Self { reader, topics, names, order_id, .. } = self;
        reader.read(wait, BATCH, |record, at_ms| way.extend(step_of(topics, names, order_id, record, at_ms)))?;
        Ok(())
    }

    /// Asks the groups how far they are, and judges.
    ///
    /// # Errors
    /// As [`Search::read`].
    pub(crate) fn end(&mut self, way: &mut Way) -> Result<End, Error> {
        let mut marks: BTreeMap<System, Marks> = BTreeMap::new();
        let mut note = |system, mark| {
            let of_system = marks.entry(system).or_insert(Marks::NONE);
            *of_system = of_system.with(mark);
        };
        let mut awaited: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (group, offsets) in &mut self.groups {
            let Some(known) = self.topics.get(&group.topic) else { continue };
            let of_topic = |step: &&Step| step.topic == group.topic;
            if !way.steps().iter().any(|step| of_topic(&step)) {
                continue;
            }
            let offsets = match offsets {
                Some(offsets) => offsets,
                None => offsets.insert(GroupOffsets::of(&self.connection, &group.group)?),
            };
            let committed = offsets.committed(group.topic.as_str(), known.partitions)?;
            for (index, step) in way.steps().iter().enumerate().filter(|(_, step)| of_topic(step)) {
                let is_done =
                    committed.get(step.partition as usize).copied().flatten().is_some_and(|to| step.offset < to);
                let of_group = awaited.entry(index).or_default();
                match known.flow.handled(&group.service, group.topic) {
                    Some(mark) if is_done => note(known.system, mark),
                    _ if !is_done => of_group.push(group.group.clone()),
                    _ => {}
                }
            }
        }
        for (step, known) in way.steps().iter().filter_map(|step| Some((step, self.topics.get(&step.topic)?))) {
            if let Some(mark) = step.mark {
                note(known.system, mark);
            }
        }
        awaited.into_iter().for_each(|(index, groups)| way.await_groups(index, groups));
        let stages = marks.into_iter().filter_map(|(system, marks)| {
            let known = self.topics.values().find(|known| known.system == system)?;
            Some(known.flow.stage(marks))
        });
        let stages: Vec<Stage> = stages.collect();
        let is = |wanted: fn(&Stage) -> bool| stages.iter().any(wanted);
        let enters = |topic| self.topics.get(&topic).is_some_and(|known| known.flow.takes_in(topic));
        Ok(if is(|stage| matches!(stage, Stage::Contradictory)) {
            End::Contradictory
        } else if !stages.is_empty() && !is(|stage| matches!(stage, Stage::Open)) {
            End::Ended
        } else if way.is_given_up(enters) && !way.is_awaited() {
            End::GivenUp
        } else {
            End::Open
        })
    }
}

/// A record, if it is one of the order.
fn step_of(
    topics: &BTreeMap<Topic, Known>,
    names: &[Topic],
    order_id: &[u8],
    record: &Record<'_>,
    at_ms: i64,
) -> Option<Step> {
    let Known { flow, is_dead_letter, .. } = topics.get(&record.topic)?;
    if flow.order_id(record.topic, record.key, record.value).as_deref() != Some(order_id) {
        return None;
    }
    let mark = if *is_dead_letter { None } else { flow.written(record) };
    Some(Step::of(record, at_ms, mark, is_dead_letter.then_some(names)))
}
