//! After the run: the audit reads the broker's topics.

use events::{EventId, Topic};
use messaging::audit::{Audit, Drained, Observation, Written};
use messaging::{EVENT_ID, Headers, Origin};

use crate::broker::{Broker, Place, Stored};
use crate::incident::Names;
use crate::report::Report;
use crate::run::Run;

impl Run<'_> {
    /// What the audit says of all that was accepted, written, handled and given up.
    pub(crate) fn examine(self, seed: u64) -> Report {
        let flow = &self.system.flow;
        // Every order is in memory anyway, so the audit needs no limit of its own, and refuses nothing.
        let mut audit = Audit::new(flow.clone(), usize::MAX);
        let mut observe = |observation| drop(audit.observe(observation));
        for (order, accepted_ms) in self.orders.iter().zip(&self.source.accepted_ms) {
            observe(Observation::Accepted { order_id: order.order_id.clone(), at_us: accepted_ms * 1_000 });
        }
        for (place, record) in records(&self.broker, |topic| !self.dead_letter_topics.contains(&topic)) {
            match self.written(place.topic, record) {
                Some(written) => observe(Observation::Written(written)),
                None => self.origins(place).for_each(|origin| observe(Observation::Rejected { origin })),
            }
        }
        for &(order, mark) in &self.findings.handled {
            observe(Observation::Handled { order, mark });
        }
        let topics: Vec<Topic> = self.broker.topics().map(|(topic, _)| topic).collect();
        let mut altered_dead_letters = 0;
        for (_, record) in records(&self.broker, |topic| self.dead_letter_topics.contains(&topic)) {
            let origin =
                Origin::read(&record.headers, &topics).filter(|origin| is_true_copy(&self.broker, origin, record));
            match origin {
                Some(origin) => {
                    let order = flow.order_of(origin.topic, record.key.as_deref());
                    observe(Observation::DeadLettered { origin, order });
                }
                None => altered_dead_letters += 1,
            }
        }
        let groups = || self.system.consumers.iter().map(|consumer| &consumer.subscription);
        Report {
            seed,
            verdict: audit.verdict(Drained::Yes),
            tally: audit.tally(),
            altered_dead_letters,
            redeliveries: groups().filter_map(|of| self.broker.redeliveries(&of.group).ok()).sum(),
            refused_commits: self.findings.refused_commits,
            faults: self.findings.faults,
            crashes: self.findings.crashes,
            stuck: self.findings.stuck,
            virtual_ms: self.now_ms,
            log: self.findings.log,
            names: Names {
                members: self
                    .members
                    .iter()
                    .map(|member| {
                        format!("{}/{}", self.system.consumers[member.consumer].subscription.group, member.id)
                    })
                    .collect(),
                services: groups().map(|of| of.service.clone()).collect(),
                groups: groups().map(|of| of.group.clone()).collect(),
            },
        }
    }

    /// The record as the audit sees it; `None` where nobody can decode it.
    fn written(&self, topic: Topic, record: &Stored) -> Option<Written> {
        let event_id = EventId::parse(record.headers.last(EVENT_ID)?)?;
        let (key, value) = (record.key.as_deref()?, record.value.as_deref()?);
        Written::of(&self.system.flow, topic, key, value, event_id)
    }

    /// The record's dead letters: one for each group that reads its topic.
    fn origins(&self, Place { topic, partition, offset }: Place) -> impl Iterator<Item = Origin> {
        let readers = self.readers.get(&topic).into_iter().flatten();
        readers.map(move |&consumer| {
            let group = self.system.consumers[consumer].subscription.group.clone();
            Origin { group, topic, partition, offset }
        })
    }
}

/// The records of the topics that are asked for.
fn records(broker: &Broker, is_asked_for: impl Fn(Topic) -> bool) -> impl Iterator<Item = (Place, &Stored)> {
    let topics = broker.topics().filter(move |(topic, _)| is_asked_for(*topic));
    topics.flat_map(|(topic, partitions)| (0..partitions as i32).map(move |partition| (topic, partition))).flat_map(
        move |(topic, partition)| {
            let log = broker.fetch(topic, partition, 0, usize::MAX).unwrap_or_default();
            (0..).zip(log).map(move |(offset, record)| (Place { topic, partition, offset }, record))
        },
    )
}

/// Whether a dead letter has the key, the value and all headers of the record that it is of.
fn is_true_copy(broker: &Broker, origin: &Origin, dead_letter: &Stored) -> bool {
    let original = broker.fetch(origin.topic, origin.partition, origin.offset, 1).ok().and_then(<[_]>::first);
    original.is_some_and(|original| {
        (&original.key, &original.value) == (&dead_letter.key, &dead_letter.value)
            && dead_letter.headers.starts_with(&original.headers)
    })
}
