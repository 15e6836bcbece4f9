use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a loop may take for one turn before it counts as hanging: a write may wait for half a minute.
const TURN_DEADLINE: Duration = Duration::from_secs(90);

/// Whether a worker lives and is ready. A clone is told and tells the same.
#[derive(Clone)]
pub(crate) struct Liveness(Arc<Mutex<State>>);

impl Liveness {
    /// Of a worker that is not ready yet.
    pub(crate) fn begin() -> Self {
        Self(Arc::new(Mutex::new(State::new(Instant::now()))))
    }

    /// Tells whether the groups have their places, and how far each has turned.
    pub(crate) fn tell(&self, is_ready: bool, turns: &[u64]) {
        self.state().tell(Instant::now(), is_ready, turns);
    }

    /// From now on it is not ready: nobody should send work here.
    pub(crate) fn stop(&self) {
        self.state().stop();
    }

    pub(super) fn is_ready(&self) -> bool {
        self.state().is_ready
    }

    /// What hangs, if anything does.
    pub(super) fn hangs(&self) -> Option<String> {
        self.state().hangs(Instant::now())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
