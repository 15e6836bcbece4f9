//! A member's turn: it looks at its group and at the clock, commits now and then, and fetches.

use std::ops::Range;

use crate::broker::Stored;
use crate::faults::{CrashPoint, Fault};
use crate::incident::{Incident, Party};
use crate::member::{Fetched, Member, Process};
use crate::queue::{Commit, Event, Sender};
use crate::run::Run;
use crate::sabotage::Sabotage;

/// How often a member looks around that has nothing to do: it learns of a new assignment at its turn.
const IDLE_TURN_MS: u64 = 1_000;
/// How often a member looks around while something is open or waits.
const BUSY_TURN_MS: u64 = 100;
/// A member that says nothing for so long is taken for dead, and its partitions go to the other.
pub(crate) const SESSION_MS: u64 = 3_000;

impl Run<'_> {
    pub(crate) fn turn(&mut self, member: usize) {
        let due = &mut self.members[member].turn_at_ms;
        if *due != Some(self.now_ms) {
            return; // replaced by an earlier one
        }
        *due = None;
        let is_busy = |process: &Process| !process.fetched.is_empty();
        if self.members[member].process.as_ref().is_none_or(is_busy) || self.crashes(member, CrashPoint::BeforeFetch) {
            return;
        }
        // Before it learns of a new assignment, as a client's timer would: a zombie's commit has to be refused.
        self.commit_now_and_then(member);
        let is_connected = !self.is_cut_off(Party::Member(member));
        if is_connected {
            self.look_at_assignment(member);
        }
        self.members[member].clock.set(self.now_ms);
        if let Some(process) = &mut self.members[member].process {
            process.tick();
        }
        if is_connected {
            self.write_due(member);
            self.fetch(member);
        }
        self.plan_next_turn(member);
    }

    /// Sends what is due without a record. Nobody waits for the answers: what is lost comes due again.
    fn write_due(&mut self, member: usize) {
        let Some(process) = &mut self.members[member].process else { return };
        let due = process.worker.due();
        let writes = due.iter().map(|due| (due.record.topic, Stored::of(&due.record, due.follows()))).collect();
        let sender = Sender::Timer { member };
        let requests = self.requests(sender, writes);
        requests.into_iter().for_each(|request| self.send(request));
    }

    /// Takes the group's current assignment, where it is another than the one it has; joins where it was taken for dead.
    fn look_at_assignment(&mut self, member: usize) {
        let Member { consumer, id, .. } = self.members[member];
        let group = &self.system.consumers[consumer].subscription.group;
        let assignment = match self.broker.assignment(group, id) {
            Ok(assignment) => assignment,
            Err(_) => match self.join(member) {
                Some(assignment) => assignment,
                None => return,
            },
        };
        let Some(process) = &mut self.members[member].process else { return };
        if process.generation != Some(assignment.generation) {
            let committed = |partition| self.broker.committed(group, partition).ok().flatten().unwrap_or(0);
            process.take(&assignment, committed);
        }
    }

    fn commit_now_and_then(&mut self, member: usize) {
        let life = self.members[member].life;
        let (now_ms, pause_ms, latency_ms) = (self.now_ms, self.random.within(50..=500), self.random.within(1..=5));
        let Some(process) = &mut self.members[member].process else { return };
        let Some(generation) = process.generation else { return };
        if process.uncommitted.is_empty() || process.is_committing || now_ms < process.commits_at_ms {
            return;
        }
        process.is_committing = true;
        process.commits_at_ms = now_ms + pause_ms;
        let offsets = std::mem::take(&mut process.uncommitted);
        self.under_way += 1;
        self.queue.push(now_ms + latency_ms, Event::Commit(Box::new(Commit { member, life, generation, offsets })));
    }

    /// Fetches from the assigned partitions that are not paused, beginning with any of them.
    fn fetch(&mut self, member: usize) {
        let subscription = self.subscription(member);
        let (group, topic, batch_records) =
            (subscription.group.clone(), subscription.topic, subscription.batch_records);
        // A fetch seldom finds a full batch: schedules differ by where batches end.
        let limit = self.random.one_of([1, 4, batch_records, batch_records]).min(batch_records);
        let turn = self.random.index(8);
        let Some(process) = self.members[member].process.as_ref().filter(|process| process.worker.has_capacity())
        else {
            return;
        };
        let mut ranges: Vec<(i32, Range<i64>)> = Vec::new();
        let mut room = limit;
        let count = process.positions.len();
        for (&partition, &position) in process.positions.iter().cycle().skip(turn).take(count) {
            let records = self.broker.fetch(topic, partition, position, room).map_or(0, <[_]>::len);
            if records > 0 && !process.paused.contains(&partition) {
                let is_skipped = records > 1 && self.saboteur.strikes(Sabotage::SkipRecord);
                ranges.push((partition, position + i64::from(is_skipped)..position + records as i64));
                room -= records;
            }
        }
        if ranges.is_empty() {
            return;
        }
        let ends: Vec<(i32, i64)> = ranges.iter().map(|(partition, range)| (*partition, range.end)).collect();
        let places = self.in_order_of_arrival(member, ranges);
        let fetched = places.into_iter().map(|(partition, offset)| {
            let deliveries = self.broker.deliver(&group, partition, offset).unwrap_or(1);
            Fetched { partition, offset, deliveries }
        });
        let fetched = fetched.collect();
        let delay_ms = self.handling_ms(member);
        let handles_at_ms = self.now_ms + delay_ms;
        let Member { life, process: Some(process), .. } = &mut self.members[member] else { return };
        process.positions.extend(ends);
        process.fetched = fetched;
        process.handles_until_ms = handles_at_ms;
        self.queue.push(handles_at_ms, Event::Handle { member, life: *life });
        if delay_ms >= SESSION_MS {
            self.expect_expiry(member);
        }
    }

    /// Partition after partition, or interleaved; the order within each is kept.
    fn in_order_of_arrival(&mut self, member: usize, mut ranges: Vec<(i32, Range<i64>)>) -> Vec<(i32, i64)> {
        if ranges.len() < 2 || !self.plan.strikes(Fault::Reorder) {
            return ranges
                .into_iter()
                .flat_map(|(partition, range)| range.map(move |offset| (partition, offset)))
                .collect();
        }
        self.note(Incident::Interleaved { member });
        let mut places = Vec::new();
        while !ranges.is_empty() {
            let chosen = self.plan.random().index(ranges.len());
            let (partition, range) = &mut ranges[chosen];
            places.extend(range.next().map(|offset| (*partition, offset)));
            if range.is_empty() {
                ranges.swap_remove(chosen);
            }
        }
        places
    }

    fn handling_ms(&mut self, member: usize) -> u64 {
        if self.now_ms < self.members[member].slow_until_ms {
            self.plan.length_ms(300..=8_000)
        } else {
            self.random.within(1..=10)
        }
    }

    fn plan_next_turn(&mut self, member: usize) {
        let Some(process) = &self.members[member].process else { return };
        if process.fetched.is_empty() {
            let pause_ms = if process.is_idle() { IDLE_TURN_MS } else { BUSY_TURN_MS };
            self.wake(member, self.now_ms + pause_ms);
        }
    }
}
