//! After the run: the audit reads the broker's topics.

use std::sync::Arc;

use events::Topic;
use messaging::audit::{Audit, Drained, Observation, Reading, Told};
use messaging::{Origin, Record};

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
        let subscriptions = self.system.consumers.iter().map(|consumer| consumer.subscription.clone());
        let reading = Reading::new(Arc::clone(flow), subscriptions);
        for (place, record) in records(&self.broker, |topic| !reading.is_dead_letter(topic)) {
            reading.read(&record_at(place, record), &mut |told| match told {
                // The source has told what it accepted, the members what they handled.
                Told::Now(Observation::Entered { .. }) | Told::OnceCommitted(..) => {}
                Told::Now(observation) => observe(observation),
            });
        }
        self.findings.handled.into_iter().for_each(&mut observe);
        let mut altered_dead_letters = 0;
        for (place, record) in records(&self.broker, |topic| reading.is_dead_letter(topic)) {
            altered_dead_letters += 1;
            reading.read(&record_at(place, record), &mut |told| match told {
                Told::Now(Observation::DeadLettered { origin, order })
                    if is_true_copy(&self.broker, &origin, record) =>
                {
                    altered_dead_letters -= 1;
                    observe(Observation::DeadLettered { origin, order });
                }
                _ => {}
            });
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
}

fn record_at(Place { topic, partition, offset }: Place, stored: &Stored) -> Record<'_> {
    let (key, value) = (stored.key.as_deref(), stored.value.as_deref());
    Record { topic, partition, offset, key, value, headers: &stored.headers, deliveries: None }
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
