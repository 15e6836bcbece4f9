use std::time::Duration;

use events::Topic;
use kafka_transport::Group;
use messaging::{BatchStep, Outgoing};
use shop::Services;

use crate::Error;

/// The Kafka that a run's orders take their way through, with the groups at work on it.
pub(crate) trait Cluster {
    /// Hands records to it.
    fn publish(&mut self, records: &[Outgoing], run: &str);

    /// Records answered by its groups: as long as it changes, something moves.
    fn handled(&self) -> u64;

    /// Looks whether anything has failed for good.
    fn check(&mut self) -> Result<(), Error>;

    /// Gets ready for further orders at a steady rate.
    fn prepare(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// How long nothing may move before what has no end counts as lost.
    fn stall_deadline(&self) -> Duration;

    /// Stops the groups, and answers with the records of each topic.
    fn drain(self: Box<Self>) -> Result<Vec<(Topic, u64)>, Error>;
}

/// What runs on a cluster.
pub(crate) struct Wiring {
    pub(crate) services: Services,
    pub(crate) topics: Vec<(Topic, i32)>,
}

impl Wiring {
    /// The consumer groups of all services.
    pub(crate) fn groups(&self) -> Vec<Group> {
        let group = |(subscription, step): (&messaging::Subscription, _)| Group {
            subscription: subscription.clone(),
            step: Box::new(step) as Box<dyn BatchStep>,
        };
        self.services.iter().map(group).collect()
    }
}
