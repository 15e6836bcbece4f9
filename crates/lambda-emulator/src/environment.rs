//! One execution environment: a process, its Runtime API, and one event at a time.
//!
//! ```text
//!  Starting ──next──► Ready (stopped) ──event──► Busy ──response, next──► Ready
//!     │ init error, exit, 10 s                    │ timeout, exit, too much memory
//!     └──────────────────► Gone ◄─────────────────┘
//! ```

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use nursery::Nursery;

use crate::faults::Blow;
use crate::function::{Configuration, Revision};
use crate::http::{Request, Response, Server, Service};
use crate::log::{FunctionLog, Pipe};
use crate::runtime_api;

/// How often the process' memory is read.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The error of an invocation, or an INIT, that took longer than it may.
pub(crate) const TIMED_OUT: &str = "Sandbox.Timedout";

/// What is handed to the function.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) request_id: String,
    pub(crate) payload: Arc<[u8]>,
    /// In milliseconds since 1970.
    pub(crate) deadline_ms: u64,
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With this answer.
    Answered(Vec<u8>),
    /// With an error.
    Failed {
        /// Lambda's JSON for it: `errorType`, `errorMessage` and what else the runtime says.
        payload: Vec<u8>,
        /// The error's type.
        kind: String,
    },
}

impl Outcome {
    pub(crate) fn failed(kind: &str, message: &str) -> Self {
        let payload = serde_json::json!({"errorType": kind, "errorMessage": message}).to_string().into_bytes();
        Self::Failed { payload, kind: kind.to_owned() }
    }
}

/// What an environment measured of an invocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) duration: Duration,
    pub(crate) memory_kib: u64,
}

pub(crate) struct Environment {
    /// `None` where the process is somebody else's: it is neither stopped nor ended, and its memory is its own affair.
    process: Option<Process>,
    shared: Arc<Shared>,
    memory_kib: u64,
    revision: Arc<Revision>,
    _server: Server,
}

struct Process {
    child: Child,
    group: Pid,
    keeper: Child,
    /// Its output, until the process has closed it.
    pipes: Vec<Pipe>,
}

/// What the process and those who invoke it share.
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    arn: String,
    /// Its name and its handler.
    pub(crate) function: (String, String),
    is_attached: bool,
    log: Arc<FunctionLog>,
}

#[derive(Default)]
struct State {
    /// How often the runtime has asked for an event: who asked last gets it. A process that was started anew may have left
    /// an older question behind.
    asked: u64,
    /// Whether the runtime waits in `next`.
    is_waiting: bool,
    /// What `next` answers with.
    event: Option<Event>,
    /// The invocation that is under way.
    current: Option<String>,
    outcome: Option<Outcome>,
    init_error: Option<Outcome>,
    /// The identifiers of those who want to hear of the end.
    extensions: Vec<String>,
    /// Extensions are told that the end has come.
    is_ending: bool,
    /// Nobody is answered any more.
    is_closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `next`: waits for an event. It goes to nobody who has gone meanwhile, where processes come and go by somebody else's hand.
    pub(crate) fn next(&self, is_awaited: impl Fn() -> bool) -> Option<(Event, &str)> {
        let mut state = self.lock();
        // Whoever asks without having answered is asked no more about that one: the invocation has failed.
        if let Some(id) = state.current.take().filter(|_| state.outcome.is_none()) {
            let message = format!("RequestId: {id} Error: the runtime asked for the next event without an answer");
            state.outcome = Some(Outcome::failed("Runtime.InvalidNextRequest", &message));
        }
        state.is_waiting = true;
        state.asked += 1;
        let ours = state.asked;
        self.changed.notify_all();
        let event = loop {
            if state.is_closed || state.asked != ours {
                return None;
            }
            if state.event.is_some() && self.is_attached && !is_awaited() {
                return None;
            }
            if let Some(event) = state.event.take() {
                break event;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        state.is_waiting = false;
        state.current = Some(event.request_id.clone());
        Some((event, &self.arn))
    }

    /// `response` and `error`: false where that invocation is not under way, or has been answered.
    pub(crate) fn answer(&self, request_id: &str, outcome: Outcome) -> bool {
        let mut state = self.lock();
        if state.current.as_deref() != Some(request_id) || state.outcome.is_some() {
            return false;
        }
        (state.outcome, state.current) = (Some(outcome), None);
        self.changed.notify_all();
        true
    }

    pub(crate) fn init_error(&self, outcome: Outcome) {
        self.lock().init_error = Some(outcome);
        self.changed.notify_all();
    }

    /// Registers an extension; gives its identifier.
    pub(crate) fn register_extension(&self) -> String {
        let identifier = uuid::Uuid::new_v4().to_string();
        self.lock().extensions.push(identifier.clone());
        identifier
    }

    /// An extension's `next`: it hears of nothing before the end. False where nobody has registered as that.
    pub(crate) fn wait_for_end(&self, identifier: &str) -> bool {
        let mut state = self.lock();
        if !state.extensions.iter().any(|known| known == identifier) {
            return false;
        }
        while !state.is_ending {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// Answers nobody any more.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        (state.is_ending, state.is_closed) = (true, true);
        self.changed.notify_all();
    }

    pub(crate) fn note(&self, text: &str) {
        self.log.write_line(text);
    }
}

struct Routes(Arc<Shared>);

impl Service for Routes {
    fn answer(&self, request: Request) -> Option<Response> {
        runtime_api::answer(&self.0, &request)
    }
}

impl Environment {
    /// Starts the `bootstrap` of a revision's code.
    pub(crate) fn start(revision: &Arc<Revision>, log: &Arc<FunctionLog>, nursery: &Nursery) -> std::io::Result<Self> {
        let (function, code) = (&revision.configuration, revision.code.path());
        let (shared, server) = serve(function, log, false)?;
        let mut command = nursery::command(code.join("bootstrap"))?;
        command.current_dir(code).env_clear().envs(function.variables(&server.address().to_string(), code));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        if let Some(user) = function.user {
            std::os::unix::fs::chown(code, Some(user), Some(user))?;
            command.uid(user).gid(user); // which also takes the groups
        }
        let mut child = nursery.spawn(command)?;
        let outputs: [Option<Box<dyn std::io::Read + Send>>; 2] = [
            child.stdout.take().map(|output| Box::new(output) as _),
            child.stderr.take().map(|output| Box::new(output) as _),
        ];
        let pipes = outputs.into_iter().flatten().map(|output| log.follow(output)).collect::<Result<_, _>>()?;
        let group = Pid::from_raw(i32::try_from(child.id()).map_err(std::io::Error::other)?);
        let keeper = keep(group)?;
        let process = Some(Process { child, group, keeper, pipes });
        Ok(Self { process, shared, memory_kib: 0, revision: Arc::clone(revision), _server: server })
    }

    /// The Runtime API alone, for a process that somebody starts: also gives where it is, and what closes it.
    pub(crate) fn attached(
        revision: &Arc<Revision>,
        log: &Arc<FunctionLog>,
    ) -> std::io::Result<(Self, SocketAddr, Arc<Shared>)> {
        let (shared, server) = serve(&revision.configuration, log, true)?;
        let (address, closing) = (server.address(), Arc::clone(&shared));
        let revision = Arc::clone(revision);
        Ok((Self { process: None, shared, memory_kib: 0, revision, _server: server }, address, closing))
    }

    /// What it was started with.
    pub(crate) const fn revision(&self) -> &Arc<Revision> {
        &self.revision
    }

    /// What closes its Runtime API, and so breaks off what is under way.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Waits until the runtime asks for its first event; then the process is stopped.
    ///
    /// # Errors
    /// How INIT failed.
    pub(crate) fn init(&mut self, patience: Duration) -> Result<(), Outcome> {
        let deadline = Instant::now() + patience;
        let failed = self.wait_until(deadline, |state| {
            state.init_error.take().map(Err).or_else(|| state.is_waiting.then_some(Ok(())))
        });
        match failed {
            Seen::It(Ok(())) => {
                self.stop();
                Ok(())
            }
            Seen::It(Err(outcome)) => {
                // Who has reported that exits by itself, and may say more before.
                self.wait_for_exit();
                Err(outcome)
            }
            Seen::Late => Err(Outcome::failed(
                TIMED_OUT,
                &format!("Error: INIT did not ask for its first event within {} s", patience.as_secs_f64()),
            )),
            Seen::Gone(_) if self.could_not_be_executed() => Err(Outcome::failed(
                "Runtime.InvalidEntrypoint",
                "Error: `bootstrap` cannot be executed: is it a program for this machine, or a script whose `#!` names one?",
            )),
            Seen::Gone(how) => Err(Outcome::failed("Runtime.ExitError", &format!("Error: Runtime exited {how}"))),
            Seen::OverMemory(kib) => Err(self.out_of_memory(kib)),
        }
    }

    /// Whether it ended as who starts a program ends where there is none to start.
    fn could_not_be_executed(&mut self) -> bool {
        let status = self.process.as_mut().and_then(|process| process.child.try_wait().ok().flatten());
        status.and_then(|status| status.code()).is_some_and(|code| matches!(code, 126 | 127))
    }

    /// Hands an event to the runtime and waits for its answer, and until it asks for the next. `false` beside the outcome:
    /// this environment is not to be used again. With a strike the process suffers it after that time, or
    /// together with an answer that comes before, which is lost then.
    pub(crate) fn invoke(
        &mut self,
        event: Event,
        patience: Duration,
        strike: Option<(Blow, Duration)>,
    ) -> (Outcome, Usage, bool) {
        let (started, id) = (Instant::now(), event.request_id.clone());
        let deadline = started + patience;
        let is_attached = self.process.is_none();
        {
            let mut state = self.shared.lock();
            (state.outcome, state.event) = (None, Some(event));
            state.is_waiting = false; // until it asks for the one behind it
        }
        self.signal(Signal::SIGCONT);
        self.shared.changed.notify_all();
        let ended = match strike.filter(|_| self.process.is_some()) {
            Some((Blow::Kill, after)) => self.kill(deadline.min(started + after)),
            Some((Blow::Hang, after)) => self.hang(deadline.min(started + after), deadline),
            None => self.wait_until(deadline, |state| state.outcome.clone()),
        };
        let duration = started.elapsed();
        let (outcome, is_alive) = match ended {
            Seen::It(outcome) => {
                // It is used again only from its `next` on, and until its deadline it may do whatever it likes before that. Who
                // is attached finds the next event once he asks for it, perhaps as another process.
                let is_ready = is_attached
                    || matches!(self.wait_until(deadline, |state| state.is_waiting.then_some(())), Seen::It(()));
                (outcome, is_ready)
            }
            Seen::Late => {
                let message = format!(
                    "RequestId: {id} Error: Task timed out after {:.2} seconds",
                    self.revision.configuration.timeout.as_secs_f64()
                );
                (Outcome::failed(TIMED_OUT, &message), false)
            }
            Seen::Gone(how) => {
                let message = format!("RequestId: {id} Error: Runtime exited {how}");
                (Outcome::failed("Runtime.ExitError", &message), false)
            }
            Seen::OverMemory(kib) => (self.out_of_memory(kib), false),
        };
        self.memory_kib = self.memory_kib.max(self.resident_kib());
        if is_alive {
            self.stop();
        } else {
            self.signal(Signal::SIGKILL);
        }
        (outcome, Usage { duration, memory_kib: self.memory_kib }, is_alive)
    }

    /// Kills the process at that time, unless it ends before.
    fn kill(&mut self, at: Instant) -> Seen<Outcome> {
        match self.wait_until(at, |state| state.outcome.is_some().then_some(())) {
            Seen::It(()) | Seen::Late => {
                self.signal(Signal::SIGKILL);
                let status = self.process.as_mut().map(|process| process.child.wait());
                let how =
                    status.map(|status| status.map_or_else(|error| error.to_string(), |status| status.to_string()));
                Seen::Gone(format!("with error: {}", how.unwrap_or_default()))
            }
            Seen::Gone(how) => Seen::Gone(how),
            Seen::OverMemory(kib) => Seen::OverMemory(kib),
        }
    }

    /// Has the process stand still from that time on, unless it ends before.
    fn hang(&mut self, at: Instant, deadline: Instant) -> Seen<Outcome> {
        match self.wait_until(at, |state| state.outcome.is_some().then_some(())) {
            Seen::It(()) | Seen::Late => {
                self.stop();
                self.wait_until(deadline, |_| None)
            }
            Seen::Gone(how) => Seen::Gone(how),
            Seen::OverMemory(kib) => Seen::OverMemory(kib),
        }
    }

    fn out_of_memory(&self, kib: u64) -> Outcome {
        let (used, limit) = (kib / 1024, self.revision.configuration.memory_mib);
        let message = format!("Error: Runtime exited with error: signal: killed ({used} MB used, {limit} MB allowed)");
        Outcome::failed("Runtime.OutOfMemory", &message)
    }

    /// Waits for what `look` sees in the state; looks after the process and its memory meanwhile.
    fn wait_until<T>(&mut self, deadline: Instant, mut look: impl FnMut(&mut State) -> Option<T>) -> Seen<T> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        loop {
            if let Some(seen) = look(&mut state) {
                return Seen::It(seen);
            }
            let now = Instant::now();
            if now >= deadline {
                return Seen::Late;
            }
            let waited = shared.changed.wait_timeout(state, LOOK_EVERY.min(deadline - now));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if let Some(seen) = look(&mut state) {
                return Seen::It(seen);
            }
            if state.is_closed {
                return Seen::Gone("because the emulator ends".to_owned());
            }
            let Some(process) = &mut self.process else { continue };
            if let Ok(Some(status)) = process.child.try_wait() {
                return Seen::Gone(format!("with error: {status}"));
            }
            let kib = self.resident_kib();
            self.memory_kib = self.memory_kib.max(kib);
            if kib > self.revision.configuration.memory_mib * 1024 {
                return Seen::OverMemory(kib);
            }
        }
    }

    /// Between two events nothing of it runs.
    fn stop(&self) {
        self.signal(Signal::SIGSTOP);
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            let _ = killpg(process.group, signal); // it may be gone
        }
    }

    fn resident_kib(&self) -> u64 {
        self.process.as_ref().map_or(0, |process| nursery::resident_kib(process.child.id()))
    }
}

/// What came of waiting.
enum Seen<T> {
    It(T),
    Late,
    Gone(String),
    OverMemory(u64),
}

impl Drop for Environment {
    /// Ends the process and what it has started; with an extension it hears of it before, and its `next` is not broken off.
    fn drop(&mut self) {
        let has_extension = {
            let mut state = self.shared.lock();
            state.is_ending = true;
            !state.extensions.is_empty()
        };
        self.shared.changed.notify_all();
        if has_extension && matches!(self.has_ended(), Some(false)) {
            self.signal(Signal::SIGTERM);
            self.signal(Signal::SIGCONT);
            self.wait_for_exit();
        }
        self.signal(Signal::SIGKILL);
        self.shared.close();
        if let Some(mut process) = self.process.take() {
            let _ = process.child.wait();
            if let Some(mut line) = process.keeper.stdin.take() {
                let _ = line.write_all(b"ended\n"); // or it is gone itself
            }
            let _ = process.keeper.wait();
            for pipe in process.pipes.drain(..) {
                pipe.finish();
            }
        }
    }
}

impl Environment {
    /// As long as the end of a process may take.
    fn wait_for_exit(&mut self) {
        let deadline = Instant::now() + self.revision.configuration.shutdown;
        while Instant::now() < deadline && matches!(self.has_ended(), Some(false)) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn has_ended(&mut self) -> Option<bool> {
        self.process.as_mut().map(|process| !matches!(process.child.try_wait(), Ok(None)))
    }
}

/// Ends a process group where we are killed and cannot: the system does so with our child, not with what that has forked. A shell
/// waits for a line of ours; the end of file instead is our end. In a group of its own, Ctrl-C does not reach it.
fn keep(group: Pid) -> std::io::Result<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", r#"read -r line || kill -s KILL -- "-$1""#, "keeper", &group.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn()
}

/// A Runtime API on a free port of loopback.
fn serve(
    function: &Configuration,
    log: &Arc<FunctionLog>,
    is_attached: bool,
) -> std::io::Result<(Arc<Shared>, Server)> {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        changed: Condvar::new(),
        arn: function.arn(),
        function: (function.name.clone(), function.handler.clone()),
        is_attached,
        log: Arc::clone(log),
    });
    let server = Server::start(([127, 0, 0, 1], 0).into(), Arc::new(Routes(Arc::clone(&shared))))?;
    Ok((shared, server))
}
