//! One run: its state, and the loop that lets things happen in their order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use events::Topic;
use messaging::Subscription;
use messaging::audit::Observation;

use crate::broker::{self, Broker};
use crate::faults::{CrashPoint, Fault};
use crate::incident::{Incident, Log};
use crate::member::Member;
use crate::plan::Plan;
use crate::queue::{Event, Queue};
use crate::random::Random;
use crate::report::Stuck;
use crate::sabotage::Saboteur;
use crate::source::Source;
use crate::step::Dependency;
use crate::system::{Order, System};

/// How many members a group has.
pub(crate) const MEMBERS: usize = 2;
/// How long everything may take after the last fault, in virtual milliseconds.
pub(crate) const DRAIN_LIMIT_MS: u64 = 600_000;
/// How often a run looks whether everything has come to its end.
const CHECK_EVERY_MS: u64 = 500;

pub(crate) struct Run<'a> {
    pub(crate) system: &'a System,
    pub(crate) orders: &'a [Order],
    pub(crate) now_ms: u64,
    pub(crate) queue: Queue,
    pub(crate) random: Random,
    pub(crate) plan: Plan,
    pub(crate) saboteur: Saboteur,
    pub(crate) broker: Broker,
    pub(crate) source: Source,
    /// Those of a group stand together: [`MEMBERS`] for each.
    pub(crate) members: Vec<Member>,
    pub(crate) dependencies: Vec<Arc<Dependency>>,
    /// Until when what a group's handler needs is away.
    pub(crate) away_until_ms: Vec<u64>,
    /// The groups that read a topic, by index.
    pub(crate) readers: BTreeMap<Topic, Vec<usize>>,
    pub(crate) dead_letter_topics: BTreeSet<Topic>,
    /// Requests and commits on their way, and their answers.
    pub(crate) under_way: usize,
    pub(crate) run_id: Vec<u8>,
    pub(crate) findings: Findings,
}

/// What a run brings to light beyond the broker's topics.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) handled: Vec<Observation>,
    pub(crate) faults: BTreeMap<Fault, u64>,
    pub(crate) crashes: BTreeMap<CrashPoint, u64>,
    pub(crate) refused_commits: u64,
    pub(crate) stuck: Option<Stuck>,
    /// A handler wrote to a topic that the system does not have: the run makes no sense.
    pub(crate) broken: Option<broker::Error>,
    pub(crate) log: Log,
}

impl Run<'_> {
    /// Lets everything happen until nothing is left to do, or the time for it is over.
    pub(crate) fn play(&mut self) {
        (0..self.members.len()).for_each(|member| self.start(member));
        self.publish();
        let calm_at_ms = self.source.calm_at_ms(self.plan.is_calm(), &mut self.random);
        self.queue.push(calm_at_ms, Event::Calm);
        Fault::ALL.into_iter().for_each(|fault| self.plan_strike(fault));
        while let Some((at_ms, event)) = self.queue.pop().filter(|_| self.findings.broken.is_none()) {
            self.now_ms = at_ms;
            match event {
                Event::Send { order } => self.send_order(order),
                Event::Turn { member } => self.turn(member),
                Event::Handle { member, life } => self.handle(member, life),
                Event::Arrive(request) => self.arrive(request),
                Event::Answer { sender, is_written } => self.answer(sender, is_written),
                Event::Commit(commit) => self.arrive_commit(commit),
                Event::Restart { member, life } => self.restart(member, life),
                Event::Expire { member, joins } => self.expire(member, joins),
                Event::Strike(fault) => self.strike(fault),
                Event::Calm => self.calm(),
                Event::Check if self.is_drained() => break,
                Event::Check if self.now_ms > calm_at_ms + DRAIN_LIMIT_MS => {
                    self.findings.stuck = Some(Stuck { after_ms: DRAIN_LIMIT_MS, lag: self.lag() });
                    break;
                }
                Event::Check => self.queue.push(self.now_ms + CHECK_EVERY_MS, Event::Check),
            }
        }
    }

    /// Faults stop: who was cut off, slow or down is back within a second.
    fn calm(&mut self) {
        self.plan.calm();
        self.source.cut_off_until_ms = self.source.cut_off_until_ms.min(self.now_ms);
        self.away_until_ms.fill(0);
        for index in 0..self.members.len() {
            let at_ms = self.now_ms + self.random.within(1..=1_000);
            let member = &mut self.members[index];
            member.cut_off_until_ms = member.cut_off_until_ms.min(self.now_ms);
            member.slow_until_ms = 0;
            self.queue.push(at_ms, Event::Restart { member: index, life: member.life });
        }
        self.queue.push(self.now_ms, Event::Check);
    }

    fn is_drained(&self) -> bool {
        let is_idle = |member: &Member| member.process.as_ref().is_some_and(|process| process.is_idle());
        self.under_way == 0 && self.source.unacknowledged == 0 && self.members.iter().all(is_idle) && self.lag() == 0
    }

    /// Records that a group has not committed, over all groups.
    fn lag(&self) -> u64 {
        let mut lag = 0;
        for consumer in &self.system.consumers {
            let Subscription { group, topic, .. } = &consumer.subscription;
            let end_of = |partition| self.broker.end_offset(*topic, partition).ok();
            for (partition, end) in (0..).map_while(|partition| Some((partition, end_of(partition)?))) {
                let committed = self.broker.committed(group, partition).ok().flatten().unwrap_or(0);
                lag += end.saturating_sub(committed).unsigned_abs();
            }
        }
        lag
    }

    /// Writes a fault down.
    pub(crate) fn note(&mut self, incident: Incident) {
        *self.findings.faults.entry(incident.fault()).or_default() += 1;
        self.findings.log.push(self.now_ms, incident);
    }

    pub(crate) fn subscription(&self, member: usize) -> &Subscription {
        &self.system.consumers[self.members[member].consumer].subscription
    }

    /// Gives a member a turn no later than this.
    pub(crate) fn wake(&mut self, member: usize, at_ms: u64) {
        let due = &mut self.members[member].turn_at_ms;
        if due.is_none_or(|due_ms| at_ms < due_ms) {
            *due = Some(at_ms);
            self.queue.push(at_ms, Event::Turn { member });
        }
    }
}
