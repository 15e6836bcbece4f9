use std::sync::Arc;

use events::{OrderId, Topic};
use messaging::audit::Flow;
use messaging::{BatchStep, Outgoing, Subscription};

/// A system as the simulation drives it: topics, consumer groups, and what the audit knows of its orders.
///
/// It names no system. One value serves any number of runs, on any number of threads.
pub struct System {
    /// Every topic, those of the dead letters included, with its number of partitions.
    pub topics: Vec<(Topic, usize)>,
    /// Every consumer group.
    pub consumers: Vec<Consumer>,
    /// What the audit knows.
    pub flow: Arc<dyn Flow>,
}

/// A consumer group and what its members do with a batch.
pub struct Consumer {
    /// Which group it is.
    pub subscription: Subscription,
    pub(crate) new_step: Box<dyn Fn() -> Box<dyn BatchStep> + Send + Sync>,
}

impl Consumer {
    /// A group whose members each begin with a step of their own from `new_step`; one that died begins anew.
    pub fn new<S, F>(subscription: Subscription, new_step: F) -> Self
    where
        S: BatchStep + 'static,
        F: Fn() -> S + Send + Sync + 'static,
    {
        Self { subscription, new_step: Box::new(move || Box::new(new_step())) }
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
