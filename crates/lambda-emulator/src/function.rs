//! A function: its environments, one event in each at a time.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use messaging::Draw;
use nursery::Nursery;
use tempfile::TempDir;

use crate::environment::{Environment, Event, Outcome, Shared, Usage};
use crate::log::FunctionLog;
use crate::tally::Tally;
use crate::{AwsError, CreateFunction, Faults, Options, archive};

/// How long INIT may take before it is repeated within the first invocation.
const INIT: Duration = Duration::from_secs(10);

/// The attempts of an asynchronous invocation.
const EVENT_ATTEMPTS: u32 = 3;

/// How long Lambda waits before the second attempt and the third: a minute and two; here less, nobody is served by it.
const EVENT_WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

/// Asynchronous invocations that a function keeps until it has an environment for them.
const MAX_EVENTS: usize = 100;

/// How often somebody who waits for a free environment asks himself whether he still does.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// The largest event of a synchronous invocation.
pub(crate) const MAX_EVENT_BYTES: usize = 6_291_556;

/// The largest event of an asynchronous one.
const MAX_ASYNCHRONOUS_BYTES: usize = 1024 * 1024;

/// What an invocation is taken to last as long as none has been answered, in microseconds.
const FIRST_US: u64 = 10_000;

/// How long a person with a debugger may take: for ever, as good as.
const ATTACHED: Duration = Duration::from_secs(365 * 86_400);

pub(crate) const ACCOUNT: &str = "000000000000";

/// The variable by which SDKs find another Secrets Manager than that of AWS.
const SECRETS_ENDPOINT: &str = "AWS_ENDPOINT_URL_SECRETS_MANAGER";

/// What a function is made of.
pub(crate) struct Configuration {
    pub(crate) name: String,
    pub(crate) memory_mib: u64,
    pub(crate) timeout: Duration,
    /// How long its process may take to end after SIGTERM, where it has an extension.
    pub(crate) shutdown: Duration,
    pub(crate) region: String,
    /// Where its SDK finds Secrets Manager; none where there are no secrets.
    secrets: Option<String>,
    pub(crate) handler: String,
    environment: Vec<(String, String)>,
}

impl Configuration {
    /// # Errors
    /// Where AWS would refuse the body.
    pub(crate) fn new(body: &CreateFunction, options: &Options, secrets: Option<String>) -> Result<Self, AwsError> {
        body.check()?;
        Ok(Self {
            name: body.function_name.clone(),
            memory_mib: body.memory_size,
            timeout: Duration::from_secs(body.timeout),
            shutdown: options.shutdown,
            region: options.region.clone(),
            secrets,
            handler: body.handler.clone(),
            environment: body.environment.variables.clone().into_iter().collect(),
        })
    }

    pub(crate) fn arn(&self) -> String {
        arn(&self.region, &self.name)
    }

    /// What Lambda documents for a custom runtime, and the function's own.
    pub(crate) fn variables(&self, api: &str, code: &Path) -> Vec<(String, String)> {
        let code = code.display().to_string();
        let stream = format!("1970/01/01/[$LATEST]{}", uuid::Uuid::new_v4().simple());
        let mut variables: Vec<(String, String)> = [
            ("_HANDLER", self.handler.clone()),
            ("AWS_REGION", self.region.clone()),
            ("AWS_DEFAULT_REGION", self.region.clone()),
            ("AWS_LAMBDA_FUNCTION_NAME", self.name.clone()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", self.memory_mib.to_string()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".into()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", self.name)),
            ("AWS_LAMBDA_LOG_STREAM_NAME", stream),
            ("AWS_LAMBDA_RUNTIME_API", api.to_owned()),
            ("AWS_ACCESS_KEY_ID", "emulated".into()),
            ("AWS_SECRET_ACCESS_KEY", "emulated".into()),
            ("AWS_SESSION_TOKEN", "emulated".into()),
            ("LAMBDA_TASK_ROOT", code.clone()),
            ("LAMBDA_RUNTIME_DIR", code.clone()),
            ("PATH", format!("/usr/local/bin:/usr/bin:/bin:{code}")),
            ("LANG", "en_US.UTF-8".into()),
            ("TZ", ":UTC".into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        variables.extend(self.secrets.iter().map(|endpoint| (SECRETS_ENDPOINT.to_owned(), endpoint.clone())));
        variables.extend(self.environment.iter().cloned());
        variables
    }
}

/// A function that can be invoked.
pub(crate) struct Function {
    pub(crate) configuration: Arc<Configuration>,
    pub(crate) log: Arc<FunctionLog>,
    pub(crate) tally: Tally,
    folder: Arc<TempDir>,
    nursery: Arc<Nursery>,
    max_environments: usize,
    pub(crate) faults: Faults,
    attached: Option<Attached>,
    /// Invocations by hand.
    invocations: AtomicU64,
    /// How long the last invocation took that was answered, in microseconds.
    usual_us: AtomicU64,
    pool: Mutex<Pool>,
    released: Condvar,
}

/// What there is of a function whose process somebody else starts.
struct Attached {
    api: SocketAddr,
    /// Ends the wait of who has invoked it.
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Environment>,
    /// Those of busy environments: what breaks their invocations off.
    busy: Vec<Arc<Shared>>,
    /// Idle or busy.
    count: usize,
    /// Asynchronous invocations that nobody has begun.
    events: VecDeque<Vec<u8>>,
    /// Threads that are at those, as many as environments at most; none where there is none.
    workers: usize,
    is_closed: bool,
}

impl Function {
    /// Unpacks the code once, for all its environments.
    pub(crate) fn new(
        configuration: Configuration,
        zip: &[u8],
        log: FunctionLog,
        nursery: &Arc<Nursery>,
        max_environments: usize,
        faults: Faults,
    ) -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        archive::unpack(zip, folder.path())?;
        let tally = Tally::of(&configuration.name)?;
        Ok(Self {
            configuration: Arc::new(configuration),
            tally,
            log: Arc::new(log),
            folder: Arc::new(folder),
            nursery: Arc::clone(nursery),
            max_environments,
            faults,
            attached: None,
            invocations: AtomicU64::new(0),
            usual_us: AtomicU64::new(FIRST_US),
            pool: Mutex::default(),
            released: Condvar::new(),
        })
    }

    /// Starts no process: its one environment is whoever asks for its events.
    pub(crate) fn attach(mut self) -> std::io::Result<Self> {
        let (environment, api, shared) = Environment::attached(&self.configuration, &self.log, &self.folder)?;
        self.attached = Some(Attached { api, shared });
        self.max_environments = 1;
        let pool = self.pool.get_mut().unwrap_or_else(PoisonError::into_inner);
        (pool.count, pool.idle) = (1, vec![environment]);
        Ok(self)
    }

    /// What somebody exports before he starts the process himself.
    pub(crate) fn attached_variables(&self) -> Option<Vec<(String, String)>> {
        let api = self.attached.as_ref()?.api.to_string();
        let ours = |(name, _): &(String, String)| !matches!(name.as_str(), "PATH" | "LANG" | "TZ");
        Some(self.configuration.variables(&api, self.folder.path()).into_iter().filter(ours).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Invokes it by hand and waits for the outcome; for an environment that is free as long as `is_patient` says so.
    ///
    /// # Errors
    /// Where the event is too large, no environment becomes free, or none can be started.
    pub(crate) fn invoke(
        &self,
        request_id: &str,
        payload: &[u8],
        is_patient: &dyn Fn() -> bool,
    ) -> Result<Outcome, AwsError> {
        let count = self.invocations.fetch_add(1, Ordering::Relaxed);
        self.invoke_and_kill(request_id, payload, is_patient, self.faults.kills(&self.configuration.name, count))
    }

    /// The same for a mapping, which draws itself whether and where the process is killed.
    ///
    /// # Errors
    /// As [`Function::invoke`].
    pub(crate) fn invoke_and_kill(
        &self,
        request_id: &str,
        payload: &[u8],
        is_patient: &dyn Fn() -> bool,
        kill: Option<Draw>,
    ) -> Result<Outcome, AwsError> {
        allow(payload, MAX_EVENT_BYTES)?;
        let idle = self.acquire(is_patient)?;
        let mut lease = Lease { function: self, environment: None };
        self.log.write_line(&format!("START RequestId: {request_id} Version: $LATEST"));
        let mut init = None;
        let started = match idle {
            Some(environment) => Ok((environment, self.timeout())),
            None => self.start(&mut init),
        };
        let (outcome, usage) = match started {
            Ok((mut environment, timeout)) => {
                let deadline_ms = now_ms() + timeout.as_millis();
                let event = Event { request_id: request_id.to_owned(), payload: payload.into(), deadline_ms };
                // Half of the moments come before the usual end; where the answer is faster, it is lost with the process.
                let usual_us = self.usual_us.load(Ordering::Relaxed);
                let kill = kill.map(|moment| Duration::from_micros(moment.scale(2 * usual_us)));
                if kill.is_some() {
                    let seed = self.faults.seed;
                    self.log
                        .write_line(&format!("RequestId: {request_id} the emulator kills the process, seed {seed}"));
                }
                let (outcome, usage, is_alive) = environment.invoke(event, timeout, kill);
                if let (Outcome::Answered(_), Ok(us)) = (&outcome, u64::try_from(usage.duration.as_micros())) {
                    self.usual_us.store(us, Ordering::Relaxed);
                }
                if is_alive {
                    lease.environment = Some(environment);
                } else {
                    self.is_busy_no_more(&environment);
                }
                (outcome, usage)
            }
            Err(outcome) => (outcome, Usage::default()),
        };
        drop(lease);
        self.tally.invoked(&outcome, usage);
        self.report(request_id, &outcome, usage, init);
        Ok(outcome)
    }

    /// How long one invocation may take.
    fn timeout(&self) -> Duration {
        if self.attached.is_some() { ATTACHED } else { self.configuration.timeout }
    }

    /// Invokes it and waits for nothing; it is tried three times with the same request id.
    ///
    /// # Errors
    /// Where the event is too large, as many as may wait already, or the machine has no thread for it.
    pub(crate) fn invoke_event(self: &Arc<Self>, payload: Vec<u8>) -> Result<(), AwsError> {
        allow(&payload, MAX_ASYNCHRONOUS_BYTES)?;
        let mut pool = self.lock();
        if pool.is_closed {
            return Err(self.not_found());
        }
        if pool.events.len() == MAX_EVENTS {
            return Err(AwsError::throttled("Rate Exceeded."));
        }
        if pool.workers < self.max_environments {
            let function = Arc::clone(self);
            let spawned = std::thread::Builder::new().name("event".into()).spawn(move || function.work_off());
            spawned.map_err(|error| AwsError::service(error.to_string()))?;
            pool.workers += 1;
        }
        pool.events.push_back(payload);
        Ok(())
    }

    /// Invokes for one event after the other until none is left.
    fn work_off(&self) {
        loop {
            let mut pool = self.lock();
            let Some(payload) = pool.events.pop_front() else {
                pool.workers -= 1;
                drop(pool);
                self.released.notify_all();
                return;
            };
            drop(pool);
            self.try_event(&payload);
        }
    }

    fn try_event(&self, payload: &[u8]) {
        let id = uuid::Uuid::new_v4().to_string();
        for attempt in 0..EVENT_ATTEMPTS {
            if attempt > 0 {
                self.tally.retried();
            }
            // Nobody else waits for it: it has the time until the function is closed.
            if let Ok(Outcome::Answered(_)) = self.invoke(&id, payload, &|| true) {
                return;
            }
            if let Some(wait) = EVENT_WAITS.get(attempt as usize) {
                let waited = self.released.wait_timeout_while(self.lock(), *wait, |pool| !pool.is_closed);
                drop(waited.unwrap_or_else(PoisonError::into_inner));
            }
        }
        self.log.write_line(&format!("RequestId: {id} the event is given up after {EVENT_ATTEMPTS} attempts"));
    }

    fn not_found(&self) -> AwsError {
        not_found(&self.configuration.region, &self.configuration.name)
    }

    /// An idle environment, or the right to start one.
    fn acquire(&self, is_patient: &dyn Fn() -> bool) -> Result<Option<Environment>, AwsError> {
        let mut pool = self.lock();
        loop {
            if pool.is_closed {
                return Err(self.not_found());
            }
            if let Some(environment) = pool.idle.pop() {
                pool.busy.push(environment.shared());
                return Ok(Some(environment));
            }
            if pool.count < self.max_environments {
                pool.count += 1;
                return Ok(None);
            }
            if !is_patient() {
                return Err(AwsError::throttled("Rate Exceeded."));
            }
            pool = self.released.wait_timeout(pool, ASK_AGAIN).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Starts an environment. INIT that fails is repeated once, within the time of the invocation: what is left of that stands
    /// beside the environment.
    fn start(&self, init: &mut Option<Duration>) -> Result<(Environment, Duration), Outcome> {
        let mut result = Err(Outcome::failed("Runtime.ExitError", "INIT was not tried"));
        for (patience, is_repeated) in [(INIT, false), (self.timeout(), true)] {
            let begun = Instant::now();
            let started = Environment::start(&self.configuration, &self.log, &self.folder, &self.nursery);
            let mut environment = match started {
                Ok(environment) => environment,
                Err(error) => return Err(Outcome::failed("Runtime.InvalidEntrypoint", &format!("bootstrap: {error}"))),
            };
            self.is_busy(&environment);
            let done = environment.init(patience);
            let taken = begun.elapsed();
            match done {
                Ok(()) => {
                    *init = Some(taken);
                    let left = if is_repeated { patience.saturating_sub(taken) } else { self.timeout() };
                    return Ok((environment, left));
                }
                Err(outcome) => {
                    self.is_busy_no_more(&environment);
                    let Outcome::Failed { payload, .. } = &outcome else { continue };
                    self.log.write_line(&format!("INIT_REPORT Status: error {}", String::from_utf8_lossy(payload)));
                    result = Err(outcome);
                }
            }
        }
        result
    }

    /// What Lambda writes behind an invocation.
    fn report(&self, request_id: &str, outcome: &Outcome, usage: Usage, init: Option<Duration>) {
        let ms = |duration: Duration| duration.as_secs_f64() * 1_000.0;
        let duration = ms(usage.duration);
        let billed = (duration + init.map_or(0.0, ms)).ceil();
        let init = init.map_or_else(String::new, |init| format!("\tInit Duration: {:.2} ms", ms(init)));
        let (memory, used) = (self.configuration.memory_mib, usage.memory_kib.div_ceil(1024));
        if let Outcome::Failed { payload, kind } = outcome {
            let text = String::from_utf8_lossy(payload);
            self.log.write_line(&format!("{kind}: {text}"));
        }
        self.log.write_line(&format!("END RequestId: {request_id}"));
        self.log.write_line(&format!(
            "REPORT RequestId: {request_id}\tDuration: {duration:.2} ms\tBilled Duration: {billed:.0} ms\tMemory Size: \
             {memory} MB\tMax Memory Used: {used} MB{init}"
        ));
    }

    /// What breaks its invocation off; at once where the function is closed.
    fn is_busy(&self, environment: &Environment) {
        let mut pool = self.lock();
        if pool.is_closed {
            environment.shared().close();
        }
        pool.busy.push(environment.shared());
    }

    fn is_busy_no_more(&self, environment: &Environment) {
        self.lock().busy.retain(|busy| !Arc::ptr_eq(busy, &environment.shared()));
    }

    /// Ends its environments, also those that are busy, and waits for their end; nobody gets another. Its code goes with them.
    pub(crate) fn close(&self) {
        let idle = {
            let mut pool = self.lock();
            pool.is_closed = true;
            pool.events.clear();
            pool.busy.iter().for_each(|busy| busy.close());
            pool.count -= pool.idle.len();
            std::mem::take(&mut pool.idle)
        };
        self.released.notify_all();
        // Each may take its time for an end in peace.
        std::thread::scope(|scope| {
            for environment in idle {
                scope.spawn(move || drop(environment));
            }
        });
        let has_ended = self.released.wait_while(self.lock(), |pool| pool.count + pool.workers > 0);
        drop(has_ended.unwrap_or_else(PoisonError::into_inner));
        let _ = std::fs::remove_dir_all(self.folder.path()); // whoever still holds it needs it no more
    }

    /// Nobody waits for a process any more that somebody else would have to start.
    pub(crate) fn give_up_attached(&self) {
        if let Some(attached) = &self.attached {
            attached.shared.close();
        }
    }
}

/// The right to one environment, given back when it is dropped.
struct Lease<'f> {
    function: &'f Function,
    environment: Option<Environment>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(environment) = self.environment.take() {
            self.function.is_busy_no_more(&environment);
            let mut pool = self.function.lock();
            if !pool.is_closed {
                pool.idle.push(environment);
                drop(pool);
                self.function.released.notify_all();
                return;
            }
        }
        self.function.lock().count -= 1;
        self.function.released.notify_all();
    }
}

/// # Errors
/// Where an event has more bytes than it may.
fn allow(payload: &[u8], most: usize) -> Result<(), AwsError> {
    if payload.len() <= most { Ok(()) } else { Err(too_large(most)) }
}

/// What is told of an event with more bytes than it may have.
pub(crate) fn too_large(most: usize) -> AwsError {
    AwsError::too_large(format!("Request must be smaller than {most} bytes for the InvokeFunction operation"))
}

/// What is told of a function that is not there.
pub(crate) fn not_found(region: &str, name: &str) -> AwsError {
    AwsError::not_found(format!("Function not found: {}", arn(region, name)))
}

fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:lambda:{region}:{ACCOUNT}:function:{name}")
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}
