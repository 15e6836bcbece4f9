//! An event source mapping: polls one topic, hands batches to the function, one a partition at a time, and commits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use events::Topic;
use kafka_transport::{Connection, Error, Pace, Poller, StartAt};

use crate::function::{Function, now_ms};
use crate::functions::{Functions, Name};
use crate::{AwsError, CreateEventSourceMapping, Outcome};
use lane::{Lane, Limits, Verdict};

mod event; // the event of a batch, and what its answer means
mod lane; // one partition, without I/O

/// What Lambda's event may hold; what stands around the records is less than the rest.
const MAX_BATCH_BYTES: usize = 6 * 1024 * 1024 - 16 * 1024;

/// Where nobody says how long a batch collects.
const DEFAULT_WINDOW_MS: u64 = 500;

/// How long it waits before it looks for records again, and how many of a partition it takes before it looks at the others.
const IDLE_WAIT: Duration = Duration::from_millis(5);
const BUSY_WAIT: Duration = Duration::from_millis(1);
const RECORDS_A_LOOK: usize = 2_000;

/// How long the brokers are left alone after a failure that may pass.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// How many invocations one provisioned poller carries at once.
const INVOCATIONS_A_POLLER: u64 = 5;

/// What stands before a reason for which AWS has no code.
pub(crate) const PROBLEM: &str = "PROBLEM";

/// How a mapping is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappingStatus {
    /// `Creating`, `Enabled`, `Disabling`, `Disabled`, `Enabling`, `Updating`, `Deleting`.
    pub state: &'static str,
    /// Why it does not do what it should; empty if it does.
    pub reason: String,
    /// `No records processed`, `OK` or `PROBLEM: ...`.
    pub last_result: String,
    /// Invocations that ended.
    pub invocations: u64,
    /// Of them those that failed.
    pub failures: u64,
    /// Of the failures those that the emulator has caused itself.
    pub injected: u64,
    /// Records that the group is done with.
    pub records: u64,
    /// Of them those that were given up after the last retry.
    pub given_up: u64,
    /// Records that are not committed yet, as of about a second ago; `None` before that is known.
    pub lag: Option<u64>,
}

/// A mapping that works until it is dropped or disabled.
pub(crate) struct Mapping {
    pub(crate) uuid: String,
    pub(crate) group: String,
    settings: Mutex<Settings>,
    /// What is done to it: its state until that is done.
    change: Mutex<Option<&'static str>>,
    is_closed: AtomicBool,
    status: Arc<Mutex<MappingStatus>>,
    batches: Batches,
    stop: Arc<AtomicBool>,
    work: Mutex<Option<JoinHandle<()>>>,
}

/// What an update changes.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) body: CreateEventSourceMapping,
    pub(crate) connection: Connection,
    /// In milliseconds since 1970.
    pub(crate) modified_ms: u64,
}

impl Settings {
    pub(crate) fn new(body: CreateEventSourceMapping, connection: Connection) -> Self {
        Self { body, connection, modified_ms: now_ms() }
    }

    fn start_at(&self) -> StartAt {
        match (self.body.starting_position.as_str(), self.body.starting_position_timestamp) {
            ("LATEST", _) => StartAt::Latest,
            ("AT_TIMESTAMP", Some(seconds)) => StartAt::Time((seconds * 1_000.0).round() as i64),
            _ => StartAt::Earliest,
        }
    }

    fn limits(&self) -> Limits {
        let window = self.body.maximum_batching_window_in_seconds;
        Limits {
            records: self.body.batch_size as usize,
            bytes: MAX_BATCH_BYTES,
            window_ms: window.map_or(DEFAULT_WINDOW_MS, |seconds| seconds * 1_000),
            retries: u32::try_from(self.body.maximum_retry_attempts).ok(),
        }
    }
}

/// How many batches each partition has handed out, those that came again included.
type Batches = Arc<Mutex<BTreeMap<i32, u64>>>;

impl Mapping {
    pub(crate) fn new(settings: Settings) -> Self {
        let body = &settings.body;
        let uuid = uuid::Uuid::new_v4().to_string();
        let group =
            body.self_managed_kafka_event_source_config.consumer_group_id.clone().unwrap_or_else(|| uuid.clone());
        let state = if body.enabled { "Creating" } else { "Disabled" };
        let status = MappingStatus { state, last_result: "No records processed".into(), ..MappingStatus::default() };
        Self {
            uuid,
            group,
            settings: Mutex::new(settings),
            change: Mutex::default(),
            is_closed: AtomicBool::new(false),
            status: Arc::new(Mutex::new(status)),
            batches: Arc::default(),
            stop: Arc::default(),
            work: Mutex::default(),
        }
    }

    pub(crate) fn status(&self) -> MappingStatus {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(change) = *self.change.lock().unwrap_or_else(PoisonError::into_inner) {
            status.state = change;
        }
        status
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes them while nobody else does: what stands beside the change is not lost.
    pub(crate) fn change_settings<T>(&self, change: impl FnOnce(&mut Settings) -> T) -> T {
        change(&mut self.settings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins a change, whose state it tells from now on; false where there is one already.
    pub(crate) fn begin(&self, change: &'static str) -> bool {
        let mut current = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = current.is_none();
        if is_free {
            *current = Some(change);
        }
        is_free
    }

    /// What the change that has begun is, more exactly.
    pub(crate) fn tell_change(&self, change: &'static str) {
        *self.change.lock().unwrap_or_else(PoisonError::into_inner) = Some(change);
    }

    /// Its change is done.
    pub(crate) fn unchanged(&self) {
        *self.change.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Why it does not poll although it should.
    pub(crate) fn blame(&self, reason: String) {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).reason = reason;
    }

    /// Polls no more, whoever wants it to; [`Mapping::disable`] waits for that.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.stop();
    }

    /// Polls from now on, if it does not yet.
    pub(crate) fn enable(&self, functions: &Arc<Functions>, pace: Pace) -> Result<(), AwsError> {
        let mut running = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        if running.take_if(|work| work.is_finished()).is_none() && running.is_some() {
            return Ok(());
        }
        if self.is_closed.load(Ordering::Acquire) {
            return Err(AwsError::ends());
        }
        let settings = self.settings();
        let work = Work {
            connection: settings.connection.clone(),
            group: self.group.clone(),
            topic: Topic::named(&settings.body.topics[0]),
            start: settings.start_at(),
            pace,
            limits: settings.limits(),
            pollers: settings.body.pollers(),
            reports_failures: settings.body.reports_failures(),
            functions: Arc::clone(functions),
            function: settings.body.function_name,
            status: Arc::clone(&self.status),
            stop: Arc::clone(&self.stop),
            batches: Arc::clone(&self.batches),
        };
        self.stop.store(false, Ordering::Release);
        work.tell(|status| {
            status.reason.clear();
            if status.state == "Disabled" {
                status.state = "Enabling";
            }
        });
        let thread = std::thread::Builder::new().name(self.group.clone()).spawn(move || work.run());
        *running = Some(thread.map_err(|error| AwsError::service(error.to_string()))?);
        Ok(())
    }

    /// Polls no more; what is under way ends first.
    pub(crate) fn disable(&self) {
        // Whoever enables it meanwhile waits here: no partition is with the function twice.
        let mut running = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        self.stop();
        if let Some(work) = running.take() {
            let _ = work.join();
        }
        // It does what it should.
        self.blame(String::new());
    }

    /// Begins to end.
    fn stop(&self) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        self.stop.store(true, Ordering::Release);
        if status.state != "Disabled" {
            status.state = "Disabling";
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        self.disable();
    }
}

/// What the mapping's thread has.
struct Work {
    connection: Connection,
    group: String,
    topic: Topic,
    start: StartAt,
    pace: Pace,
    limits: Limits,
    /// How many there may be; `None` in on-demand mode.
    pollers: Option<u64>,
    reports_failures: bool,
    functions: Arc<Functions>,
    /// Whom it invokes: whoever has that name when a batch goes.
    function: String,
    status: Arc<Mutex<MappingStatus>>,
    stop: Arc<AtomicBool>,
    batches: Batches,
}

/// What has become of a batch.
struct Returned {
    partition: i32,
    verdict: Verdict,
    /// Whether it failed because the emulator wanted it to.
    is_injected: bool,
}

impl Work {
    fn tell(&self, change: impl FnOnce(&mut MappingStatus)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The number of a partition's next batch.
    fn count(&self, partition: i32) -> u64 {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let count = batches.entry(partition).or_default();
        *count += 1;
        *count - 1
    }

    /// Polls until it is told to stop, or until it cannot go on.
    fn run(self) {
        while !self.stop.load(Ordering::Acquire) {
            let Err(error) = self.poll() else { break };
            let (code, reason) = explain(&error);
            tracing::error!(group = self.group, topic = self.topic.as_str(), code, reason, "mapping cannot go on");
            self.tell(|status| status.reason = format!("{code}: {reason}"));
            // What was dropped does not come back: going on would leave it out without a word.
            let is_final = matches!(error, Error::Dropped { .. });
            if is_final {
                break;
            }
            let again = Instant::now() + LOOK_AGAIN;
            while Instant::now() < again && !self.stop.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        self.tell(|status| status.state = "Disabled");
    }

    fn poll(&self) -> Result<(), Error> {
        let poller = Poller::begin(&self.connection, &self.group, self.topic, self.start, self.pace)?;
        self.tell(|status| {
            status.reason.clear();
            if !self.stop.load(Ordering::Acquire) {
                status.state = "Enabled";
            }
        });
        let partitions = poller.partitions();
        let (sender, ended) = mpsc::sync_channel(partitions.max(1) as usize);
        let lanes = (0..partitions).map(|partition| (partition, Lane::new(self.limits))).collect();
        // There are never more pollers than partitions, and a partition has one batch under way in either mode.
        let pollers = self.pollers.map_or(partitions as u64, |most| most.min(partitions as u64));
        let at_once = usize::try_from(pollers * INVOCATIONS_A_POLLER).unwrap_or(usize::MAX);
        let mut session = Session { work: self, poller, lanes, at_once, first: 0, sender, begun: Instant::now() };
        let result = session.poll(&ended);
        if result.is_err() {
            // What is under way ends before anything begins anew: no partition is with the function twice.
            session.finish(&ended).ok();
        }
        result
    }
}

/// The lanes of one session with the brokers.
struct Session<'w> {
    work: &'w Work,
    poller: Poller,
    lanes: BTreeMap<i32, Lane>,
    /// Batches under way at most.
    at_once: usize,
    /// The partition that is looked at first: all get their turn.
    first: i32,
    sender: SyncSender<Returned>,
    begun: Instant,
}

impl Session<'_> {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn poll(&mut self, ended: &Receiver<Returned>) -> Result<(), Error> {
        while !self.work.stop.load(Ordering::Acquire) {
            self.poller.serve()?;
            let taken = self.fetch()?;
            self.hand_out();
            self.state_lag();
            // What is there is taken before anybody waits; whoever has ended is not kept waiting.
            let wait = match taken {
                0 if self.lanes.values().all(Lane::is_empty) => IDLE_WAIT,
                0 => BUSY_WAIT,
                _ => Duration::ZERO,
            };
            if let Ok(one) = ended.recv_timeout(wait) {
                self.take_in(one)?;
            }
        }
        self.finish(ended)
    }

    /// Fills the lanes, each up to two batches and what its last record has too many bytes; gives the number of records.
    fn fetch(&mut self) -> Result<usize, Error> {
        let (now_ms, poller, mut taken) = (self.now_ms(), &self.poller, 0);
        for (&partition, lane) in self.lanes.iter_mut().filter(|(_, lane)| !lane.is_full()) {
            taken += poller.poll(partition, RECORDS_A_LOOK, |record, written_at| {
                lane.push(event::pending(record, written_at), now_ms)
            })?;
        }
        Ok(taken)
    }

    /// Waits for what is under way, whatever becomes of its commits.
    fn finish(&mut self, ended: &Receiver<Returned>) -> Result<(), Error> {
        let mut result = Ok(());
        while self.lanes.values().any(Lane::is_under_way) {
            let Ok(one) = ended.recv() else { break };
            result = result.and(self.take_in(one));
        }
        result
    }

    /// Gives each partition's next batch to the function, if it is time for it.
    fn hand_out(&mut self) {
        let now_ms = self.now_ms();
        let mut under_way = self.lanes.values().filter(|lane| lane.is_under_way()).count();
        let (first, partitions) = (self.first, self.lanes.len() as i32);
        for partition in (0..partitions).map(|n| (first + n) % partitions) {
            if under_way >= self.at_once {
                break;
            }
            let Some(lane) = self.lanes.get_mut(&partition) else { continue };
            let Some(batch) = lane.take(now_ms) else { continue };
            let function = self.work.functions.find(Name::parse(&self.work.function));
            if let (true, Ok(function)) = (lane.is_again(), &function) {
                function.tally.retried();
            }
            under_way += 1;
            // Nobody moves back in the row while others have not had their turn.
            self.first = (partition + 1) % partitions;
            let (sender, stop) = (self.sender.clone(), Arc::clone(&self.work.stop));
            let name = format!("{}-{partition}", self.work.topic);
            let (reports_failures, brokers) = (self.work.reports_failures, self.work.connection.brokers().to_owned());
            let (whose, count) = (format!("{}/{partition}", self.work.group), self.work.count(partition));
            let invoke = move || {
                let event = event::event(&brokers, &name, &batch);
                let (outcome, is_injected) = match function {
                    Ok(function) => invoke(&function, &event, &whose, count, &stop),
                    Err(error) => (Err(error), false),
                };
                let verdict = match outcome {
                    Ok(outcome) => event::verdict(&outcome, reports_failures, &name, &batch),
                    Err(error) => Verdict::NotInvoked { reason: error.to_string() },
                };
                let _ = sender.send(Returned { partition, verdict, is_injected });
            };
            if let Err(error) = std::thread::Builder::new().name("invocation".into()).spawn(invoke) {
                let verdict = Verdict::NotInvoked { reason: error.to_string() };
                let _ = self.sender.send(Returned { partition, verdict, is_injected: false });
            }
        }
    }

    fn take_in(&mut self, Returned { partition, verdict, is_injected }: Returned) -> Result<(), Error> {
        let now_ms = self.now_ms();
        let (problem, is_invoked) = match &verdict {
            Verdict::Done => (None, true),
            Verdict::From { reason, .. } | Verdict::Failed { reason } => {
                (Some(format!("PROBLEM: Function call failed: {}", brief(reason))), true)
            }
            Verdict::NotInvoked { reason } => {
                (Some(format!("PROBLEM: Function was not called: {}", brief(reason))), false)
            }
        };
        let Some(lane) = self.lanes.get_mut(&partition) else { return Ok(()) };
        let settled = lane.settle(verdict, now_ms);
        self.work.tell(|status| {
            status.invocations += u64::from(is_invoked);
            status.failures += u64::from(is_invoked && problem.is_some());
            status.injected += u64::from(is_injected);
            status.records += settled.records;
            status.last_result = problem.unwrap_or_else(|| "OK".into());
            if let Some((records, _)) = settled.given_up {
                status.given_up += records as u64;
            }
        });
        if let Some((records, reason)) = settled.given_up {
            let (group, topic) = (self.work.group.as_str(), self.work.topic.as_str());
            tracing::error!(
                group,
                topic,
                partition,
                records,
                reason = brief(&reason),
                "records given up after the last retry"
            );
        }
        settled.commit.map_or(Ok(()), |offset| self.poller.commit(&BTreeMap::from([(partition, offset)])))
    }

    fn state_lag(&self) {
        let lag = self.poller.lag();
        self.work.tell(|status| status.lag = lag);
    }
}

/// The beginning of what a function says, for a line on somebody's terminal: it may say megabytes of anything.
fn brief(reason: &str) -> String {
    const LETTERS: usize = 1_000;
    reason.chars().take(LETTERS).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// AWS's code for why a mapping cannot go on, and the reason, with what to check of the mapping.
fn explain(error: &Error) -> (&'static str, String) {
    match error {
        Error::Login { address, user, reason } => (
            "EVENT_SOURCE_AUTHN_ERROR",
            format!("{address}: user {user} was refused ({reason}): check the secret of SASL_SCRAM_512_AUTH"),
        ),
        Error::Certificate { address, reason } => (
            "EVENT_SOURCE_AUTHN_ERROR",
            format!(
                "{address}: its certificate was refused ({reason}): check the secret of SERVER_ROOT_CA_CERTIFICATE"
            ),
        ),
        Error::Forbidden { address, user, operation, resource } => (
            "EVENT_SOURCE_AUTHZ_ERROR",
            format!("{address}: user {user} may not {operation} {resource}: check its ACLs"),
        ),
        Error::UnknownTopic { address, topic } => ("ESM_CONFIG_NOT_VALID", format!("{address}: no topic {topic}")),
        Error::Dropped { .. } => ("ESM_CONFIG_NOT_VALID", error.to_string()),
        Error::Unreachable { address, deadline_s, reason } => (
            PROBLEM,
            format!(
                "{address}: no answer within {deadline_s} s ({reason}): check KAFKA_BOOTSTRAP_SERVERS, and whether it asks for TLS and a user"
            ),
        ),
        error => (PROBLEM, error.to_string()),
    }
}

/// Invokes for one batch, unless the plan of faults has something else for it: then `true` stands beside the outcome.
fn invoke(
    function: &Function,
    event: &str,
    whose: &str,
    count: u64,
    stop: &AtomicBool,
) -> (Result<Outcome, AwsError>, bool) {
    let (faults, id) = (&function.faults, uuid::Uuid::new_v4().to_string());
    let strike = faults.strikes(whose, count);
    let outcome = function.invoke_and_strike(&id, event.as_bytes(), &|| !stop.load(Ordering::Acquire), strike);
    if strike.is_some() || !matches!(outcome, Ok(Outcome::Answered(_))) || !faults.fails(whose, count) {
        return (outcome, strike.is_some());
    }
    let text = format!("the emulator turns the answer to {whose}, batch {count}, into an error: seed {}", faults.seed);
    function.tally.injected();
    function.log.write_line(&format!("RequestId: {id} {text}"));
    (Ok(Outcome::failed("Emulator.Injected", &text)), true)
}
