use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};

use messaging::{BatchStep, Outcome, Record};

use crate::run::DEADLINE;

/// A step whose outcomes are altered one by one, in the order of the batch.
pub(crate) struct Altered<F> {
    inner: Box<dyn BatchStep>,
    alter: F,
}

/// Alters what a step answers.
pub(crate) fn altered<F>(alter: F) -> impl FnOnce(Box<dyn BatchStep>) -> Altered<F>
where
    F: FnMut(&Record<'_>, Outcome) -> Outcome + Send,
{
    move |inner| Altered { inner, alter }
}

impl<F: FnMut(&Record<'_>, Outcome) -> Outcome + Send> BatchStep for Altered<F> {
    fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
        let outcomes = self.inner.process(batch);
        batch.iter().zip(outcomes).map(|(record, outcome)| (self.alter)(record, outcome)).collect()
    }
}

/// Holds a step back until the test opens it, and tells the test when the step has come there.
#[derive(Clone)]
pub(crate) struct Gate(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    is_open: bool,
    arrived: usize,
}

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn open(&self) {
        self.0.0.lock().unwrap().is_open = true;
        self.0.1.notify_all();
    }

    /// Waits until a step stands before it.
    #[track_caller]
    pub(crate) fn wait_for_arrival(&self) {
        let state = self.0.0.lock().unwrap();
        let (state, _) = self.0.1.wait_timeout_while(state, DEADLINE, |state| state.arrived == 0).unwrap();
        assert!(state.arrived > 0, "no step came to the gate");
    }

    fn pass(&self) {
        let mut state = self.0.0.lock().unwrap();
        state.arrived += 1;
        self.0.1.notify_all();
        // Not for ever: a test that fails elsewhere must end, too.
        drop(self.0.1.wait_timeout_while(state, 2 * DEADLINE, |state| !state.is_open).unwrap());
    }
}

/// A step behind a gate: it passes once for every batch.
pub(crate) struct Gated {
    inner: Box<dyn BatchStep>,
    gate: Gate,
}

pub(crate) fn gated(gate: &Gate) -> impl FnOnce(Box<dyn BatchStep>) -> Gated {
    let gate = gate.clone();
    move |inner| Gated { inner, gate }
}

impl BatchStep for Gated {
    fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
        self.gate.pass();
        self.inner.process(batch)
    }
}

/// A step that tells how many records each batch had.
pub(crate) struct Told {
    inner: Box<dyn BatchStep>,
    sizes: SyncSender<usize>,
}

pub(crate) fn told() -> (impl FnOnce(Box<dyn BatchStep>) -> Told, Receiver<usize>) {
    let (sizes, batches) = sync_channel(10_000);
    (move |inner| Told { inner, sizes }, batches)
}

impl BatchStep for Told {
    fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
        let _ = self.sizes.send(batch.len());
        self.inner.process(batch)
    }
}
