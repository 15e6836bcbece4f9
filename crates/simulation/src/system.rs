use std::sync::Arc;

use events::{OrderId, Topic};
use messaging::audit::Flow;
use messaging::{BatchStep, Clock, Outgoing, Subscription};

use crate::store::Trouble;

/// A system as the simulation drives it: topics, consumer groups, and what the audit knows of its orders.
///
/// It names no system. Without a store, one value serves any number of runs, on any number of threads.
pub struct System {
    /// Every topic, those of the dead letters included, with its number of partitions.
    pub topics: Vec<(Topic, usize)>,
    /// Every consumer group.
    pub consumers: Vec<Consumer>,
    /// What the audit knows.
    pub flow: Arc<dyn Flow>,
    /// The trouble of the store that the steps share, if they have one. What stands in a store outlasts a run: each run then needs a
    /// system of its own.
    pub trouble: Option<Arc<Trouble>>,
}

/// A consumer group and what its members do with a batch.
pub struct Consumer {
    /// Which group it is.
    pub subscription: Subscription,
    pub(crate) new_step: Box<NewStep>,
}

/// Makes a step for a machine with that clock.
type NewStep = dyn Fn(Arc<dyn Clock>) -> Box<dyn BatchStep> + Send + Sync;

impl Consumer {
    /// A group whose members each begin with a step of their own from `new_step`, which gets the clock of the member's machine; one
    /// that died begins anew.
    pub fn new<S, F>(subscription: Subscription, new_step: F) -> Self
    where
        S: BatchStep + 'static,
        F: Fn(Arc<dyn Clock>) -> S + Send + Sync + 'static,
    {
        Self { subscription, new_step: Box::new(move |clock| Box::new(new_step(clock))) }
    }
}

/// An accepted order: from now on it must come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub order_id: OrderId,
    /// Its first record.
    pub record: Outgoing,
}
