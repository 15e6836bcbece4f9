//! All groups of a system at work: the intake, the failure that stops it, the drain.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use events::Topic;
use messaging::{BatchStep, Follows, Outgoing, Subscription};
use otlp::{Traces, entered};

use crate::consumer::{ConsumerLoop, DRAIN_DEADLINE, MAX_OPEN_BATCHES, Membership, Pulse, Shared};
use crate::producer::{Producer, Slot};
use crate::reader::Reader;
use crate::{Connection, Error, Metrics, Pace, Tap, settings};

/// How long a group may take to commit and to leave, once it is at rest.
const COMMIT_DEADLINE: Duration = Duration::from_secs(8);

/// How much later than its deadline the report of a write may come.
const REPORT_MARGIN: Duration = Duration::from_secs(2);

/// The slot of the intake's own writes; then that of timers, and those of the groups.
const INTAKE: Slot = 0;
pub(crate) const TIMERS: Slot = INTAKE + 1;
const GROUPS: Slot = TIMERS + 1;

/// A consumer group and what it does with a batch.
pub struct Group {
    /// Which group.
    pub subscription: Subscription,
    /// What it does.
    pub step: Box<dyn BatchStep>,
}

/// What runs, and where.
pub struct Plan {
    /// The brokers.
    pub connection: Connection,
    /// Who else reads the groups' topics.
    pub membership: Membership,
    /// How clients wait.
    pub pace: Pace,
    /// All topics that are read or written, with their partitions.
    pub topics: Vec<(Topic, i32)>,
    /// What reads them.
    pub groups: Vec<Group>,
    /// Who hears of it.
    pub tap: Option<Tap>,
    /// Where the groups count.
    pub metrics: Option<Metrics>,
    /// Where spans of records are told. Without it nobody begins a trace; what came with a record goes on with what follows from it.
    pub traces: Option<Traces>,
}

/// The groups of a system, a thread each, and a producer that they share.
pub struct Pipeline {
    shared: Shared,
    watched: Vec<Arc<Watched>>,
    threads: Vec<(String, JoinHandle<Result<(), Error>>)>,
}

/// A group, and what it lets us know.
struct Watched {
    service: String,
    group: String,
    topic: Topic,
    pulse: Arc<Pulse>,
}

/// What the groups of a pipeline have done, also once it is gone.
pub struct Tallies(Vec<Arc<Watched>>);

impl Tallies {
    /// One a group.
    pub fn read(&self) -> Vec<Tally> {
        let tally = |watched: &Arc<Watched>| {
            let Watched { service, group, pulse, .. } = &**watched;
            let [handled, rejected, retried, waited_us] =
                [&pulse.handled, &pulse.rejected, &pulse.retried, &pulse.waited_us]
                    .map(|count| count.load(Ordering::Relaxed));
            Tally { service: service.clone(), group: group.clone(), handled, rejected, retried, waited_us }
        };
        self.0.iter().map(tally).collect()
    }
}

/// What a group has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The service whose group it is.
    pub service: String,
    /// The group.
    pub group: String,
    /// Records handled.
    pub handled: u64,
    /// Records given up: they are dead letters, or were skipped.
    pub rejected: u64,
    /// How often a record was to come again.
    pub retried: u64,
    /// From the fetch of each record that was handled or given up to the confirmation of all that follows, in microseconds, summed up.
    pub waited_us: u64,
}

/// What a pipeline had written when it came to rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Records that it wrote to each topic, dead letters included.
    pub records: Vec<(Topic, u64)>,
}

impl Pipeline {
    /// Starts the groups.
    ///
    /// # Errors
    /// Where a client cannot be made, the brokers do not answer within 10 s, or refuse the user, a topic or a group.
    pub fn start(plan: Plan) -> Result<Self, Error> {
        let Plan { connection, membership, pace, topics, groups, tap, metrics, traces } = plan;
        let slots = GROUPS + groups.len() * MAX_OPEN_BATCHES;
        let producer = Arc::new(Producer::new(&connection, pace, &topics, slots)?);
        producer.connect()?;
        producer.open(INTAKE);
        producer.open(TIMERS);
        let shared = Shared {
            connection,
            membership,
            pace,
            producer,
            tap,
            metrics,
            traces,
            stop: Arc::new(AtomicBool::new(false)),
            handled: Arc::new(AtomicU64::new(0)),
        };
        let mut pipeline = Self { shared, watched: Vec::new(), threads: Vec::new() };
        let firsts = (GROUPS..).step_by(MAX_OPEN_BATCHES);
        for (group, first) in groups.into_iter().zip(firsts) {
            let topic = group.subscription.topic;
            let partitions = topics.iter().find(|(name, _)| *name == topic).map_or(0, |&(_, count)| count);
            let (service, name) = (group.subscription.service.clone(), group.subscription.group.clone());
            let slots = first..first + MAX_OPEN_BATCHES;
            let consumer = ConsumerLoop::start(group, partitions, slots, pipeline.shared.clone())?;
            let watched = Watched { service, group: name.clone(), topic, pulse: consumer.pulse() };
            pipeline.watched.push(Arc::new(watched));
            let thread = std::thread::Builder::new().name(name.clone()).spawn(move || consumer.run());
            let thread = thread.map_err(|source| Error::Thread { group: name.clone(), source })?;
            pipeline.threads.push((name, thread));
        }
        Ok(pipeline)
    }

    /// Writes records that enter the system here, as part of a run. It waits while the local queue is full; whether the broker
    /// confirmed them shows in [`Pipeline::check`] and at the end in [`Pipeline::drain`].
    pub fn publish(&self, records: &[Outgoing], run: &str) {
        if let Some(tap) = &self.shared.tap {
            // Told before it is confirmed: a write that fails here ends the run, whatever the audit heard.
            tap.tell(records.iter().filter_map(|record| tap.written(record)).collect());
        }
        for record in records {
            let follows = entered(self.shared.traces.as_ref(), record, Follows::run(run), SystemTime::now);
            self.shared.producer.publish(INTAKE, record, follows);
        }
    }

    /// Records answered so far, by all groups: as long as it grows, something moves.
    pub fn handled(&self) -> u64 {
        self.shared.handled.load(Ordering::Relaxed)
    }

    /// Whether every group has its place: it has been given partitions, or knows that others have them all.
    pub fn has_joined(&self) -> bool {
        let is_sole = self.shared.membership == Membership::Sole;
        is_sole || self.watched.iter().all(|group| group.pulse.has_joined.load(Ordering::Acquire))
    }

    /// Turns of each group's loop so far: one that stays the same for long hangs.
    pub fn turns(&self) -> Vec<u64> {
        self.watched.iter().map(|group| group.pulse.turns.load(Ordering::Relaxed)).collect()
    }

    /// What each group does.
    pub fn tallies(&self) -> Tallies {
        Tallies(self.watched.clone())
    }

    /// Whether nothing moves any more, unless something is published: all that was published is confirmed, and every group has
    /// stored the end of its topic. A group stores an offset after what follows from it is confirmed, so what is stored is read
    /// before the logs' ends.
    pub fn is_at_rest(&self) -> bool {
        let is_published = self.shared.producer.is_confirmed(INTAKE);
        let done: Vec<u64> = self.watched.iter().map(|group| group.pulse.done.load(Ordering::Acquire)).collect();
        let ends: Vec<(Topic, u64)> = self.written().collect();
        is_published && self.watched.iter().zip(done).all(|(group, done)| ends.contains(&(group.topic, done)))
    }

    /// Looks whether anything has failed for good.
    ///
    /// # Errors
    /// What a group ended with, or why a record of the intake was not written.
    pub fn check(&mut self) -> Result<(), Error> {
        if let Some(failure) = self.shared.producer.failure(INTAKE) {
            return Err(Error::NotWritten(Box::new(failure)));
        }
        if let Some(index) = self.threads.iter().position(|(_, thread)| thread.is_finished()) {
            let (group, thread) = self.threads.swap_remove(index);
            join(group, thread)?;
        }
        Ok(())
    }

    /// Stops the groups, confirms and commits what is open. Where nobody else writes to the topics, compares each log with the
    /// confirmed writes.
    ///
    /// # Errors
    /// Where a group fails, does not come to rest in time, or a log ends elsewhere than the confirmed writes say.
    pub fn drain(mut self) -> Result<Drained, Error> {
        self.shared.producer.close(INTAKE);
        self.shared.stop.store(true, Ordering::Release);
        // All of them come to rest before any failure is told: none outlives the pipeline.
        self.join_all()?;
        self.shared.producer.close(TIMERS);
        // What a timer had to say and was not written is said again when the service is back.
        let _ = self.confirm(TIMERS, "the timers");
        self.confirm(INTAKE, "the intake")?;
        match self.shared.membership {
            Membership::Sole => self.compare_watermarks(),
            Membership::Shared { .. } => Ok(Drained { records: self.written().collect() }),
        }
    }

    /// Waits for the threads of the groups. One that hangs on a coordinator that is gone is left behind: it holds nothing that
    /// is not on the brokers, and ends with the process.
    fn join_all(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + DRAIN_DEADLINE + COMMIT_DEADLINE;
        let mut result = Ok(());
        for (group, thread) in self.threads.drain(..) {
            while !thread.is_finished() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(1));
            }
            let ended = if thread.is_finished() {
                join(group, thread)
            } else {
                Err(Error::NotCommitted { group, deadline_s: (DRAIN_DEADLINE + COMMIT_DEADLINE).as_secs() })
            };
            result = result.and(ended);
        }
        result
    }

    /// Records that this pipeline has written, by topic.
    fn written(&self) -> impl Iterator<Item = (Topic, u64)> {
        self.shared.producer.confirmed().map(|(topic, partitions)| (topic, partitions.iter().sum()))
    }

    /// Waits for the last reports of writes that belong to no batch: each comes within a write's deadline, whatever it says.
    fn confirm(&self, slot: Slot, whose: &str) -> Result<(), Error> {
        let deadline = Instant::now() + settings::WRITE_DEADLINE + REPORT_MARGIN;
        loop {
            if let Some(result) = self.shared.producer.result(slot) {
                return result.map_err(|failure| Error::NotWritten(Box::new(failure)));
            }
            if Instant::now() >= deadline {
                let (open, deadline_s) = (self.shared.producer.pending(slot), settings::WRITE_DEADLINE.as_secs());
                return Err(Error::NotDrained { group: whose.into(), open, what: "writes", deadline_s });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn compare_watermarks(&self) -> Result<Drained, Error> {
        let connection = &self.shared.connection;
        let reader = Reader::new(connection, &settings::client(connection))?;
        let mut records = Vec::new();
        for (topic, partitions) in self.shared.producer.confirmed() {
            records.push((topic, partitions.iter().sum()));
            for (partition, confirmed) in (0..).zip(partitions) {
                // Asked until there is an answer: the leader of a new partition may be known to the brokers, and not yet to itself.
                let high_watermark = reader.log(topic.as_str(), partition)?.end;
                if u64::try_from(high_watermark) != Ok(confirmed) {
                    return Err(Error::Watermark { topic, partition, confirmed, high_watermark });
                }
            }
        }
        Ok(Drained { records })
    }
}

impl Drop for Pipeline {
    /// A pipeline that is given up stops its groups too: they do not outlive it.
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        let _ = self.join_all();
    }
}

fn join(group: String, thread: JoinHandle<Result<(), Error>>) -> Result<(), Error> {
    thread.join().unwrap_or_else(|_| Err(Error::Panicked(group)))
}
