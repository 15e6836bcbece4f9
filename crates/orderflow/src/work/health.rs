use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tiny_http::{Header, Request, Response, Server};

use crate::Error;

/// How long a group's loop may take for one turn before it counts as hanging: a write may wait for half a minute.
const TURN_DEADLINE: Duration = Duration::from_secs(90);

/// Health and metrics over HTTP, on a thread of its own.
pub(crate) struct Health {
    state: Arc<Mutex<State>>,
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
}

/// What is known of the groups.
struct State {
    is_ready: bool,
    turns: Vec<u64>,
    /// When each of them last turned.
    turned: Vec<Instant>,
}

impl Health {
    /// Begins to answer; not ready yet.
    ///
    /// # Errors
    /// Where the address is taken or not ours.
    pub(crate) fn serve(address: SocketAddr, registry: Registry) -> Result<Self, Error> {
        let refused = |error| Error::Usage(format!("--listen {address}: {error}"));
        let server = Arc::new(Server::http(address).map_err(refused)?);
        let state = Arc::new(Mutex::new(State { is_ready: false, turns: Vec::new(), turned: Vec::new() }));
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

    /// Tells whether the groups have their places, and how far each has turned.
    pub(crate) fn tell(&self, is_ready: bool, turns: Vec<u64>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        state.turned.resize(turns.len(), now);
        for (index, turn) in turns.iter().enumerate() {
            if state.turns.get(index) != Some(turn) {
                state.turned[index] = now;
            }
        }
        (state.is_ready, state.turns) = (is_ready, turns);
    }

    /// From now on it is not ready: nobody should send work here.
    pub(crate) fn stop(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_ready = false;
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
        "/health/live" => match hanging(state) {
            None => (200, "text/plain", "live\n".to_owned()),
            Some(seconds) => (503, "text/plain", format!("a group has not turned for {seconds} s\n")),
        },
        "/health/ready" => match state.lock().unwrap_or_else(PoisonError::into_inner).is_ready {
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

/// For how many seconds a group has not turned, if that is too long.
fn hanging(state: &Mutex<State>) -> Option<u64> {
    let state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let longest = state.turned.iter().map(Instant::elapsed).max()?;
    (longest > TURN_DEADLINE).then_some(longest.as_secs())
}
