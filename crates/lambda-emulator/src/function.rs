//! A function: its environments, one event in each at a time.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use messaging::Draw;
use nursery::Nursery;

use crate::archive::Unpacked;
use crate::environment::{Environment, Event, Outcome, Shared, Usage};
use crate::faults::Blow;
use crate::log::FunctionLog;
use crate::log_format::{LogFormat, Report};
use crate::tally::Tally;
use crate::{AwsError, CreateFunction, Faults, Options};

/// How long INIT may take before it is repeated within the first invocation.
const INIT: Duration = Duration::from_secs(10);

/// How long Lambda waits before the second attempt of an asynchronous invocation and the third: a minute and two; here less,
/// nobody is served by it.
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

/// What every version number but this stands for does not change any more.
pub(crate) const LATEST: &str = "$LATEST";

/// What environments are started with: a configuration and the code for it.
pub(crate) struct Revision {
    pub(crate) configuration: Configuration,
    pub(crate) code: Arc<Unpacked>,
}

/// What a function is made of.
pub(crate) struct Configuration {
    pub(crate) name: String,
    /// `$LATEST`, or the number that it was published under.
    pub(crate) version: String,
    pub(crate) memory_mib: u64,
    pub(crate) timeout: Duration,
    /// How long its process may take to end after SIGTERM, where it has an extension.
    pub(crate) shutdown: Duration,
    pub(crate) region: String,
    /// Whose process it is; the emulator's own user where there is none.
    pub(crate) user: Option<u32>,
    /// Of what Lambda itself logs of it.
    pub(crate) log_format: LogFormat,
    /// Where its SDK finds Secrets Manager; none where there are no secrets.
    secrets: Option<String>,
    pub(crate) handler: String,
    environment: Vec<(String, String)>,
}

/// The value of a variable, from the configuration, the Runtime API's address and the folder of the code.
type Variable = fn(&Configuration, &str, &str) -> String;

/// The variables that Lambda keeps for itself, each with its value; without one where it is not set for a process.
pub(crate) const RESERVED: [(&str, Option<Variable>); 17] = [
    ("_HANDLER", Some(|function, _, _| function.handler.clone())),
    ("_X_AMZN_TRACE_ID", None), // the runtime sets it for each event
    ("AWS_REGION", Some(|function, _, _| function.region.clone())),
    ("AWS_DEFAULT_REGION", Some(|function, _, _| function.region.clone())),
    ("AWS_EXECUTION_ENV", None), // custom runtimes have none
    ("AWS_LAMBDA_FUNCTION_NAME", Some(|function, _, _| function.name.clone())),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", Some(|function, _, _| function.memory_mib.to_string())),
    ("AWS_LAMBDA_FUNCTION_VERSION", Some(|function, _, _| function.version.clone())),
    ("AWS_LAMBDA_INITIALIZATION_TYPE", Some(|_, _, _| "on-demand".to_owned())),
    ("AWS_LAMBDA_LOG_GROUP_NAME", Some(|function, _, _| format!("/aws/lambda/{}", function.name))),
    ("AWS_LAMBDA_LOG_STREAM_NAME", Some(|function, _, _| function.log_stream())),
    ("AWS_LAMBDA_RUNTIME_API", Some(|_, api, _| api.to_owned())),
    ("AWS_ACCESS_KEY_ID", Some(|_, _, _| "emulated".to_owned())),
    ("AWS_SECRET_ACCESS_KEY", Some(|_, _, _| "emulated".to_owned())),
    ("AWS_SESSION_TOKEN", Some(|_, _, _| "emulated".to_owned())),
    ("LAMBDA_TASK_ROOT", Some(|_, _, code| code.to_owned())),
    ("LAMBDA_RUNTIME_DIR", Some(|_, _, code| code.to_owned())),
];

impl Configuration {
    /// # Errors
    /// Where AWS would refuse the body.
    pub(crate) fn new(
        body: &CreateFunction,
        version: &str,
        options: &Options,
        secrets: Option<String>,
    ) -> Result<Self, AwsError> {
        body.check()?;
        Ok(Self {
            name: body.function_name.clone(),
            version: version.to_owned(),
            memory_mib: body.memory_size,
            timeout: Duration::from_secs(body.timeout),
            shutdown: options.shutdown,
            region: options.region.clone(),
            user: options.user,
            log_format: LogFormat::of(body.logging_config.log_format.as_deref()),
            secrets,
            handler: body.handler.clone(),
            environment: body.environment.variables.clone().into_iter().collect(),
        })
    }

    /// As it is invoked: with its number, if it has one.
    pub(crate) fn arn(&self) -> String {
        let arn = arn(&self.region, &self.name);
        if self.version == LATEST { arn } else { format!("{arn}:{}", self.version) }
    }

    fn log_stream(&self) -> String {
        format!("1970/01/01/[{}]{}", self.version, uuid::Uuid::new_v4().simple())
    }

    /// What Lambda documents for a custom runtime, and the function's own.
    pub(crate) fn variables(&self, api: &str, code: &Path) -> Vec<(String, String)> {
        let code = code.display().to_string();
        let mut variables: Vec<(String, String)> = RESERVED
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?(self, api, &code))))
            .collect();
        let more = [
            ("PATH", format!("/usr/local/bin:/usr/bin:/bin:{code}")),
            ("LANG", "en_US.UTF-8".into()),
            ("TZ", ":UTC".into()),
        ];
        variables.extend(more.map(|(name, value)| (name.to_owned(), value)));
        variables.extend(self.secrets.iter().map(|endpoint| (SECRETS_ENDPOINT.to_owned(), endpoint.clone())));
        variables.extend(self.environment.iter().cloned());
        variables
    }
}

/// How asynchronous invocations are treated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asynchronous {
    pub(crate) retries: u32,
    /// An event that is older is given up.
    pub(crate) max_age: Duration,
}

impl Default for Asynchronous {
    /// As Lambda does it unless somebody says otherwise.
    fn default() -> Self {
        Self { retries: 2, max_age: Duration::from_secs(6 * 3_600) }
    }
}

/// How a function ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// What is under way is broken off.
    Now,
    /// What is under way ends first.
    InPeace,
}

/// What a function's versions have in common.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) log: Arc<FunctionLog>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) nursery: Arc<Nursery>,
    pub(crate) faults: Faults,
}

/// A function, or one version of it, that can be invoked.
pub(crate) struct Function {
    name: String,
    version: String,
    region: String,
    pub(crate) log: Arc<FunctionLog>,
    pub(crate) tally: Arc<Tally>,
    nursery: Arc<Nursery>,
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

struct Pool {
    /// What an environment is started with; nothing once the function is closed.
    revision: Option<Arc<Revision>>,
    /// Environments at most.
    limit: usize,
    asynchronous: Asynchronous,
    idle: Vec<Environment>,
    /// Those of busy environments: what breaks their invocations off.
    busy: Vec<Arc<Shared>>,
    /// Idle or busy.
    count: usize,
    /// Those that are no longer used and have not ended yet.
    ending: usize,
    /// Asynchronous invocations that nobody has begun, and since when they wait.
    events: VecDeque<(Vec<u8>, Instant)>,
    /// Threads that are at those, as many as environments at most; none where there is none.
    workers: usize,
    /// What was under way when the function was closed does not end by itself.
    is_broken_off: bool,
}

/// What an invocation begins with.
enum Acquired {
    Idle(Environment),
    /// The right to start one.
    Fresh(Arc<Revision>),
}

impl Function {
    pub(crate) fn new(revision: Revision, limit: usize, Host { log, tally, nursery, faults }: Host) -> Self {
        let Configuration { name, version, region, .. } = &revision.configuration;
        Self {
            name: name.clone(),
            version: version.clone(),
            region: region.clone(),
            log,
            tally,
            nursery,
            faults,
            attached: None,
            invocations: AtomicU64::new(0),
            usual_us: AtomicU64::new(FIRST_US),
            pool: Mutex::new(Pool {
                revision: Some(Arc::new(revision)),
                limit,
                asynchronous: Asynchronous::default(),
                idle: Vec::new(),
                busy: Vec::new(),
                count: 0,
                ending: 0,
                events: VecDeque::new(),
                workers: 0,
                is_broken_off: false,
            }),
            released: Condvar::new(),
        }
    }

    /// Starts no process: its one environment is whoever asks for its events.
    pub(crate) fn attach(mut self) -> std::io::Result<Self> {
        let pool = self.pool.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(revision) = &pool.revision {
            let (environment, api, shared) = Environment::attached(revision, &self.log)?;
            self.attached = Some(Attached { api, shared });
            (pool.limit, pool.count, pool.idle) = (1, 1, vec![environment]);
        }
        Ok(self)
    }

    /// What somebody exports before he starts the process himself.
    pub(crate) fn attached_variables(&self) -> Option<Vec<(String, String)>> {
        let api = self.attached.as_ref()?.api.to_string();
        let revision = self.lock().revision.clone()?;
        let ours = |(name, _): &(String, String)| !matches!(name.as_str(), "PATH" | "LANG" | "TZ");
        Some(revision.configuration.variables(&api, revision.code.path()).into_iter().filter(ours).collect())
    }

    /// Environments are started with this from now on; others end once they are idle.
    ///
    /// # Errors
    /// Where its process is somebody else's: it would go on with what it was started with.
    pub(crate) fn update(self: &Arc<Self>, revision: Revision) -> Result<(), AwsError> {
        if self.attached.is_some() {
            let name = &self.name;
            return Err(AwsError::conflict(format!(
                "{name} runs in the process that is attached to it, and is not updated"
            )));
        }
        let idle = {
            let mut pool = self.lock();
            if pool.revision.is_none() {
                return Err(self.not_found());
            }
            pool.revision = Some(Arc::new(revision));
            pool.take_idle()
        };
        self.end_behind(idle);
        Ok(())
    }

    /// No more environments than this from now on; those that are too many end once they are idle.
    pub(crate) fn set_limit(self: &Arc<Self>, limit: usize) {
        if self.attached.is_some() {
            return; // whoever is attached is the one that there is
        }
        let idle = {
            let mut pool = self.lock();
            pool.limit = limit;
            if pool.count > limit { pool.take_idle() } else { Vec::new() }
        };
        self.end_behind(idle);
    }

    /// How asynchronous invocations are treated that begin from now on.
    pub(crate) fn set_asynchronous(&self, asynchronous: Asynchronous) {
        self.lock().asynchronous = asynchronous;
    }

    /// Whether nothing of it is left.
    pub(crate) fn has_ended(&self) -> bool {
        let pool = self.lock();
        pool.revision.is_none() && pool.is_empty()
    }

    /// `$LATEST`, or its number.
    pub(crate) fn version(&self) -> &str {
        &self.version
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
        self.invoke_and_strike(request_id, payload, is_patient, self.faults.strikes(&self.name, count))
    }

    /// The same for a mapping, which draws itself what the process suffers, and where.
    ///
    /// # Errors
    /// As [`Function::invoke`].
    pub(crate) fn invoke_and_strike(
        &self,
        request_id: &str,
        payload: &[u8],
        is_patient: &dyn Fn() -> bool,
        strike: Option<(Blow, Draw)>,
    ) -> Result<Outcome, AwsError> {
        allow(payload, MAX_EVENT_BYTES)?;
        let acquired = self.acquire(is_patient)?;
        let mut lease = Lease { function: self, environment: None };
        let revision = match &acquired {
            Acquired::Idle(environment) => Arc::clone(environment.revision()),
            Acquired::Fresh(revision) => Arc::clone(revision),
        };
        let format = revision.configuration.log_format;
        self.log.write_line(&format.start(request_id, &self.version));
        let mut init = None;
        let started = match acquired {
            Acquired::Idle(environment) => Ok((environment, self.patience(revision.configuration.timeout))),
            Acquired::Fresh(revision) => self.start(&revision, &mut init),
        };
        let (outcome, usage) = match started {
            Ok((mut environment, timeout)) => {
                let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                let deadline_ms = now_ms().saturating_add(timeout_ms);
                let event = Event { request_id: request_id.to_owned(), payload: payload.into(), deadline_ms };
                // Half of the moments come before the usual end; where the answer is faster, it is lost with the process.
                let usual_us = self.usual_us.load(Ordering::Relaxed);
                let strike = strike.map(|(blow, moment)| (blow, Duration::from_micros(moment.scale(2 * usual_us))));
                if let Some((blow, _)) = strike {
                    let seed = self.faults.seed;
                    let what = match blow {
                        Blow::Kill => "kills the process",
                        Blow::Hang => "lets the process stand still",
                    };
                    self.log.write_line(&format!("RequestId: {request_id} the emulator {what}, seed {seed}"));
                }
                let (outcome, usage, is_alive) = environment.invoke(event, timeout, strike);
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
        self.report(request_id, &outcome, usage, init, &revision.configuration);
        Ok(outcome)
    }

    /// How long one invocation may take.
    fn patience(&self, timeout: Duration) -> Duration {
        if self.attached.is_some() { ATTACHED } else { timeout }
    }

    /// Invokes it and waits for nothing; unless its configuration says otherwise, it is tried three times with the same request id.
    ///
    /// # Errors
    /// Where the event is too large, as many as may wait already, or the machine has no thread for it.
    pub(crate) fn invoke_event(self: &Arc<Self>, payload: Vec<u8>) -> Result<(), AwsError> {
        allow(&payload, MAX_ASYNCHRONOUS_BYTES)?;
        let mut pool = self.lock();
        if pool.revision.is_none() {
            return Err(self.not_found());
        }
        if pool.events.len() == MAX_EVENTS {
            return Err(AwsError::throttled("Rate Exceeded."));
        }
        // Where nothing may be invoked, one of them waits until it may.
        if pool.workers < pool.limit.max(1) {
            let function = Arc::clone(self);
            let spawned = std::thread::Builder::new().name("event".into()).spawn(move || function.work_off());
            spawned.map_err(|error| AwsError::service(error.to_string()))?;
            pool.workers += 1;
        }
        pool.events.push_back((payload, Instant::now()));
        Ok(())
    }

    /// Invokes for one event after the other until none is left.
    fn work_off(&self) {
        loop {
            let mut pool = self.lock();
            let Some((payload, since)) = pool.events.pop_front() else {
                pool.workers -= 1;
                drop(pool);
                self.released.notify_all();
                return;
            };
            let asynchronous = pool.asynchronous;
            drop(pool);
            self.try_event(&payload, since, asynchronous);
        }
    }

    fn try_event(&self, payload: &[u8], since: Instant, Asynchronous { retries, max_age }: Asynchronous) {
        let id = uuid::Uuid::new_v4().to_string();
        let is_young = || since.elapsed() < max_age;
        let mut attempts = 0;
        while attempts <= retries && is_young() {
            if attempts > 0 {
                self.tally.retried();
            }
            // Nobody else waits for it: it has the time until it is too old or the function is closed.
            if let Ok(Outcome::Answered(_)) = self.invoke(&id, payload, &is_young) {
                return;
            }
            if let Some(wait) = EVENT_WAITS.get(attempts as usize).filter(|_| attempts < retries) {
                let waited = self.released.wait_timeout_while(self.lock(), *wait, |pool| pool.revision.is_some());
                drop(waited.unwrap_or_else(PoisonError::into_inner));
            }
            attempts += 1;
        }
        self.log.write_line(&format!("RequestId: {id} the event is given up after {attempts} attempts"));
    }

    fn not_found(&self) -> AwsError {
        not_found(&self.region, &self.name)
    }

    /// An idle environment, or the right to start one.
    fn acquire(&self, is_patient: &dyn Fn() -> bool) -> Result<Acquired, AwsError> {
        let mut pool = self.lock();
        loop {
            if let Some(environment) = pool.idle.pop() {
                pool.busy.push(environment.shared());
                return Ok(Acquired::Idle(environment));
            }
            let Some(revision) = &pool.revision else { return Err(self.not_found()) };
            if pool.count < pool.limit {
                let revision = Arc::clone(revision);
                pool.count += 1;
                return Ok(Acquired::Fresh(revision));
            }
            if !is_patient() {
                return Err(AwsError::throttled("Rate Exceeded."));
            }
            pool = self.released.wait_timeout(pool, ASK_AGAIN).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Starts an environment. INIT that fails is repeated once, within the time of the invocation: what is left of that stands
    /// beside the environment.
    fn start(&self, revision: &Arc<Revision>, init: &mut Option<Duration>) -> Result<(Environment, Duration), Outcome> {
        let mut result = Err(Outcome::failed("Runtime.ExitError", "INIT was not tried"));
        let timeout = self.patience(revision.configuration.timeout);
        for (patience, is_repeated) in [(INIT, false), (timeout, true)] {
            let begun = Instant::now();
            let started = Environment::start(revision, &self.log, &self.nursery);
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
                    let left = if is_repeated { patience.saturating_sub(taken) } else { timeout };
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
    fn report(&self, request_id: &str, outcome: &Outcome, usage: Usage, init: Option<Duration>, of: &Configuration) {
        if let Outcome::Failed { payload, kind } = outcome {
            let text = String::from_utf8_lossy(payload);
            self.log.write_line(&format!("{kind}: {text}"));
        }
        for line in of.log_format.end(&Report { request_id, outcome, usage, init, memory_mib: of.memory_mib }) {
            self.log.write_line(&line);
        }
    }

    /// What breaks its invocation off; at once where the function is closed.
    fn is_busy(&self, environment: &Environment) {
        let mut pool = self.lock();
        if pool.is_broken_off {
            environment.shared().close();
        }
        pool.busy.push(environment.shared());
    }

    fn is_busy_no_more(&self, environment: &Environment) {
        self.lock().busy.retain(|busy| !Arc::ptr_eq(busy, &environment.shared()));
    }

    /// Nobody gets an environment any more; what waits for one is forgotten. Those that are idle are to be ended.
    fn shut(&self, ending: Ending) -> Vec<Environment> {
        let mut pool = self.lock();
        pool.revision = None;
        pool.events.clear();
        if ending == Ending::Now {
            pool.is_broken_off = true;
            pool.busy.iter().for_each(|busy| busy.close());
        }
        pool.take_idle()
    }

    /// Ends its environments and waits for their end; nobody gets another. Its code goes with the last of them.
    pub(crate) fn close(&self, ending: Ending) {
        let idle = self.shut(ending);
        self.end(idle);
        let has_ended = self.released.wait_while(self.lock(), |pool| !pool.is_empty());
        drop(has_ended.unwrap_or_else(PoisonError::into_inner));
    }

    /// Ends environments that nobody uses any more while whoever asks goes on.
    fn end_behind(self: &Arc<Self>, idle: Vec<Environment>) {
        let (count, function) = (idle.len(), Arc::clone(self));
        let ending = std::thread::Builder::new().name("function's end".into());
        if ending.spawn(move || function.end(idle)).is_err() {
            self.lock().ending -= count; // they have ended with the thread that was not started
        }
    }

    /// Ends environments that nobody uses any more. Each may take its time for an end in peace.
    fn end(&self, idle: Vec<Environment>) {
        let count = idle.len();
        std::thread::scope(|scope| {
            for environment in idle {
                scope.spawn(move || drop(environment));
            }
        });
        self.lock().ending -= count;
        self.released.notify_all();
    }

    /// Nobody waits for a process any more that somebody else would have to start.
    pub(crate) fn give_up_attached(&self) {
        if let Some(attached) = &self.attached {
            attached.shared.close();
        }
    }
}

impl Pool {
    /// Those that are free, to be ended. They make room for others at once.
    fn take_idle(&mut self) -> Vec<Environment> {
        self.count -= self.idle.len();
        self.ending += self.idle.len();
        std::mem::take(&mut self.idle)
    }

    const fn is_empty(&self) -> bool {
        self.count + self.ending + self.workers == 0
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
            // Not where there is another revision by now, or none, or fewer may be there.
            let is_current = pool.revision.as_ref().is_some_and(|current| Arc::ptr_eq(current, environment.revision()));
            if is_current && pool.count <= pool.limit {
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

pub(crate) fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:lambda:{region}:{ACCOUNT}:function:{name}")
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{Packing, pack};

    /// With a process that ends at once.
    fn function(folder: &Path, limit: usize) -> Arc<Function> {
        let body = serde_json::json!({"FunctionName": "f", "Runtime": "provided.al2023", "Code": {}});
        let body: CreateFunction = serde_json::from_value(body).unwrap();
        let configuration = Configuration::new(&body, LATEST, &Options::new(folder), None).unwrap();
        let code = Arc::new(Unpacked::new(&pack(b"#!/bin/sh\n", Packing::Quick).unwrap()).unwrap());
        let host = Host {
            log: Arc::new(FunctionLog::open(folder, "f", false).unwrap()),
            tally: Arc::new(Tally::of("f").unwrap()),
            nursery: Arc::new(Nursery::start().unwrap()),
            faults: Faults::default(),
        };
        Arc::new(Function::new(Revision { configuration, code }, limit, host))
    }

    #[test]
    fn an_event_that_finds_no_environment_is_given_up_once_it_is_too_old() {
        let folder = tempfile::tempdir().unwrap();
        let function = function(folder.path(), 0);
        function.set_asynchronous(Asynchronous { retries: 0, max_age: Duration::from_millis(1) });
        function.invoke_event(b"{}".to_vec()).unwrap();
        let ended = function.released.wait_while(function.lock(), |pool| pool.workers > 0);
        drop(ended.unwrap());
        let log = String::from_utf8(function.log.tail()).unwrap();
        assert!(log.contains("the event is given up") && !log.contains("START "), "{log}");
    }

    #[test]
    fn what_was_closed_gives_its_code_back_and_is_invoked_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let function = function(folder.path(), 1);
        let code = function.lock().revision.as_ref().unwrap().code.path().to_owned();
        assert!(matches!(function.invoke("1", b"{}", &|| false), Ok(Outcome::Failed { .. })));
        assert!(code.join("bootstrap").exists() && !function.has_ended());
        function.close(Ending::InPeace);
        assert!(!code.exists() && function.has_ended());
        assert_eq!(function.invoke("2", b"{}", &|| false).unwrap_err().kind, "ResourceNotFoundException");
        assert_eq!(function.invoke_event(b"{}".to_vec()).unwrap_err().kind, "ResourceNotFoundException");
    }
}
