use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use messaging::audit::{Flow, Observation, Written};
use messaging::{Origin, Outgoing, Record};

/// What the audit hears while records flow. Its channel is bounded: an audit that falls behind slows the flow down.
#[derive(Clone)]
pub struct Tap {
    flow: Arc<dyn Flow>,
    observations: SyncSender<Vec<Observation>>,
}

impl Tap {
    /// A tap into the channel of an audit.
    pub fn new(flow: Arc<dyn Flow>, observations: SyncSender<Vec<Observation>>) -> Self {
        Self { flow, observations }
    }

    /// What to tell of a record that is being written.
    pub(crate) fn written(&self, outgoing: &Outgoing) -> Option<Observation> {
        Written::encoded(&*self.flow, outgoing).map(Observation::Written)
    }

    /// What to tell of a record that a group has handled; nothing where its writing proves it.
    pub(crate) fn handled(&self, service: &str, record: &Record<'_>) -> Option<Observation> {
        let mark = self.flow.handled(service, record.topic)?;
        Some(Observation::Handled { order: self.flow.order_of(record.topic, record.key)?, mark })
    }

    /// What to tell of a dead letter: the order is the one that the original record was about.
    pub(crate) fn dead_lettered(&self, origin: Origin, key: Option<&[u8]>) -> Observation {
        let order = self.flow.order_of(origin.topic, key);
        Observation::DeadLettered { origin, order }
    }

    /// Tells the audit, and waits while its channel is full. An audit that is gone needs no telling.
    pub(crate) fn tell(&self, observations: Vec<Observation>) {
        if !observations.is_empty() {
            let _ = self.observations.send(observations);
        }
    }
}
