//! How members come and go, and the faults that last.

use std::sync::Arc;

use messaging::Clock;

use crate::broker::Assignment;
use crate::faults::{CrashPoint, Fault};
use crate::incident::{Incident, Party};
use crate::member::{Member, Process};
use crate::queue::Event;
use crate::run::{MEMBERS, Run};
use crate::sabotage::Sabotage;
use crate::step::Step;
use crate::turn::SESSION_MS;

impl Run<'_> {
    /// Starts a member with nothing but what its group has committed.
    pub(crate) fn start(&mut self, member: usize) {
        let Member { consumer, clock, .. } = &self.members[member];
        let declared = &self.system.consumers[*consumer];
        let step = Step {
            inner: (declared.new_step)(Arc::clone(clock) as Arc<dyn Clock>),
            dependency: Arc::clone(&self.dependencies[*consumer]),
            clock_in_payload: self.saboteur.is(Sabotage::ClockInPayload).then(|| Arc::clone(clock)),
        };
        let process = Process::new(declared.subscription.clone(), step, Arc::clone(clock));
        self.members[member].process = Some(process);
        if !self.is_cut_off(Party::Member(member)) {
            self.join(member);
        }
        self.wake(member, self.now_ms);
    }

    /// Joins the group, which then shares its partitions anew: the other member learns of it at its next turn.
    pub(crate) fn join(&mut self, member: usize) -> Option<Assignment> {
        let Member { consumer, id, .. } = self.members[member];
        let subscription = &self.system.consumers[consumer].subscription;
        let assignment = self.broker.join(&subscription.group, subscription.topic, id).ok()?;
        self.members[member].joins += 1;
        self.wake_group(consumer);
        Some(assignment)
    }

    fn wake_group(&mut self, consumer: usize) {
        for member in consumer * MEMBERS..(consumer + 1) * MEMBERS {
            let at_ms = self.now_ms + self.random.within(1..=50);
            self.wake(member, at_ms);
        }
    }

    /// Whether the member dies here; if so, it is done.
    pub(crate) fn crashes(&mut self, member: usize, point: CrashPoint) -> bool {
        let crashes = self.plan.strikes(Fault::Crash);
        if crashes {
            self.crash(member, point);
        }
        crashes
    }

    pub(crate) fn crash(&mut self, member: usize, point: CrashPoint) {
        self.note(Incident::Crash { member, point });
        *self.findings.crashes.entry(point).or_default() += 1;
        let down_ms = self.plan.length_ms(100..=6_000);
        self.die(member, down_ms);
    }

    fn die(&mut self, index: usize, down_ms: u64) {
        let member = &mut self.members[index];
        member.process = None;
        member.turn_at_ms = None;
        member.life += 1;
        self.queue.push(self.now_ms + down_ms, Event::Restart { member: index, life: member.life });
        self.expect_expiry(index);
    }

    pub(crate) fn restart(&mut self, member: usize, life: u32) {
        let Member { life: current, process, .. } = &self.members[member];
        if *current == life && process.is_none() {
            self.start(member);
        }
    }

    pub(crate) fn expect_expiry(&mut self, member: usize) {
        let joins = self.members[member].joins;
        self.queue.push(self.now_ms + SESSION_MS, Event::Expire { member, joins });
    }

    /// A member that was silent for a session's length is taken out of its group.
    pub(crate) fn expire(&mut self, index: usize, joins: u32) {
        let member = &self.members[index];
        if member.joins == joins && member.is_silent(self.now_ms) {
            let consumer = member.consumer;
            let group = &self.system.consumers[consumer].subscription.group;
            if self.broker.leave(group, member.id).is_ok() {
                self.wake_group(consumer);
            }
        }
    }

    /// Plans when a lasting fault strikes next.
    pub(crate) fn plan_strike(&mut self, fault: Fault) {
        if let Some(wait_ms) = self.plan.wait_ms(fault) {
            self.queue.push(self.now_ms + wait_ms, Event::Strike(fault));
        }
    }

    pub(crate) fn strike(&mut self, fault: Fault) {
        if self.plan.is_calm() {
            return;
        }
        let member = self.plan.random().index(self.members.len());
        let Some(consumer) = self.members.get(member).map(|member| member.consumer) else { return };
        match fault {
            Fault::Slow => {
                let for_ms = self.plan.length_ms(1_000..=6_000);
                self.members[member].slow_until_ms = self.now_ms + for_ms;
                self.note(Incident::Slow { member, for_ms });
            }
            Fault::Dead => {
                let for_ms = self.plan.length_ms(3_000..=15_000);
                self.note(Incident::Dead { consumer, for_ms });
                self.shut_down(consumer, for_ms);
            }
            Fault::Partition => self.cut_off(member),
            Fault::ClockJump => {
                let far_ms = self.plan.random().one_of([100, 5_000, 172_800_000]);
                let by_ms = self.plan.length_ms(1..=2 * far_ms).cast_signed() - far_ms.cast_signed();
                self.members[member].clock.jump(by_ms);
                self.note(Incident::ClockJump { member, by_ms });
            }
            Fault::Transient => {
                let for_ms = self.plan.length_ms(500..=6_000);
                self.away_until_ms[consumer] = self.now_ms + for_ms;
                self.note(Incident::Transient { consumer, for_ms });
            }
            _ => {}
        }
        self.plan_strike(fault);
    }

    /// Every member of a service dies, whatever its group.
    fn shut_down(&mut self, consumer: usize, down_ms: u64) {
        let service_of = |consumer: usize| &self.system.consumers[consumer].subscription.service;
        let is_hit = |index: &usize| service_of(self.members[*index].consumer) == service_of(consumer);
        let hit: Vec<usize> = (0..self.members.len()).filter(is_hit).collect();
        hit.into_iter().for_each(|member| self.die(member, down_ms));
    }

    /// A member, or one time in six the source, is cut off from the broker.
    fn cut_off(&mut self, member: usize) {
        let for_ms = self.plan.length_ms(200..=8_000);
        let until_ms = self.now_ms + for_ms;
        let party = if self.plan.random().below(6) == 0 { Party::Source } else { Party::Member(member) };
        match party {
            Party::Source => self.source.cut_off_until_ms = until_ms,
            Party::Member(member) => {
                self.members[member].cut_off_until_ms = until_ms;
                self.expect_expiry(member);
            }
        }
        self.note(Incident::Partition { party, for_ms });
    }
}
