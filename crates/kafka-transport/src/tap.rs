use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use messaging::audit::{Flow, Observation, Written};
use messaging::{DeadLetter, Outgoing, RUN, Record, Subscription};

/// What the audit hears while records flow. Its channel is bounded: an audit that falls behind slows the flow down.
#[derive(Clone)]
pub struct Tap {
    flow: Arc<dyn Flow>,
    observations: SyncSender<Vec<Observation>>,
    /// The one run to tell of, where a reader of the topics tells the rest.
    run: Option<Arc<[u8]>>,
}

impl Tap {
    /// A tap into the channel of an audit.
    pub fn new(flow: Arc<dyn Flow>, observations: SyncSender<Vec<Observation>>) -> Self {
        Self { flow, observations, run: None }
    }

    /// A tap that tells only what the topics do not: which records of a run were handled. An [`crate::AuditReader`] tells what
    /// stands in them.
    pub fn beside_a_reader(flow: Arc<dyn Flow>, observations: SyncSender<Vec<Observation>>, run: &str) -> Self {
        Self { flow, observations, run: Some(run.as_bytes().into()) }
    }

    /// What to tell of a record that is being written.
    pub(crate) fn written(&self, outgoing: &Outgoing) -> Option<Observation> {
        if self.run.is_some() {
            return None; // its reader finds it
        }
        Written::encoded(&*self.flow, outgoing).map(Observation::Written)
    }

    /// What to tell of a record that a group has handled; nothing where its writing proves it.
    pub(crate) fn handled(&self, service: &str, record: &Record<'_>) -> Option<Observation> {
        let is_of_run = self.run.as_deref().is_none_or(|run| record.headers.last(RUN) == Some(run));
        if !is_of_run {
            return None;
        }
        Observation::handled(&*self.flow, service, record)
    }

    /// What to tell of a record that a group gave up.
    pub(crate) fn rejected(&self, group: &Subscription, record: &Record<'_>) -> Option<Observation> {
        self.run.is_none().then(|| Observation::rejected(&*self.flow, group, record))
    }

    /// What to tell of a dead letter: the order is the one that the original record was about.
    pub(crate) fn dead_lettered(&self, letter: DeadLetter) -> Option<Observation> {
        let DeadLetter { origin, key, value, .. } = letter;
        let told = || Observation::dead_lettered(&*self.flow, origin, key.as_deref(), value.as_deref());
        self.run.is_none().then(told)
    }

    /// Tells the audit, and waits while its channel is full. An audit that is gone needs no telling.
    pub(crate) fn tell(&self, observations: Vec<Observation>) {
        if !observations.is_empty() {
            let _ = self.observations.send(observations);
        }
    }
}
