//! What waits to be exported.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Span;

/// Spans that may wait; beyond that they are dropped. About 8 MB.
pub(crate) const MAX_WAITING: usize = 16_384;

/// Spans of one request, about a megabyte.
pub(crate) const MAX_BATCH: usize = 1_024;

/// How long the first span of a batch waits for others.
const LINGER: Duration = Duration::from_secs(1);

/// Between those who tell spans, whom it never makes wait, and the one who exports them.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Span>,
    /// Spans that are being exported.
    under_way: usize,
    /// Whether the last attempt to export failed.
    is_failing: bool,
    /// How many wait until nothing waits.
    flushing: usize,
    is_closed: bool,
}

impl Queue {
    /// Puts spans behind the others; answers with how many had no room.
    pub(crate) fn put(&self, spans: Vec<Span>) -> usize {
        let mut state = self.lock();
        let before = state.waiting.len();
        let room = MAX_WAITING - before;
        let dropped = spans.len().saturating_sub(room);
        state.waiting.extend(spans.into_iter().take(room));
        // Each wake is a system call of who handles records: only for the first span of a batch, and for a full one.
        if before == 0 || (before < MAX_BATCH && state.waiting.len() >= MAX_BATCH) {
            self.changed.notify_all();
        }
        dropped
    }

    /// Waits for a batch: a full one, or what has lingered; `None` once it is closed and empty.
    pub(crate) fn take(&self) -> Option<Vec<Span>> {
        let state = self.lock();
        let is_empty = |state: &mut State| state.waiting.is_empty() && !state.is_closed;
        let state = self.changed.wait_while(state, is_empty).unwrap_or_else(PoisonError::into_inner);
        let lingers = |state: &mut State| state.waiting.len() < MAX_BATCH && state.flushing == 0 && !state.is_closed;
        let waited = self.changed.wait_timeout_while(state, LINGER, lingers);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        let count = state.waiting.len().min(MAX_BATCH);
        state.under_way = count;
        (count > 0).then(|| state.waiting.drain(..count).collect())
    }

    /// The batch that was taken is done with, exported or dropped.
    pub(crate) fn done(&self) {
        self.lock().under_way = 0;
        self.changed.notify_all();
    }

    /// Tells how the last attempt went.
    pub(crate) fn tell(&self, is_failing: bool) {
        self.lock().is_failing = is_failing;
        self.changed.notify_all();
    }

    /// Waits before the next attempt; `false` where there is to be none, because nobody tells spans any more.
    pub(crate) fn pause(&self, pause: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), pause, |state| !state.is_closed);
        !waited.unwrap_or_else(PoisonError::into_inner).0.is_closed
    }

    /// Waits until everything is exported or dropped; no longer than `within`, and not for an endpoint that is away. Answers with how
    /// many spans are left.
    pub(crate) fn flush(&self, within: Duration) -> usize {
        let deadline = Instant::now() + within;
        let mut state = self.lock();
        state.flushing += 1;
        self.changed.notify_all();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let open = state.waiting.len() + state.under_way;
            if open == 0 || state.is_failing || left.is_zero() {
                state.flushing -= 1;
                return open;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
