//! The way to the broker and back: requests are refused, their answers lost, and whoever is cut off learns nothing.

use events::Topic;

use crate::broker::Stored;
use crate::corruption::Corruption;
use crate::faults::{CrashPoint, Fault};
use crate::incident::{Incident, Party};
use crate::queue::{Commit, Event, Request, Sender};
use crate::run::{MEMBERS, Run};
use crate::sabotage::Sabotage;

impl Run<'_> {
    fn cut_off_until_ms(&self, party: Party) -> u64 {
        match party {
            Party::Source => self.source.cut_off_until_ms,
            Party::Member(member) => self.members[member].cut_off_until_ms,
        }
    }

    pub(crate) fn is_cut_off(&self, party: Party) -> bool {
        self.now_ms < self.cut_off_until_ms(party)
    }

    /// Puts a request on its way. Requests of a member for different partitions may overtake each other.
    pub(crate) fn send(&mut self, request: Request) {
        let mut at_ms = self.now_ms + self.random.within(1..=5);
        let party = request.sender.party();
        if self.plan.strikes(Fault::Reorder) {
            let delay_ms = self.plan.length_ms(5..=300);
            self.note(Incident::Overtaken { party, delay_ms });
            at_ms += delay_ms;
        }
        if let Party::Member(member) = party {
            let place = (request.topic, request.partition);
            let last_ms = self.members[member].last_arrival_ms.entry(place).or_default();
            at_ms = at_ms.max(*last_ms);
            *last_ms = at_ms;
        }
        self.under_way += 1;
        self.queue.push(at_ms, Event::Arrive(Box::new(request)));
    }

    /// A request reaches the broker: some of its records are written, none behind one that was refused.
    pub(crate) fn arrive(&mut self, mut request: Box<Request>) {
        let Request { sender, topic, partition, .. } = *request;
        let party = sender.party();
        if self.is_cut_off(party) {
            // A client tries for a while: some requests arrive late, from a member that the group has long replaced.
            if self.plan.random().below(2) == 0 {
                return self.queue.push(self.cut_off_until_ms(party), Event::Arrive(request));
            }
            return self.reply(sender, false);
        }
        let mut is_written = true;
        if self.plan.strikes(Fault::ProduceFailure) {
            let written = self.plan.random().index(request.records.len());
            self.note(Incident::ProduceFailure { party, topic, partition, refused: request.records.len() - written });
            request.records.truncate(written);
            is_written = false;
        }
        let written = request.records.len();
        for record in request.records.drain(..) {
            self.append(topic, record);
        }
        if written > 0 {
            self.wake_readers(&request);
        }
        if is_written && self.plan.strikes(Fault::AckLoss) {
            self.note(Incident::AckLoss { party, topic, partition, written });
            is_written = false;
        }
        self.reply(sender, is_written);
    }

    fn reply(&mut self, sender: Sender, is_written: bool) {
        // A sender learns of a failure by waiting in vain.
        let delay_ms = if is_written { self.random.within(1..=5) } else { self.random.within(50..=1_000) };
        self.queue.push(self.now_ms + delay_ms, Event::Answer { sender, is_written });
    }

    fn append(&mut self, topic: Topic, mut record: Stored) {
        let is_dead_letter = self.dead_letter_topics.contains(&topic);
        let drops = if is_dead_letter { Sabotage::LoseDeadLetter } else { Sabotage::DropRecord };
        if self.saboteur.strikes(drops) {
            return;
        }
        // Nobody would reject what nobody reads.
        let corruption = (!is_dead_letter && self.readers.contains_key(&topic) && self.plan.strikes(Fault::Corruption))
            .then(|| Corruption::draw(self.plan.random()));
        if let Some(how) = corruption {
            record.value = how.of(record.value);
        }
        if is_dead_letter && self.saboteur.strikes(Sabotage::AlterDeadLetter) {
            record.key = None;
        }
        let doubled = (!is_dead_letter && self.saboteur.strikes(Sabotage::DoubleRecord)).then(|| {
            let value = record.value.as_ref().map(|value| [value, &b" "[..]].concat());
            Stored { value, ..record.clone() }
        });
        match self.broker.produce(topic, record) {
            Ok(place) => corruption.into_iter().for_each(|how| self.note(Incident::Corruption { place, how })),
            Err(error) => self.findings.broken = Some(error),
        }
        if let Some(doubled) = doubled {
            let _ = self.broker.produce(topic, doubled);
        }
    }

    fn wake_readers(&mut self, request: &Request) {
        for consumer in self.readers.get(&request.topic).cloned().unwrap_or_default() {
            for member in consumer * MEMBERS..(consumer + 1) * MEMBERS {
                let process = self.members[member].process.as_ref();
                if process.is_some_and(|process| process.positions.contains_key(&request.partition)) {
                    let at_ms = self.now_ms + self.random.within(1..=10);
                    self.wake(member, at_ms);
                }
            }
        }
    }

    /// The broker's answer reaches its sender; one that is cut off learns only that none came.
    pub(crate) fn answer(&mut self, sender: Sender, is_written: bool) {
        self.under_way -= 1;
        let is_written = is_written && !self.is_cut_off(sender.party());
        match sender {
            Sender::Source { order } => self.source_answered(order, is_written),
            Sender::Timer { .. } => {}
            Sender::Member { member, life, batch } => {
                let is_hasty = self.random.below(2) == 0;
                let failure = (!is_written).then_some("the broker has not confirmed a write");
                let Some(process) = self.members[member].living(life) else { return };
                if process.answer(batch, failure, is_hasty) {
                    self.settled(member, is_written);
                }
            }
        }
    }

    /// A batch is settled: what it stored may be committed.
    pub(crate) fn settled(&mut self, member: usize, is_written: bool) {
        if !(is_written && self.crashes(member, CrashPoint::AfterAck)) {
            self.wake(member, self.now_ms);
        }
    }

    /// A commit reaches the broker, which looks at the generation; its answer is there at once.
    pub(crate) fn arrive_commit(&mut self, commit: Box<Commit>) {
        let member = commit.member;
        let party = Party::Member(member);
        let is_cut_off = self.is_cut_off(party);
        if is_cut_off && self.plan.random().below(2) == 0 {
            return self.queue.push(self.cut_off_until_ms(party), Event::Commit(commit));
        }
        self.under_way -= 1;
        let fails = !is_cut_off && self.plan.strikes(Fault::CommitFailure);
        if fails {
            self.note(Incident::CommitFailure { member });
        }
        let is_committed = !is_cut_off && !fails && self.commit_all(&commit);
        let Some(process) = self.members[member].living(commit.life) else { return };
        process.is_committing = false;
        if is_committed {
            self.crashes(member, CrashPoint::AfterCommit);
        } else if process.generation == Some(commit.generation) {
            // Refused or unheard: offered again, unless something newer is there or the group has moved on.
            for (partition, offset) in commit.offsets {
                process.uncommitted.entry(partition).or_insert(offset);
            }
        }
    }

    fn commit_all(&mut self, commit: &Commit) -> bool {
        let id = (self.members[commit.member].id, commit.generation);
        let group = &self.system.consumers[self.members[commit.member].consumer].subscription.group;
        for (&partition, &offset) in &commit.offsets {
            if self.broker.commit(group, id, partition, offset).is_err() {
                self.findings.refused_commits += 1;
                return false;
            }
        }
        true
    }
}
