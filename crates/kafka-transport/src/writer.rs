//! Batches of writes for a host that waits for each of them, such as a function that is frozen as soon as it has answered.

use std::time::{Duration, Instant};

use events::Topic;
use messaging::{DeadLetter, Follows, Outgoing, Verbatim};

use crate::producer::Producer;
use crate::{Connection, Error, Pace, settings};

pub use crate::producer::Slot;

/// How often a batch is asked for: a report takes a fraction of a millisecond on one machine, some within a network.
const LOOK_EVERY: Duration = Duration::from_micros(100);

/// How long the reports of writes that were given up may take; they come from librdkafka's own threads. Less than a function
/// has left for its answer.
const GIVE_UP_DEADLINE: Duration = Duration::from_millis(250);

/// Writes batches, each in a slot of its own, and waits for every delivery report.
pub struct Writer(Producer);

impl Writer {
    /// How many batches may be open at once.
    pub const SLOTS: usize = 64;

    /// A writer to these topics, with their partitions. A write without confirmation counts as failed after `write_deadline`.
    /// Nobody is asked yet.
    ///
    /// # Errors
    /// Where librdkafka takes no such client.
    pub fn new(connection: &Connection, topics: &[(Topic, i32)], write_deadline: Duration) -> Result<Self, Error> {
        let config = settings::function(connection, write_deadline);
        Producer::configured(&config, connection, topics, Self::SLOTS).map(Self)
    }

    /// As [`Writer::new`], for a program that runs on and on: it writes in large batches.
    ///
    /// # Errors
    /// Where librdkafka takes no such client.
    pub fn steady(connection: &Connection, topics: &[(Topic, i32)]) -> Result<Self, Error> {
        Producer::new(connection, Pace::BROKERS, topics, Self::SLOTS).map(Self)
    }

    /// Looks for topics, so that one that is not there is told before anything is written.
    ///
    /// # Errors
    /// Where a topic is not there or may not be seen, or the brokers refuse us or do not answer within 10 s.
    pub fn find(&self, topics: &[Topic]) -> Result<(), Error> {
        topics.iter().try_for_each(|&topic| self.0.find(topic))
    }

    /// Connects to each broker that leads one of the topics, so that the first write does not pay for it.
    ///
    /// # Errors
    /// Where the brokers refuse us or do not answer in time.
    pub fn connect(&self, patience: Duration) -> Result<(), Error> {
        self.0.connect_to_leaders(patience)
    }

    /// Opens a batch in a slot below [`Self::SLOTS`]. One that was abandoned there counts no more.
    pub fn open(&self, slot: Slot) {
        self.0.open(slot);
    }

    /// Writes a record of ours, with the headers that tell what it follows from.
    pub fn publish(&self, slot: Slot, record: &Outgoing, follows: Follows<'_>) {
        self.0.publish(slot, record, follows);
    }

    /// Writes a dead letter.
    pub fn dead_letter(&self, slot: Slot, letter: &DeadLetter) {
        self.0.dead_letter(slot, letter);
    }

    /// Writes a record as it is.
    pub fn verbatim(&self, slot: Slot, record: &Verbatim) {
        self.0.verbatim(slot, record);
    }

    /// Closes the batch: it settles with its last report.
    pub fn close(&self, slot: Slot) {
        self.0.close(slot);
    }

    /// What became of a closed batch: `None` while reports are missing; else the offset that a record of it was given, which of a batch
    /// of one is that one's.
    ///
    /// # Errors
    /// Why a write failed.
    pub fn result(&self, slot: Slot) -> Option<Result<i64, Error>> {
        self.0.result(slot).map(|result| result.map(|()| self.0.offset(slot)))
    }

    /// Closes the batch and waits until each of its writes has its report. At the deadline every open write is given up, those
    /// of other slots too: nothing is under way any more when this returns. It takes a quarter of a second longer at most.
    ///
    /// # Errors
    /// Why a write failed.
    pub fn confirm(&self, slot: Slot, deadline: Instant) -> Result<(), Error> {
        self.0.close(slot);
        let mut given_up = None;
        loop {
            let now = Instant::now();
            if let Some(result) = self.0.result_within(slot, deadline.saturating_duration_since(now)) {
                return result;
            }
            match given_up {
                None if now >= deadline => {
                    self.0.give_up();
                    given_up = Some(now);
                }
                Some(since) if now - since >= GIVE_UP_DEADLINE => {
                    let (open, deadline_s) = (self.0.pending(slot), GIVE_UP_DEADLINE.as_secs());
                    return Err(Error::NotDrained { group: "the batch".into(), open, what: "writes", deadline_s });
                }
                _ => std::thread::sleep(LOOK_EVERY),
            }
        }
    }
}
