use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use events::Topic;

use crate::broker::{self, Broker};
use crate::faults::Faults;
use crate::member::Member;
use crate::plan::Plan;
use crate::queue::Queue;
use crate::random::Random;
use crate::report::Report;
use crate::run::{Findings, MEMBERS, Run};
use crate::sabotage::{Sabotage, Saboteur};
use crate::source::Source;
use crate::step::Dependency;
use crate::system::{Order, System};

/// A run to be: a system, its orders, a schedule and what may go wrong.
#[derive(Clone, Copy)]
pub struct Simulation<'a> {
    system: &'a System,
    orders: &'a [Order],
    seed: u64,
    faults: Faults,
    sabotage: Option<Sabotage>,
}

impl<'a> Simulation<'a> {
    /// The orders in the sequence in which they are accepted; schedule 0, no faults.
    pub fn new(system: &'a System, orders: &'a [Order]) -> Self {
        Self { system, orders, seed: 0, faults: Faults::NONE, sabotage: None }
    }

    /// The seed of everything that is left to chance.
    #[must_use]
    pub fn schedule(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// What may go wrong.
    #[must_use]
    pub fn faults(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    /// Plants a bug.
    #[must_use]
    pub fn sabotage(self, sabotage: Sabotage) -> Self {
        Self { sabotage: Some(sabotage), ..self }
    }

    /// Lets it happen, and audits it.
    ///
    /// # Errors
    /// Where the system makes no sense: a topic twice or without partitions, a group, an order or a handler's record on a topic that
    /// is not among [`System::topics`].
    pub fn run(&self) -> Result<Report, broker::Error> {
        let mut broker = Broker::new();
        for &(topic, partitions) in &self.system.topics {
            broker.create_topic(topic, partitions)?;
        }
        let mut readers: BTreeMap<Topic, Vec<usize>> = BTreeMap::new();
        let mut dead_letter_topics = BTreeSet::new();
        for (index, consumer) in self.system.consumers.iter().enumerate() {
            broker.end_offset(consumer.subscription.topic, 0)?;
            if let Some(dead_letter) = consumer.subscription.dead_letter {
                broker.end_offset(dead_letter, 0)?;
                dead_letter_topics.insert(dead_letter);
            }
            readers.entry(consumer.subscription.topic).or_default().push(index);
        }
        for order in self.orders {
            broker.end_offset(order.record.topic, 0)?;
        }
        let mut random = Random::new(self.seed);
        let plan = Plan::new(self.faults, random.fork());
        let consumers = self.system.consumers.len();
        let mut run = Run {
            system: self.system,
            orders: self.orders,
            now_ms: 0,
            queue: Queue::default(),
            plan,
            saboteur: Saboteur::new(self.sabotage, self.orders.len(), &mut random.fork()),
            broker,
            source: Source::new(self.orders.len(), &mut random),
            members: (0..consumers * MEMBERS)
                .map(|index| Member::new(index / MEMBERS, (index % MEMBERS) as u32))
                .collect(),
            dependencies: (0..consumers).map(|_| Arc::new(Dependency::available())).collect(),
            away_until_ms: vec![0; consumers],
            readers,
            dead_letter_topics,
            under_way: 0,
            run_id: format!("simulation-{}", self.seed).into_bytes(),
            findings: Findings::default(),
            random,
        };
        run.play();
        run.findings.broken.take().map_or_else(|| Ok(run.examine(self.seed)), Err)
    }
}
