//! What stands between a worker and the system's step: dependencies that go away, and handlers that cheat.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use messaging::{BatchStep, Clock, Due, Outcome, Record};

use crate::clock::MachineClock;

/// Whether what a group's handler needs is there: shared by the group's members and the simulation.
#[derive(Debug)]
pub(crate) struct Dependency {
    /// How many records of the next batch it still serves.
    serves: AtomicUsize,
}

impl Dependency {
    pub(crate) const fn available() -> Self {
        Self { serves: AtomicUsize::new(usize::MAX) }
    }

    pub(crate) fn serve(&self, records: usize) {
        self.serves.store(records, Ordering::Relaxed);
    }
}

/// The system's step on a machine of the simulation.
pub(crate) struct Step {
    pub(crate) inner: Box<dyn BatchStep>,
    pub(crate) dependency: Arc<Dependency>,
    /// The clock that a cheating handler writes into its records.
    pub(crate) clock_in_payload: Option<Arc<MachineClock>>,
}

impl BatchStep for Step {
    fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
        let served = self.dependency.serves.load(Ordering::Relaxed).min(batch.len());
        let mut outcomes = if served == 0 { Vec::new() } else { self.inner.process(&batch[..served]) };
        outcomes.resize_with(served, || Outcome::Retry("the step gave no outcome".to_owned()));
        let mut held_back = BTreeSet::new();
        outcomes.extend(batch[served..].iter().map(|record| {
            if held_back.insert(record.partition) {
                Outcome::Retry("what the handler needs is away".to_owned())
            } else {
                Outcome::Done(Vec::new()) // behind a `Retry`: a worker that looks at it loses the record
            }
        }));
        if let Some(clock) = &self.clock_in_payload {
            outcomes.iter_mut().for_each(|outcome| add_time(outcome, clock.now_ms()));
        }
        outcomes
    }

    fn due(&mut self) -> Vec<Due> {
        self.inner.due()
    }

    fn has_timers(&self) -> bool {
        self.inner.has_timers()
    }
}

/// Adds a field that every reader passes over.
fn add_time(outcome: &mut Outcome, now_ms: u64) {
    let Outcome::Done(outgoing) = outcome else { return };
    for record in outgoing {
        if record.value.pop_if(|last| *last == b'}').is_some() {
            record.value.extend_from_slice(format!(",\"drawn_at_ms\":{now_ms}}}").as_bytes());
        }
    }
}
