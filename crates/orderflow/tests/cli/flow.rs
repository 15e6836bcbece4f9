use std::thread;
use std::time::{Duration, Instant};

use events::{Timestamp, Topic};
use kafka_transport::{Connection, EmbeddedCluster, Group, Membership, Pace, Pipeline, Plan};
use messaging::{BatchStep, Outcome, Outgoing, Record};
use shop::order_generator::generate_order_event;
use topology::Topology;

/// How long a flow may take to come to rest.
const DEADLINE: Duration = Duration::from_secs(10);

/// The shop on a Kafka that others may look at, in this process.
pub(crate) struct Flow {
    cluster: EmbeddedCluster,
    topology: Topology,
    groups: Vec<Group>,
}

impl Flow {
    pub(crate) fn new() -> Self {
        let topology = Topology::built_in().unwrap();
        let cluster = EmbeddedCluster::start(topics(&topology)).unwrap();
        let services = shop::services(&topology).unwrap();
        let groups = services
            .iter()
            .map(|(subscription, new_step)| Group { subscription: subscription.clone(), step: new_step() })
            .collect();
        Self { cluster, topology, groups }
    }

    /// A group does not run.
    pub(crate) fn without(mut self, group: &str) -> Self {
        self.groups.retain(|known| known.subscription.group != group);
        self
    }

    /// The outcomes of a group's step are altered, each with the number of its record.
    pub(crate) fn altering(mut self, group: &str, alter: impl FnMut(u64, Outcome) -> Outcome + Send + 'static) -> Self {
        let place = self.groups.iter().position(|known| known.subscription.group == group).unwrap();
        let Group { subscription, step } = self.groups.remove(place);
        self.groups.insert(place, Group { subscription, step: Box::new(Altered { step, alter, count: 0 }) });
        self
    }

    /// Writes records, each lot as a run of its own, and lets the groups come to rest with them.
    pub(crate) fn run<const N: usize>(self, lots: [(&str, Vec<Outgoing>); N]) -> EmbeddedCluster {
        let mut pipeline = Pipeline::start(Plan {
            connection: Connection::plaintext(&self.cluster.brokers()),
            membership: Membership::Sole,
            pace: Pace::FULL,
            topics: topics(&self.topology),
            groups: self.groups,
            tap: None,
            metrics: None,
            traces: None,
        })
        .unwrap();
        for (run, records) in lots {
            pipeline.publish(&records, run);
            // The times of records are the order of runs.
            thread::sleep(Duration::from_millis(5));
        }
        let deadline = Instant::now() + DEADLINE;
        while !pipeline.is_at_rest() {
            pipeline.check().unwrap();
            assert!(Instant::now() < deadline, "the flow does not come to rest");
            thread::sleep(Duration::from_millis(2));
        }
        pipeline.drain().unwrap();
        self.cluster
    }
}

fn topics(topology: &Topology) -> Vec<(Topic, i32)> {
    topology.topics().map(|topic| (Topic::named(&topic.name), topic.partitions as i32)).collect()
}

/// The records of the first orders of a seed.
pub(crate) fn placed(seed: u64, count: u64) -> Vec<Outgoing> {
    (0..count).map(|n| Outgoing::of(&generate_order_event(seed, Timestamp::BASE, n))).collect()
}

struct Altered<F> {
    step: Box<dyn BatchStep>,
    alter: F,
    count: u64,
}

impl<F: FnMut(u64, Outcome) -> Outcome + Send> BatchStep for Altered<F> {
    fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
        let outcomes = self.step.process(batch);
        let altered = outcomes.into_iter().map(|outcome| {
            self.count += 1;
            (self.alter)(self.count, outcome)
        });
        altered.collect()
    }
}
