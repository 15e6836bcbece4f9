//! The audit's own eyes beside a run: what others write and handle shows in topics and committed offsets alone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use events::Topic;
use messaging::audit::{Observation, Reading, Told};
use messaging::{Origin, RUN, Subscription};

use crate::consumer::DRAIN_DEADLINE;
use crate::{Connection, Error, GroupOffsets, Span, TopicReader};

/// How often groups are asked how far they are.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Records that are read in one go, and how long the first of them is waited for.
const BATCH: usize = 1_000;
const WAIT: Duration = Duration::from_millis(10);

const NAME: &str = "audit reader";

/// A thread that ends with what it found.
type Thread<T> = JoinHandle<Result<T, Error>>;

/// Reads the topics of a flow from where they end at the start, and tells an audit what it finds of one run.
///
/// Who takes orders in tells the audit of each before it writes it: an order is never taken in by what is read here, so that a
/// record of a strange order is unexpected. Everything else may come in any order.
pub struct AuditReader {
    stop: Arc<AtomicBool>,
    /// Both are there until one of them has failed.
    listener: Option<Thread<Vec<(Topic, u64)>>>,
    asker: Option<Thread<()>>,
}

/// How far the groups that write nothing were, and where the topics ended after that. A group's dead letter stands before the
/// group commits, so whoever has read up to these ends knows which of the records below the offsets were given up.
struct Progress {
    /// What each group has committed, partition by partition.
    committed: Vec<Vec<Option<i64>>>,
    ends: Vec<Span>,
}

impl AuditReader {
    /// Begins; what is written after this call is read.
    ///
    /// # Errors
    /// Where a topic or group may not be asked for or read, or the brokers do not answer within ten seconds.
    pub fn start(
        connection: &Connection,
        reading: Reading,
        topics: &[Topic],
        run: &str,
        observations: SyncSender<Vec<Observation>>,
    ) -> Result<Self, Error> {
        let silent: Vec<Subscription> = reading.silent_groups().cloned().collect();
        let asker = Asker::connect(connection, topics, &silent)?;
        let begin: Vec<Span> = asker.ask()?.ends.into_iter().map(Span::onwards).collect();
        let mut reader = TopicReader::connect(connection)?;
        reader.begin(&begin)?;
        let stop = Arc::new(AtomicBool::new(false));
        let listener = Listener {
            reader,
            reading,
            run: run.as_bytes().to_vec(),
            observations,
            waiting: silent.into_iter().map(|group| (group, BTreeMap::new())).collect(),
            given_up: BTreeSet::new(),
            records: topics.iter().map(|&topic| (topic, 0)).collect(),
            stop: Arc::clone(&stop),
        };
        let (sender, progress) = sync_channel(1);
        Ok(Self {
            asker: Some(spawn(format!("{NAME}: offsets"), {
                let stop = Arc::clone(&stop);
                move || asker.run(&sender, &stop)
            })?),
            listener: Some(spawn(NAME.into(), move || listener.run(&progress))?),
            stop,
        })
    }

    /// Looks whether it still reads. After an error there is nothing left to stop.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(&mut self) -> Result<(), Error> {
        if let Some(listener) = self.listener.take_if(|listener| listener.is_finished()) {
            return join(listener).map(drop);
        }
        self.asker.take_if(|asker| asker.is_finished()).map_or(Ok(()), join)
    }

    /// Reads on to where the topics end now, asks the groups once more, and answers with the run's records of each topic.
    ///
    /// # Errors
    /// Where it failed before, or cannot read all of that within ten seconds.
    pub fn stop(self) -> Result<Vec<(Topic, u64)>, Error> {
        self.stop.store(true, Ordering::Release);
        if let Some(asker) = &self.asker {
            asker.thread().unpark();
        }
        let asked = self.asker.map_or(Ok(()), join);
        let read = self.listener.map_or(Ok(Vec::new()), join);
        asked.and(read)
    }
}

fn spawn<T: Send + 'static>(
    name: String,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<Thread<T>, Error> {
    let thread = std::thread::Builder::new().name(name.clone()).spawn(work);
    thread.map_err(|source| Error::Thread { group: name, source })
}

fn join<T>(thread: Thread<T>) -> Result<T, Error> {
    thread.join().unwrap_or_else(|_| Err(Error::Panicked(NAME.into())))
}

/// Asks how far groups and topics are, apart from the reading: a coordinator that is away holds up nothing else.
struct Asker {
    reader: TopicReader,
    topics: Vec<Topic>,
    /// Each with its topic and the number of partitions of it.
    groups: Vec<(GroupOffsets, Topic, u32)>,
}

impl Asker {
    fn connect(connection: &Connection, topics: &[Topic], silent: &[Subscription]) -> Result<Self, Error> {
        let reader = TopicReader::connect(connection)?;
        let connect = |group: &Subscription| {
            let partitions = reader.spans([group.topic])?.len() as u32;
            Ok((GroupOffsets::of(connection, &group.group)?, group.topic, partitions))
        };
        let groups = silent.iter().map(connect).collect::<Result<_, Error>>()?;
        Ok(Self { reader, topics: topics.to_vec(), groups })
    }

    fn run(self, progress: &SyncSender<Progress>, stop: &AtomicBool) -> Result<(), Error> {
        loop {
            let is_last = stop.load(Ordering::Acquire);
            match self.ask() {
                // A listener that is gone has its own reason.
                Ok(answer) => drop(progress.send(answer)),
                Err(error) if is_last => return Err(error),
                Err(error) => {
                    tracing::warn!(order_id = "", event_type = "", service = NAME, status = "asked_again", %error, "audit not answered");
                }
            }
            if is_last {
                return Ok(());
            }
            if !stop.load(Ordering::Acquire) {
                std::thread::park_timeout(ASK_EVERY);
            }
        }
    }

    fn ask(&self) -> Result<Progress, Error> {
        let committed =
            self.groups.iter().map(|(group, topic, partitions)| group.committed(topic.as_str(), *partitions));
        let committed = committed.collect::<Result<_, Error>>()?;
        Ok(Progress { committed, ends: self.reader.spans(self.topics.iter().copied())? })
    }
}

/// Records of a partition that their group has not committed yet, each with what it will mean: about as many as the run has
/// orders on their way.
type Waiting = VecDeque<(i64, Observation)>;

struct Listener {
    reader: TopicReader,
    reading: Reading,
    run: Vec<u8>,
    observations: SyncSender<Vec<Observation>>,
    /// For each group that writes nothing, by partition.
    waiting: Vec<(Subscription, BTreeMap<i32, Waiting>)>,
    /// What groups have given up: their committed offsets do not say that they have handled it.
    given_up: BTreeSet<Origin>,
    records: BTreeMap<Topic, u64>,
    stop: Arc<AtomicBool>,
}

impl Listener {
    fn run(mut self, progress: &Receiver<Progress>) -> Result<Vec<(Topic, u64)>, Error> {
        loop {
            match progress.try_recv() {
                Ok(Progress { committed, ends }) => {
                    self.read_to(&ends)?;
                    self.release(&committed);
                }
                Err(TryRecvError::Empty) => self.read()?,
                Err(TryRecvError::Disconnected) => return Ok(self.records.into_iter().collect()),
            }
        }
    }

    /// Reads until these ends are behind us; once it is told to stop, not for long.
    fn read_to(&mut self, ends: &[Span]) -> Result<(), Error> {
        let is_behind =
            |rest: &Span, end: &Span| (rest.topic, rest.partition) != (end.topic, end.partition) || rest.from >= end.to;
        let mut stopped_at = None;
        while let Some(missing) = ends.iter().find(|&end| !self.reader.rest().iter().all(|rest| is_behind(rest, end))) {
            if self.stop.load(Ordering::Acquire) {
                let waited = stopped_at.get_or_insert_with(Instant::now).elapsed();
                if waited >= DRAIN_DEADLINE {
                    let (Span { topic, partition, to, .. }, deadline_s) = (*missing, DRAIN_DEADLINE.as_secs());
                    return Err(Error::NotRead { topic, partition, to, deadline_s });
                }
            }
            self.read()?;
        }
        Ok(())
    }

    fn read(&mut self) -> Result<(), Error> {
        let Self { reader, reading, run, waiting, given_up, records, .. } = self;
        let mut observations = Vec::new();
        reader.read(WAIT, BATCH, |record, _| {
            if record.headers.last(RUN) != Some(run) {
                return;
            }
            *records.entry(record.topic).or_default() += u64::from(!reading.is_settlement(record));
            reading.read(record, &mut |told| match told {
                Told::Now(Observation::Entered { .. }) => {}
                Told::Now(observation) => {
                    if let Observation::DeadLettered { origin, .. } = &observation {
                        given_up.insert(origin.clone());
                    }
                    observations.push(observation);
                }
                Told::OnceCommitted(group, handled) => {
                    if let Some((_, partitions)) = waiting.iter_mut().find(|(waits, _)| waits.group == group.group) {
                        partitions.entry(record.partition).or_default().push_back((record.offset, handled));
                    }
                }
            });
        })?;
        self.tell(observations);
        Ok(())
    }

    /// Tells of what lies below the offsets that each group has committed.
    fn release(&mut self, committed: &[Vec<Option<i64>>]) {
        let mut observations = Vec::new();
        for ((Subscription { group, topic, .. }, partitions), committed) in self.waiting.iter_mut().zip(committed) {
            for (&partition, queue) in partitions {
                let below = committed.get(partition as usize).copied().flatten().unwrap_or(0);
                while let Some((offset, handled)) = queue.pop_front_if(|&mut (offset, _)| offset < below) {
                    let origin = || Origin { group: group.clone(), topic: *topic, partition, offset };
                    if self.given_up.is_empty() || !self.given_up.contains(&origin()) {
                        observations.push(handled);
                    }
                }
            }
        }
        self.tell(observations);
    }

    /// An audit that is gone needs no telling.
    fn tell(&self, observations: Vec<Observation>) {
        if !observations.is_empty() {
            let _ = self.observations.send(observations);
        }
    }
}
