use std::time::Duration;

use events::Topic;
use messaging::Outgoing;

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
