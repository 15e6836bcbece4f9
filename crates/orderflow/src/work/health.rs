use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tiny_http::{Header, Request, Response, Server};

use crate::Error;

/// How long a loop may take for one turn before it counts as hanging: a write may wait for half a minute.
const TURN_DEADLINE: Duration = Duration::from_secs(90);

/// How many requests are answered at once: while one of them waits for metrics, which may ask a database, the other is answered.
const THREADS: usize = 2;

/// Health and metrics over HTTP, on threads of its own.
pub(crate) struct Health {
    state: Arc<Mutex<State>>,
    server: Arc<Server>,
    threads: Vec<JoinHandle<()>>,
}

impl Health {
    /// Begins to answer; not ready yet.
    ///
    /// # Errors
    /// Where the address is taken or not ours.
    pub(crate) fn serve(address: SocketAddr, registry: Registry) -> Result<Self, Error> {
        let refused = |error| {
            Error::Usage(format!("--listen {address}: {error}; choose another, or port 0 for any that is free"))
        };
        let server = Arc::new(Server::http(address).map_err(refused)?);
        let state = Arc::new(Mutex::new(State::new(Instant::now())));
        let registry = Arc::new(registry);
        let answering = |_| {
            let (server, state, registry) = (Arc::clone(&server), Arc::clone(&state), Arc::clone(&registry));
            std::thread::spawn(move || {
                for request in server.incoming_requests() {
                    answer(request, &state, &registry);
                }
            })
        };
        let threads = (0..THREADS).map(answering).collect();
        Ok(Self { state, server, threads })
    }

    /// Where it answers: with the port that the system chose, where that was left to it.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.server.server_addr().to_ip()
    }

    /// Tells whether the groups have their places, and how far each has turned.
    pub(crate) fn tell(&self, is_ready: bool, turns: &[u64]) {
        lock(&self.state).tell(Instant::now(), is_ready, turns);
    }

    /// From now on it is not ready: nobody should send work here.
    pub(crate) fn stop(&self) {
        lock(&self.state).stop();
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        self.threads.iter().for_each(|_| self.server.unblock()); // each wakes one
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn answer(request: Request, state: &Mutex<State>, registry: &Registry) {
    let (status, content_type, body) = match request.url() {
        "/metrics" => {
            let mut text = String::new();
            let _ = encode(&mut text, registry); // writing to memory does not fail
            (200, "application/openmetrics-text; version=1.0.0; charset=utf-8", text)
        }
        "/health/live" => match lock(state).hangs(Instant::now()) {
            None => (200, "text/plain", "live\n".to_owned()),
            Some(what) => (503, "text/plain", format!("{what}\n")),
        },
        "/health/ready" => match lock(state).is_ready {
            true => (200, "text/plain", "ready\n".to_owned()),
            false => (503, "text/plain", "not every group has its place yet, or the worker stops\n".to_owned()),
        },
        _ => (404, "text/plain", "there are /health/live, /health/ready and /metrics\n".to_owned()),
    };
    let mut response = Response::from_string(body).with_status_code(status);
    if let Ok(header) = Header::from_bytes("Content-Type", content_type) {
        response.add_header(header);
    }
    let _ = request.respond(response); // who asked may be gone
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is known of the worker.
struct State {
    is_ready: bool,
    is_stopping: bool,
    /// When the groups were last looked at.
    looked: Instant,
    groups: Vec<Turned>,
}

/// How far a group's loop was seen to turn, and when it first was that far.
struct Turned {
    turns: u64,
    since: Instant,
}

impl State {
    fn new(now: Instant) -> Self {
        Self { is_ready: false, is_stopping: false, looked: now, groups: Vec::new() }
    }

    fn tell(&mut self, now: Instant, is_ready: bool, turns: &[u64]) {
        (self.is_ready, self.looked) = (is_ready, now);
        self.groups.truncate(turns.len());
        for (index, &turns) in turns.iter().enumerate() {
            match self.groups.get_mut(index) {
                Some(group) if group.turns == turns => {}
                Some(group) => *group = Turned { turns, since: now },
                None => self.groups.push(Turned { turns, since: now }),
            }
        }
    }

    fn stop(&mut self) {
        (self.is_ready, self.is_stopping) = (false, true);
    }

    /// What hangs, if anything does. A group that nobody has looked at since is not blamed for it; one that stops has the
    /// deadlines of its drain.
    fn hangs(&self, now: Instant) -> Option<String> {
        let too_long = |time: Duration| (time > TURN_DEADLINE).then_some(time.as_secs());
        if self.is_stopping {
            return None;
        }
        if let Some(seconds) = too_long(now - self.looked) {
            return Some(format!("nobody has looked after the groups for {seconds} s"));
        }
        let longest = self.groups.iter().map(|group| self.looked - group.since).max()?;
        too_long(longest).map(|seconds| format!("a group has not turned for {seconds} s"))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use prometheus_client::collector::Collector;
    use prometheus_client::encoding::DescriptorEncoder;

    use super::*;

    /// Metrics that say when they are asked for, and wait.
    struct Waiting {
        is_asked: SyncSender<()>,
        may_answer: Mutex<Receiver<()>>,
    }

    impl fmt::Debug for Waiting {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Waiting")
        }
    }

    impl Collector for Waiting {
        fn encode(&self, _: DescriptorEncoder<'_>) -> fmt::Result {
            self.is_asked.send(()).unwrap();
            let _ = self.may_answer.lock().unwrap().recv();
            Ok(())
        }
    }

    fn ask(address: SocketAddr, path: &str) -> TcpStream {
        let mut connection = TcpStream::connect(address).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(connection, "GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").unwrap();
        connection
    }

    fn answer_of(mut connection: TcpStream) -> String {
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn while_metrics_wait_for_a_database_health_is_told() {
        let (is_asked, asked) = sync_channel(1);
        let (answer, may_answer) = sync_channel::<()>(1);
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Waiting { is_asked, may_answer: Mutex::new(may_answer) }));
        let health = Health::serve("127.0.0.1:0".parse().unwrap(), registry).unwrap();
        let answer = answer; // gone before the threads are waited for, also where this fails
        let address = health.address().unwrap();
        let metrics = ask(address, "/metrics");
        asked.recv().unwrap();
        for _ in 0..3 {
            let live = answer_of(ask(address, "/health/live"));
            assert!(live.starts_with("HTTP/1.1 200 OK") && live.ends_with("live\n"), "{live}");
        }
        answer.send(()).unwrap();
        let metrics = answer_of(metrics);
        assert!(metrics.starts_with("HTTP/1.1 200 OK") && metrics.ends_with("# EOF\n"), "{metrics}");
    }

    const SECOND: Duration = Duration::from_secs(1);
    /// The longest that does not count as hanging.
    const LONG: Duration = TURN_DEADLINE;

    #[test]
    fn a_group_that_does_not_turn_hangs_and_one_that_turns_again_does_not() {
        let start = Instant::now();
        let mut state = State::new(start);
        state.tell(start, true, &[1, 1]);
        state.tell(start + LONG, true, &[9, 1]);
        assert_eq!(state.hangs(start + LONG), None);
        state.tell(start + LONG + SECOND, true, &[10, 1]);
        assert_eq!(state.hangs(start + LONG + SECOND).as_deref(), Some("a group has not turned for 91 s"));
        state.tell(start + LONG + SECOND, true, &[10, 2]);
        assert_eq!(state.hangs(start + LONG + SECOND), None);
    }

    #[test]
    fn groups_that_nobody_looks_at_are_not_blamed_but_nobody_looking_for_long_is_told() {
        let start = Instant::now();
        let mut state = State::new(start);
        state.tell(start + LONG, true, &[1]);
        state.tell(start + LONG + SECOND, true, &[1]);
        assert_eq!(state.hangs(start + LONG + SECOND + LONG), None);
        let later = start + LONG + SECOND + LONG + SECOND;
        assert_eq!(state.hangs(later).as_deref(), Some("nobody has looked after the groups for 91 s"));
    }

    #[test]
    fn a_worker_that_stops_is_not_ready_and_has_the_time_of_its_drain() {
        let start = Instant::now();
        let mut state = State::new(start);
        state.tell(start, true, &[1]);
        assert!(state.is_ready);
        state.stop();
        assert!(!state.is_ready);
        assert_eq!(state.hangs(start + 2 * LONG), None);
    }
}
