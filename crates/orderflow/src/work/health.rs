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

/// Health and metrics over HTTP, on a thread of its own.
pub(crate) struct Health {
    state: Arc<Mutex<State>>,
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
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
        let thread = std::thread::spawn({
            let (server, state) = (Arc::clone(&server), Arc::clone(&state));
            move || {
                for request in server.incoming_requests() {
                    answer(request, &state, &registry);
                }
            }
        });
        Ok(Self { state, server, thread: Some(thread) })
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
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
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
    use super::*;

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
