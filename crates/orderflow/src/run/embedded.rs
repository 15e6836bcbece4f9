use std::collections::BTreeMap;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use events::Topic;
use kafka_transport::{Connection, Drained, EmbeddedCluster, Membership, Pace, Pipeline, Plan, Tap};
use messaging::Outgoing;

use super::Sight;
use super::cluster::Cluster;
use crate::Error;
use crate::wiring::Wiring;

/// How many batches a partition may keep before its cluster is replaced. Each fetch walks over all of them: with ten thousand
/// small ones, which a hundred orders a second write in five minutes, it takes a core.
const MAX_BATCHES: u64 = 1_000;

/// How long a replaced cluster may take to finish its orders.
const RETIRE_DEADLINE: Duration = Duration::from_secs(10);

/// The embedded cluster that takes new orders, and those before it that still finish theirs.
///
/// At a steady rate a cluster is replaced from time to time ([`MAX_BATCHES`]): the next one is ready before the first order goes
/// there, and the audit spans them all.
pub(crate) struct Embedded {
    wiring: Wiring,
    pace: Pace,
    tap: Tap,
    sight: Sight,
    current: Generation,
    retiring: Vec<Retiring>,
    /// Records of the clusters that are gone, by topic.
    records: BTreeMap<Topic, u64>,
}

/// A cluster and the groups on it. The groups stop before their cluster does.
struct Generation {
    pipeline: Pipeline,
    cluster: EmbeddedCluster,
    started: Instant,
    published: u64,
}

/// A cluster whose groups finish what they have, on a thread of their own.
struct Retiring {
    drain: JoinHandle<Result<Drained, Error>>,
    _cluster: EmbeddedCluster,
}

impl Embedded {
    pub(crate) fn start(wiring: Wiring, pace: Pace, tap: Tap, sight: Sight) -> Result<Self, Error> {
        let current = Generation::start(&wiring, pace, &tap, &sight)?;
        Ok(Self { wiring, pace, tap, sight, current, retiring: Vec::new(), records: BTreeMap::new() })
    }

    /// Takes in what retired clusters had written.
    fn collect(&mut self, is_wanted: impl Fn(&Retiring) -> bool) -> Result<(), Error> {
        let (wanted, rest) = std::mem::take(&mut self.retiring).into_iter().partition(is_wanted);
        self.retiring = rest;
        for Retiring { drain, .. } in wanted {
            let drained =
                drain.join().unwrap_or_else(|_| Err(Error::Failed("a retired cluster's thread panicked".into())))?;
            add(&mut self.records, drained);
        }
        Ok(())
    }
}

impl Cluster for Embedded {
    fn publish(&mut self, records: &[Outgoing], run: &str) {
        self.current.published += records.len() as u64;
        self.current.pipeline.publish(records, run);
    }

    /// Of the current cluster alone: what replaces it begins anew.
    fn handled(&self) -> u64 {
        self.current.pipeline.handled()
    }

    fn check(&mut self) -> Result<(), Error> {
        self.current.pipeline.check()?;
        self.collect(|retiring| retiring.drain.is_finished())
    }

    /// Replaces the current cluster if its partitions may keep too many batches.
    fn prepare(&mut self) -> Result<(), Error> {
        if self.current.batches(self.pace, &self.wiring.topics) < MAX_BATCHES {
            return Ok(());
        }
        let next = Generation::start(&self.wiring, self.pace, &self.tap, &self.sight)?;
        let Generation { pipeline, cluster, .. } = std::mem::replace(&mut self.current, next);
        let drain = std::thread::spawn(move || finish(pipeline));
        self.retiring.push(Retiring { drain, _cluster: cluster });
        Ok(())
    }

    fn stall_deadline(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn drain(mut self: Box<Self>) -> Result<Vec<(Topic, u64)>, Error> {
        self.collect(|_| true)?;
        let Self { current: Generation { pipeline, cluster, .. }, mut records, .. } = *self;
        add(&mut records, finish(pipeline)?);
        drop(cluster);
        Ok(records.into_iter().collect())
    }
}

impl Generation {
    fn start(wiring: &Wiring, pace: Pace, tap: &Tap, sight: &Sight) -> Result<Self, Error> {
        let cluster = EmbeddedCluster::start(wiring.topics.iter().copied())?;
        let connection = Connection::plaintext(&cluster.brokers());
        let pipeline = Pipeline::start(Plan {
            connection: connection.clone(),
            membership: Membership::Sole,
            pace,
            topics: wiring.topics.clone(),
            groups: wiring.groups(),
            tap: Some(tap.clone()),
            metrics: sight.metrics.clone(),
            traces: sight.traces.clone(),
        })?;
        sight.in_view.turn_to(connection);
        Ok(Self { pipeline, cluster, started: Instant::now(), published: 0 })
    }

    /// About how many batches a partition keeps by now: at most one a record, and one a linger.
    fn batches(&self, pace: Pace, topics: &[(Topic, i32)]) -> u64 {
        let partitions = topics.iter().map(|&(_, partitions)| partitions).min().unwrap_or(1).max(1);
        let records = self.published / u64::from(partitions.unsigned_abs());
        let lingers =
            u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX) / u64::from(pace.linger_ms());
        records.min(lingers)
    }
}

/// Adds what a cluster held to the records of those before it.
fn add(records: &mut BTreeMap<Topic, u64>, drained: Drained) {
    for (topic, count) in drained.records {
        *records.entry(topic).or_default() += count;
    }
}

/// Waits until nothing moves any more, then stops the groups.
fn finish(mut pipeline: Pipeline) -> Result<Drained, Error> {
    let deadline = Instant::now() + RETIRE_DEADLINE;
    while !pipeline.is_at_rest() && Instant::now() < deadline {
        pipeline.check()?;
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(pipeline.drain()?)
}
