use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use events::shop::OrderPlaced;
use events::{OrderId, Timestamp, Topic};
use kafka_transport::{Connection, Drained, EmbeddedCluster, Error, Group, Membership, Pace, Pipeline, Plan, Tap};
use messaging::audit::{self, Audit, Observation, Verdict};
use messaging::{BatchStep, Outgoing, Subscription};
use shop::ShopFlow;
use topology::{System, Topology};

/// No test waits longer for anything; one that gets here has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(8);

/// The id of every run.
pub(crate) const RUN_ID: &str = "the-run";

/// Observations that may wait; more than any test makes, because the thread that publishes is the one that audits.
const OBSERVATIONS: usize = 1 << 15;

/// The shop's groups and topics, to be changed before they start.
pub(crate) struct Shop {
    pub(crate) topics: Vec<(Topic, i32)>,
    groups: Vec<Group>,
}

impl Shop {
    /// The shop as `topology.json` declares it, but with this many partitions a topic; dead letters have one.
    pub(crate) fn with_partitions(partitions: i32) -> Self {
        let topology = Topology::built_in().unwrap();
        let of = |topic: &topology::Topic| if topic.name.ends_with(".dead_letter") { 1 } else { partitions };
        let topics = topology.topics_of(System::Shop).map(|topic| (Topic::named(&topic.name), of(topic))).collect();
        let services = shop::services(&topology).unwrap();
        let groups = services.iter().map(|(group, new_step)| Group { subscription: group.clone(), step: new_step() });
        Self { topics, groups: groups.collect() }
    }

    /// Some groups alone, in their order.
    #[must_use]
    pub(crate) fn only<const N: usize>(mut self, groups: [&str; N]) -> Self {
        self.groups.retain(|known| groups.contains(&known.subscription.group.as_str()));
        assert_eq!(self.groups.len(), N, "which of {groups:?} is none?");
        self
    }

    /// Another subscription for a group.
    #[must_use]
    pub(crate) fn subscribed(mut self, group: &str, change: impl FnOnce(&mut Subscription)) -> Self {
        change(&mut self.group(group).subscription);
        self
    }

    /// Another step for a group, made from its own.
    #[must_use]
    pub(crate) fn stepping<S: BatchStep + 'static>(
        mut self,
        group: &str,
        wrap: impl FnOnce(Box<dyn BatchStep>) -> S,
    ) -> Self {
        let place = self.groups.iter().position(|known| known.subscription.group == group).unwrap();
        let Group { subscription, step } = self.groups.remove(place);
        self.groups.insert(place, Group { subscription, step: Box::new(wrap(step)) });
        self
    }

    fn group(&mut self, group: &str) -> &mut Group {
        self.groups.iter_mut().find(|known| known.subscription.group == group).unwrap()
    }

    /// Starts on an embedded cluster of its own.
    pub(crate) fn start(self) -> Run {
        let cluster = EmbeddedCluster::start(self.topics.iter().copied()).unwrap();
        let brokers = cluster.brokers();
        Run { cluster: Some(cluster), ..self.start_on(&brokers) }
    }

    /// Starts on somebody else's cluster.
    pub(crate) fn start_on(self, brokers: &str) -> Run {
        let (sender, observations) = sync_channel(OBSERVATIONS);
        let tap = Tap::new(Arc::new(ShopFlow), sender);
        let plan = Plan {
            connection: Connection::plaintext(brokers),
            membership: Membership::Sole,
            pace: Pace::FULL,
            topics: self.topics.clone(),
            groups: self.groups,
            tap: Some(tap),
            metrics: None,
            traces: None,
        };
        let pipeline = Pipeline::start(plan).unwrap();
        let audit = Audit::new(ShopFlow, 1_000_000);
        Run { pipeline, brokers: brokers.to_owned(), topics: self.topics, audit, observations, cluster: None }
    }
}

/// A pipeline at work, and the audit that listens. Its fields drop in this order: the pipeline before its cluster.
pub(crate) struct Run {
    pub(crate) pipeline: Pipeline,
    pub(crate) brokers: String,
    pub(crate) topics: Vec<(Topic, i32)>,
    pub(crate) audit: Audit<ShopFlow>,
    observations: Receiver<Vec<Observation>>,
    cluster: Option<EmbeddedCluster>,
}

/// What a run came to.
pub(crate) struct Ended {
    pub(crate) drained: Result<Drained, Error>,
    pub(crate) audit: Audit<ShopFlow>,
    pub(crate) brokers: String,
    pub(crate) topics: Vec<(Topic, i32)>,
    _cluster: Option<EmbeddedCluster>,
}

impl Run {
    /// The audit hears of orders to come.
    pub(crate) fn accept<'a>(&mut self, order_ids: impl IntoIterator<Item = &'a OrderId>) {
        for order_id in order_ids {
            self.observe(Observation::Accepted { order_id: order_id.clone(), at_us: 0 });
        }
    }

    pub(crate) fn observe(&mut self, observation: Observation) {
        self.audit.observe(observation).unwrap();
    }

    /// Takes orders in.
    pub(crate) fn take(&mut self, orders: &[OrderPlaced]) {
        self.accept(orders.iter().map(|order| &order.order_id));
        self.publish(&orders.iter().map(Outgoing::of).collect::<Vec<_>>());
    }

    pub(crate) fn publish(&mut self, records: &[Outgoing]) {
        self.pipeline.publish(records, RUN_ID);
    }

    /// Listens until this holds.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !holds(self) {
            self.listen();
            self.pipeline.check().unwrap();
            assert!(Instant::now() < deadline, "waited for {what}: {}", self.audit.verdict(audit::Drained::No));
        }
    }

    /// Listens until the pipeline fails.
    #[track_caller]
    pub(crate) fn until_it_fails(&mut self) -> Error {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Err(error) = self.pipeline.check() {
                return error;
            }
            self.listen();
            assert!(Instant::now() < deadline, "it did not fail: {}", self.audit.verdict(audit::Drained::No));
        }
    }

    fn listen(&mut self) {
        while let Ok(observations) = self.observations.recv_timeout(Duration::from_millis(1)) {
            for observation in observations {
                self.observe(observation);
            }
        }
    }

    /// Waits for the end of every order, then drains.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        self.until("every order's end", |run| run.audit.in_flight() == 0);
        self.drain()
    }

    /// Waits until the groups have answered this many records, then drains.
    #[track_caller]
    pub(crate) fn end_after(mut self, handled: u64) -> Ended {
        self.until("answers", |run| run.pipeline.handled() >= handled);
        self.drain()
    }

    /// Drains now.
    pub(crate) fn drain(self) -> Ended {
        let Self { pipeline, brokers, topics, mut audit, observations, cluster } = self;
        let drained = pipeline.drain();
        for observation in observations.try_iter().flatten() {
            audit.observe(observation).unwrap();
        }
        Ended { drained, audit, brokers, topics, _cluster: cluster }
    }
}

impl Ended {
    pub(crate) fn verdict(&self) -> Verdict {
        self.audit.verdict(audit::Drained::Yes)
    }

    /// How many records a topic holds, of a run that drained.
    #[track_caller]
    pub(crate) fn records(&self, topic: Topic) -> u64 {
        let drained = self.drained.as_ref().unwrap();
        drained.records.iter().find(|(known, _)| *known == topic).unwrap().1
    }

    pub(crate) fn partitions(&self, topic: Topic) -> i32 {
        partitions(&self.topics, topic)
    }
}

fn partitions(topics: &[(Topic, i32)], topic: Topic) -> i32 {
    topics.iter().find(|(known, _)| *known == topic).unwrap().1
}

/// The first orders of a seed.
pub(crate) fn orders(count: u64) -> Vec<OrderPlaced> {
    (0..count).map(|n| shop::order_generator::generate_order_event(1, Timestamp::BASE, n)).collect()
}
