//! Partitions come and go: what the group decides is answered between two batches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use messaging::{Effect, Subscription};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::{ConsumerLoop, partition_list, positions};
use crate::member::Rebalance;
use crate::{Error, log};

/// How long a partition that goes to another member may take to have its open writes confirmed: less than the group waits for
/// an answer. What is not confirmed by then comes again there.
const GIVE_BACK_DEADLINE: Duration = Duration::from_secs(4);

/// How long one question about committed offsets may take; it is asked again.
const COMMITTED_DEADLINE: Duration = Duration::from_secs(2);

impl ConsumerLoop {
    /// Answers what the group has decided since the last turn.
    pub(super) fn rebalance(&mut self, effects: &mut Vec<Effect>) -> Result<(), Error> {
        while let Some(rebalance) = self.queue.consumer().context().next_rebalance() {
            match rebalance {
                Rebalance::Assigned(partitions) => {
                    log::rebalanced(self.worker.subscription(), "assigned", &partitions);
                    self.awaited.get_or_insert_default().extend(partitions);
                    self.pulse.has_joined.store(true, Ordering::Release);
                }
                Rebalance::Revoked(partitions) => {
                    log::rebalanced(self.worker.subscription(), "revoked", &partitions);
                    self.give_back(&partitions, effects)?;
                }
            }
        }
        self.take()
    }

    /// Begins with the awaited partitions where the group stopped, or at their first record where it never began. Asked again at
    /// the next turn while nobody answers: the group's coordinator may be moving.
    fn take(&mut self) -> Result<(), Error> {
        let Some(awaited) = &self.awaited else { return Ok(()) };
        let Some(began) = self.beginnings(awaited) else { return Ok(()) };
        let Subscription { topic, group, .. } = self.worker.subscription();
        positions(*topic, &began)
            .and_then(|list| self.queue.take(&list))
            .map_err(Error::kafka(format!("{group}: take partitions")))?;
        self.awaited = None;
        self.queue.consumer().context().begin(&began);
        self.stored.extend(began);
        Ok(())
    }

    /// Where the group stopped in these partitions; `None` while nobody answers.
    fn beginnings(&self, partitions: &BTreeSet<i32>) -> Option<BTreeMap<i32, i64>> {
        let mut began = BTreeMap::new();
        if partitions.is_empty() {
            return Some(began);
        }
        let topic = self.worker.subscription().topic;
        let consumer = self.queue.consumer();
        let asked = partition_list(topic, partitions);
        let committed = consumer.committed_offsets(asked, COMMITTED_DEADLINE).ok()?;
        for element in committed.elements() {
            element.error().ok()?;
            let offset = match element.offset() {
                Offset::Offset(offset) => offset,
                _ => {
                    let partition = element.partition();
                    consumer.fetch_watermarks(topic.as_str(), partition, COMMITTED_DEADLINE).ok()?.0
                }
            };
            began.insert(element.partition(), offset);
        }
        Some(began)
    }

    /// Settles what is open, commits what is done of the partitions, and lets them go.
    fn give_back(&mut self, partitions: &[i32], effects: &mut Vec<Effect>) -> Result<(), Error> {
        let Subscription { service, topic, group, .. } = self.worker.subscription().clone();
        // A member that the group has given up already may commit nothing any more: others have begun there.
        if !self.queue.consumer().assignment_lost() {
            let deadline = Instant::now() + GIVE_BACK_DEADLINE;
            while !self.open.is_empty() && Instant::now() < deadline {
                self.settle(effects);
                self.carry_out_control(effects)?;
                std::thread::sleep(Duration::from_millis(1));
            }
            let mut done = self.stored.clone();
            done.retain(|partition, _| partitions.contains(partition));
            if !done.is_empty() {
                let result =
                    positions(topic, &done).and_then(|list| self.queue.consumer().commit(&list, CommitMode::Sync));
                if let Err(error) = result {
                    log::commit_refused(&service, &error);
                }
            }
        }
        for &partition in partitions {
            self.worker.revoke(partition);
            self.stored.remove(&partition);
            if let Some(awaited) = &mut self.awaited {
                awaited.remove(&partition);
            }
            self.resuming.remove(&partition);
        }
        self.queue
            .give_back(&partition_list(topic, partitions))
            .map_err(Error::kafka(format!("{group}: give partitions back")))
    }

    /// Answers what the group still waits for, with nothing: a consumer that owes an answer cannot leave.
    pub(super) fn stop_waiting(&mut self) {
        let group = &self.worker.subscription().group;
        while let Some(rebalance) = self.queue.consumer().context().next_rebalance() {
            match rebalance {
                Rebalance::Assigned(_) => self.awaited = Some(BTreeSet::new()),
                Rebalance::Revoked(partitions) => {
                    let given = partition_list(self.worker.subscription().topic, &partitions);
                    if let Err(error) = self.queue.give_back(&given) {
                        tracing::debug!(group, %error, "partitions were not given back before leaving");
                    }
                }
            }
        }
        if self.awaited.take().is_some()
            && let Err(error) = self.queue.take(&TopicPartitionList::new())
        {
            tracing::debug!(group, %error, "partitions were not refused before leaving");
        }
    }
}
