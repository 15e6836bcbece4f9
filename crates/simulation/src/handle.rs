//! What a member does with a batch: hands it to its worker, and puts on its way what follows from it.

use events::Topic;
use messaging::audit::Observation;
use messaging::{Answer, BatchId, Effect, Follows, Record};

use crate::broker::Stored;
use crate::faults::{CrashPoint, Fault};
use crate::incident::Incident;
use crate::member::{Fetched, Member, Open};
use crate::queue::{Request, Sender};
use crate::run::Run;
use crate::sabotage::Sabotage;

/// A record on its way out.
pub(crate) type Write = (Topic, Stored);

impl Run<'_> {
    pub(crate) fn handle(&mut self, member: usize, life: u32) {
        if self.members[member].living(life).is_none() || self.crashes(member, CrashPoint::AfterFetch) {
            return;
        }
        self.let_dependency_serve(member);
        self.let_store_fail(member);
        let Some((batch, fetched, writes)) = self.hand_in(member) else { return };
        if self.saboteur.is(Sabotage::CommitBeforeProduce) {
            self.commit_at_once(member, &fetched);
        }
        if self.plan.strikes(Fault::Duplicate) {
            self.rewind(member, &fetched);
        }
        if writes.is_empty() {
            if let Some(process) = &mut self.members[member].process {
                process.settle(batch, Ok(()));
            }
            return self.settled(member, true);
        }
        self.produce(member, batch, writes);
    }

    /// Hands the fetched records to the worker; answers with the batch and what is to be written.
    fn hand_in(&mut self, member: usize) -> Option<(BatchId, Vec<Fetched>, Vec<Write>)> {
        let Member { consumer, clock, process, .. } = &mut self.members[member];
        let process = process.as_mut()?;
        let flow = &self.system.flow;
        let subscription = &self.system.consumers[*consumer].subscription;
        let (service, topic) = (&subscription.service, subscription.topic);
        clock.set(self.now_ms);
        let fetched = std::mem::take(&mut process.fetched);
        let record_at = |&Fetched { partition, offset, deliveries }: &Fetched| {
            let stored = self.broker.fetch(topic, partition, offset, 1).ok()?.first()?;
            let (key, value) = (stored.key.as_deref(), stored.value.as_deref());
            let deliveries = Some(deliveries);
            Some(Record { topic, partition, offset, key, value, headers: &stored.headers, deliveries })
        };
        let records: Vec<Record<'_>> = fetched.iter().filter_map(record_at).collect();
        let mut effects = Vec::new();
        let batch = process.worker.receive(&records, &mut effects);
        let mut writes = Vec::new();
        for effect in effects {
            match effect {
                Effect::Answered { index, answer: Answer::Handled } => {
                    self.findings.handled.extend(Observation::handled(flow, service, &records[index]));
                }
                Effect::Produce { index, record, .. } => {
                    let stored = Stored::of(&record, Follows::from(&records[index]));
                    writes.push((record.topic, stored));
                }
                Effect::DeadLetter { dead_letter, .. } => {
                    let (topic, key, value) = (dead_letter.topic, dead_letter.key, dead_letter.value);
                    writes.push((topic, Stored { key, value, headers: dead_letter.headers }));
                }
                other => process.apply(&other),
            }
        }
        Some((batch, fetched, writes))
    }

    /// Sends what a batch brought forth, unless its member dies before, in between or right after.
    fn produce(&mut self, member: usize, batch: BatchId, mut writes: Vec<Write>) {
        if self.crashes(member, CrashPoint::AfterHandle) {
            return;
        }
        let dies_between = writes.len() > 1 && self.plan.strikes(Fault::Crash);
        if dies_between {
            let last = writes.len() as u64 - 1;
            let sent = self.plan.random().within(1..=last);
            writes.truncate(sent as usize);
        }
        let sender = Sender::Member { member, life: self.members[member].life, batch };
        let requests = self.requests(sender, writes);
        if let Some(process) = &mut self.members[member].process {
            process.open.insert(batch, Open { unanswered: requests.len(), failure: None });
        }
        requests.into_iter().for_each(|request| self.send(request));
        if dies_between {
            self.crash(member, CrashPoint::BetweenProduces);
        } else if !self.crashes(member, CrashPoint::AfterProduce) {
            self.wake(member, self.now_ms + 1);
        }
    }

    /// One request for each partition, its records in their order.
    pub(crate) fn requests(&self, sender: Sender, writes: Vec<Write>) -> Vec<Request> {
        let mut requests: Vec<Request> = Vec::new();
        for (topic, record) in writes {
            // A topic that does not exist is found out when the request arrives.
            let partition = self.broker.partition_of(topic, record.key.as_deref()).unwrap_or(0);
            match requests.iter_mut().find(|request| (request.topic, request.partition) == (topic, partition)) {
                Some(request) => request.records.push(record),
                None => requests.push(Request { sender, topic, partition, records: vec![record] }),
            }
        }
        requests
    }

    /// How many records of this batch find what their handler needs.
    fn let_dependency_serve(&mut self, member: usize) {
        let Member { consumer, process, .. } = &self.members[member];
        let records = process.as_ref().map_or(0, |process| process.fetched.len());
        let is_away = self.now_ms < self.away_until_ms[*consumer];
        let serves = if is_away { self.plan.random().index(records + 1) } else { usize::MAX };
        self.dependencies[*consumer].serve(serves);
    }

    /// Whether one of the writes to the store that this batch makes fails.
    fn let_store_fail(&mut self, member: usize) {
        let Some(trouble) = &self.system.trouble else { return };
        trouble.disarm();
        if !self.plan.strikes(Fault::StoreFailure) {
            return;
        }
        let records = self.members[member].process.as_ref().map_or(0, |process| process.fetched.len());
        let (writes, takes_effect) = (self.plan.random().index(records + 1), self.plan.random().index(2) == 1);
        trouble.arm(writes as u64, takes_effect);
        self.note(Incident::StoreFailure { member, takes_effect });
    }

    /// The batch is delivered again: its partitions are fetched once more from where it began.
    fn rewind(&mut self, member: usize, fetched: &[Fetched]) {
        let Some(process) = &mut self.members[member].process else { return };
        for &Fetched { partition, offset, .. } in fetched.iter().rev() {
            if !process.paused.contains(&partition) {
                process.positions.insert(partition, offset);
            }
        }
        self.note(Incident::Duplicate { member, records: fetched.len() });
    }

    /// Sabotage: what was received counts as done.
    fn commit_at_once(&mut self, member: usize, fetched: &[Fetched]) {
        let Member { consumer, id, process: Some(process), .. } = &self.members[member] else { return };
        let Some(generation) = process.generation else { return };
        let group = &self.system.consumers[*consumer].subscription.group;
        for &Fetched { partition, offset, .. } in fetched {
            let _ = self.broker.commit(group, (*id, generation), partition, offset + 1);
        }
    }
}
