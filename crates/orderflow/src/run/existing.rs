use std::sync::Arc;
use std::time::{Duration, Instant};

use events::Topic;
use kafka_transport::{AuditReader, Connection, Membership, Pace, Pipeline, Plan, Tap};
use messaging::Outgoing;
use messaging::audit::{Flow, Reading};

use super::Sight;
use super::auditor::Auditor;
use super::cluster::Cluster;
use crate::Error;
use crate::wiring::Wiring;

/// How long the groups may take to find their places: a member that died before us holds its own until its session is over.
const JOIN_DEADLINE: Duration = Duration::from_secs(30);

/// A Kafka that is there: our groups share it with whoever else is in them, and the audit reads the topics beside.
pub(crate) struct Existing {
    pipeline: Pipeline,
    reader: AuditReader,
}

impl Existing {
    /// Begins to read, then to work.
    ///
    /// # Errors
    /// Where the brokers do not answer within ten seconds, or refuse us; where the groups do not come together.
    pub(crate) fn start(
        connection: &Connection,
        wiring: &Wiring,
        auditor: &Auditor,
        flow: Arc<dyn Flow>,
        run: &str,
        sight: &Sight,
    ) -> Result<Self, Error> {
        let subscriptions = wiring.services.iter().map(|(subscription, _)| subscription.clone());
        let topics: Vec<Topic> = wiring.topics.iter().map(|&(topic, _)| topic).collect();
        let reading = Reading::new(flow.clone(), subscriptions);
        let reader = AuditReader::start(connection, reading, &topics, run, auditor.sender())?;
        let pipeline = Pipeline::start(Plan {
            connection: connection.clone(),
            membership: Membership::Shared { instance: None },
            pace: Pace::BROKERS,
            topics: wiring.topics.clone(),
            groups: wiring.groups(),
            tap: Some(Tap::beside_a_reader(flow, auditor.sender(), run)),
            metrics: sight.metrics.clone(),
            traces: sight.traces.clone(),
        })?;
        sight.in_view.turn_to(connection.clone());
        let mut this = Self { pipeline, reader };
        this.join()?;
        Ok(this)
    }

    /// Waits until every group has its place, so that the first order does not wait for it.
    fn join(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + JOIN_DEADLINE;
        while !self.pipeline.has_joined() {
            self.pipeline.check()?;
            if Instant::now() >= deadline {
                let seconds = JOIN_DEADLINE.as_secs();
                return Err(Error::Failed(format!("the groups did not come together within {seconds} s")));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Cluster for Existing {
    fn publish(&mut self, records: &[Outgoing], run: &str) {
        self.pipeline.publish(records, run);
    }

    fn handled(&self) -> u64 {
        self.pipeline.handled()
    }

    fn check(&mut self) -> Result<(), Error> {
        self.reader.check()?;
        Ok(self.pipeline.check()?)
    }

    fn stall_deadline(&self) -> Duration {
        // Longer than a write may wait for its confirmation, and a group for a member that died.
        Duration::from_secs(60)
    }

    fn drain(self: Box<Self>) -> Result<Vec<(Topic, u64)>, Error> {
        let Self { pipeline, reader } = *self;
        pipeline.drain()?;
        Ok(reader.stop()?)
    }
}
