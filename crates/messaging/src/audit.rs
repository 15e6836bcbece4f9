//! The audit: was anything lost, was anything doubled?
//!
//! One implementation for every host. It is fed [`Observation`]s, as things happen or from topics read afterwards, and
//! knows of a system only what its [`Flow`] says: which marks a record leaves on an order, and which marks end one. It
//! streams: an open order costs a few hundred bytes, a closed one about seventy, up to a limit that its host sets.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use events::OrderId;

use crate::{Origin, Place, Record};
pub use flow::{Flow, Mark, Marks, OrderKey, Stage};
pub use observation::{Entrance, Observation, Written};
use orders::{Closed, Seen};
pub use reading::{Reading, Told};
pub use trouble::Trouble;
pub use verdict::{Drained, Verdict};

mod flow; // what a system tells the audit
mod observation; // what a host tells the audit
mod orders; // what is remembered of open and closed orders
mod reading; // what a record that stands in a topic tells
mod trouble; // what went other than hoped, as it comes
mod verdict; // what the audit found

/// Feed it; then ask for its verdict.
pub struct Audit<F> {
    flow: F,
    max_orders: usize,
    open: orders::Map<Order>,
    closed: Closed,
    /// What became of orders, by the marks they ended with.
    tally: BTreeMap<Marks, u64>,
    rejected: BTreeSet<Origin>,
    dead_letters: BTreeMap<Origin, Letter>,
    /// Of orders that entered by several records all of these: where they are not the same, one may go on, and the others have the id of another
    /// order.
    entrances: BTreeMap<OrderKey, Vec<Entrance>>,
    digest: u128,
    counts: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    accepted: u64,
    ended: u64,
    dead_lettered: u64,
    doubled: u64,
    redelivered: u64,
    unexpected: u64,
    /// Records by which orders entered that had entered before.
    entrances: u64,
}

struct Order {
    id: OrderId,
    accepted_us: u64,
    marks: Marks,
    open_letters: OpenLetters,
    is_dead: bool,
    seen: Vec<Seen>,
    /// The first record by which it entered, if its host tells of those.
    entrance: Option<Entrance>,
}

/// How many records of an order were given up and not redriven.
#[derive(Clone, Copy, Debug, Default)]
struct OpenLetters {
    /// Of those by which it entered.
    entrances: u32,
    others: u32,
}

/// A dead letter that stands.
struct Letter {
    /// The order that it is of, where that is told.
    order: Option<OrderKey>,
    /// Whether its record was written once more.
    is_redriven: bool,
}

/// Whether records by which one order entered are not the same. One that nobody can decode is like no other.
fn is_contested(entrances: Option<&Vec<Entrance>>) -> bool {
    let Some([first, others @ ..]) = entrances.map(Vec::as_slice) else { return false };
    first.content.is_none() || others.iter().any(|other| other.content != first.content)
}

/// What became of an order's case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// It is closed: the order has come to its end.
    Ended {
        /// When it was accepted, in microseconds of the host's clock; 0 where that is not known.
        accepted_us: u64,
        /// Whether it was closed before, because a record was given up that had ended it all the same.
        was_closed: bool,
    },
    /// It is closed: one of its records went to a dead letter.
    GivenUp,
    /// It is open again: what was given up was redriven.
    Reopened,
}

/// The audit cannot go on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More orders than its memory is meant for, or records by which they entered once more.
    #[error("the audit remembers {0} orders at most, about 70 bytes each: split the run")]
    TooManyOrders(usize),
    /// More records given up than its memory is meant for.
    #[error("more than {0} records were given up: look at the dead-letter topics, and at what writes the records")]
    TooManyDeadLetters(usize),
}

impl OpenLetters {
    fn count(&mut self, enters: bool) -> &mut u32 {
        if enters { &mut self.entrances } else { &mut self.others }
    }
}

impl<F: Flow> Audit<F> {
    /// An audit that has seen nothing, and will remember `max_orders` orders and as many given-up records.
    pub fn new(flow: F, max_orders: usize) -> Self {
        Self {
            flow,
            max_orders,
            open: orders::Map::default(),
            closed: Closed::default(),
            tally: BTreeMap::new(),
            rejected: BTreeSet::new(),
            dead_letters: BTreeMap::new(),
            entrances: BTreeMap::new(),
            digest: 0,
            counts: Counts::default(),
        }
    }

    /// Takes in what happened; answers with what became of the order's case, if that changed. An order is accepted before anything else is
    /// said of it: what comes earlier is unexpected.
    ///
    /// # Errors
    /// Where its memory would grow beyond its limit.
    pub fn observe(&mut self, observation: Observation) -> Result<Option<Case>, Error> {
        match observation {
            Observation::Accepted { order_id, at_us } => return self.accept(order_id, at_us).map(|()| None),
            Observation::Entered { order_id, entrance } => return self.enter(order_id, entrance).map(|()| None),
            Observation::Written(written) => return Ok(self.write(written)),
            Observation::Handled { order, mark } => return Ok(self.mark(order, mark)),
            Observation::Rejected { origin } => {
                self.rejected.insert(origin);
                self.check_dead_letters()?;
            }
            Observation::DeadLettered { origin, order } => {
                let place = origin.place();
                // A dead letter may stand twice, as any record may.
                let Entry::Vacant(entry) = self.dead_letters.entry(origin) else { return Ok(None) };
                entry.insert(Letter { order, is_redriven: false });
                self.check_dead_letters()?;
                return Ok(order.and_then(|order| self.give_up(order, place)));
            }
            Observation::Redriven { origin } => return Ok(self.redrive(&origin)),
        }
        Ok(None)
    }

    fn check_dead_letters(&self) -> Result<(), Error> {
        let known = self.rejected.len().max(self.dead_letters.len());
        if known > self.max_orders { Err(Error::TooManyDeadLetters(self.max_orders)) } else { Ok(()) }
    }

    fn accept(&mut self, order_id: OrderId, at_us: u64) -> Result<(), Error> {
        let key = OrderKey::of(order_id.as_str().as_bytes());
        if self.knows(key) {
            self.counts.doubled += 1; // the same order taken in twice
            return Ok(());
        }
        self.remember(key, order_id, at_us)
    }

    /// The record of an order may stand twice, as any record may. Another one with its id is what its dead letter says.
    fn enter(&mut self, order_id: OrderId, entrance: Entrance) -> Result<(), Error> {
        let key = OrderKey::of(order_id.as_str().as_bytes());
        if !self.knows(key) {
            self.remember(key, order_id, 0)?;
        }
        let Some(order) = self.open.get_mut(&key) else { return Ok(()) };
        let first = *order.entrance.get_or_insert(entrance);
        if first.place != entrance.place {
            self.entrances.entry(key).or_insert_with(|| vec![first]).push(entrance);
            self.counts.entrances += 1;
            if self.counts.entrances > self.max_orders as u64 {
                return Err(Error::TooManyOrders(self.max_orders));
            }
        }
        Ok(())
    }

    fn knows(&self, key: OrderKey) -> bool {
        self.open.contains_key(&key) || self.closed.contains(key)
    }

    fn remember(&mut self, key: OrderKey, order_id: OrderId, at_us: u64) -> Result<(), Error> {
        if self.open.len() + self.closed.len() >= self.max_orders {
            return Err(Error::TooManyOrders(self.max_orders));
        }
        self.counts.accepted += 1;
        let seen = Vec::with_capacity(4);
        let order = Order {
            id: order_id,
            accepted_us: at_us,
            marks: Marks::NONE,
            open_letters: OpenLetters::default(),
            is_dead: false,
            seen,
            entrance: None,
        };
        self.open.insert(key, order);
        Ok(())
    }

    fn write(&mut self, written: Written) -> Option<Case> {
        let seen = Seen::of(written.event_id, written.content);
        let of_order = match self.open.get_mut(&written.order) {
            // What becomes of its entrances tells.
            Some(order)
                if written.enters
                    && order.marks.has(written.mark)
                    && is_contested(self.entrances.get(&written.order)) =>
            {
                return None;
            }
            Some(order) => &order.seen,
            None if self.closed.contains(written.order) => self.closed.seen(written.order),
            None => {
                self.counts.unexpected += 1;
                return None;
            }
        };
        match seen.among(of_order) {
            orders::Sighting::Again => self.counts.redelivered += 1,
            orders::Sighting::OtherBytes => self.counts.doubled += 1,
            orders::Sighting::First => {
                self.digest = self.digest.wrapping_add(written.content);
                let Some(order) = self.open.get_mut(&written.order) else {
                    self.follow(written, seen);
                    return None;
                };
                order.seen.push(seen);
                return self.mark(written.order, written.mark);
            }
        }
        None
    }

    /// A record of an order that has ended.
    fn follow(&mut self, Written { order, mark, .. }: Written, seen: Seen) {
        let Some(before) = self.closed.marks(order) else { return };
        let marks = before.with(mark);
        if !self.flow.may_follow(before, mark) || self.flow.stage(marks) == Stage::Contradictory {
            // No ended order has such a record: a second end, or one from nowhere.
            self.counts.doubled += 1;
            return;
        }
        self.closed.follow(order, seen, marks);
        self.tally.entry(before).and_modify(|count| *count -= 1);
        *self.tally.entry(marks).or_default() += 1;
    }

    fn mark(&mut self, key: OrderKey, mark: Mark) -> Option<Case> {
        let Some(order) = self.open.get_mut(&key) else {
            self.counts.unexpected += u64::from(!self.closed.contains(key));
            return None;
        };
        if order.marks.has(mark) {
            return None;
        }
        let before = self.flow.stage(order.marks);
        order.marks = order.marks.with(mark);
        match self.flow.stage(order.marks) {
            Stage::Open => None,
            Stage::Contradictory => {
                // Once an order, whatever else arrives of it.
                self.counts.doubled += u64::from(before != Stage::Contradictory);
                None
            }
            // A dead order stays open, so that what still comes of it is seen; its case was closed before.
            Stage::Ended if order.is_dead => None,
            Stage::Ended => self.end(key, false),
        }
    }

    fn end(&mut self, key: OrderKey, was_closed: bool) -> Option<Case> {
        let order = self.open.remove(&key)?;
        self.counts.ended += 1;
        *self.tally.entry(order.marks).or_default() += 1;
        self.closed.insert(key, &order.seen, order.marks);
        Some(Case::Ended { accepted_us: order.accepted_us, was_closed })
    }

    /// By a dead letter of the record at `place`.
    fn give_up(&mut self, key: OrderKey, place: Place) -> Option<Case> {
        let enters = self.flow.takes_in(place.0);
        if let Some(entrances) = self.entrances.get_mut(&key).filter(|_| enters) {
            let of_record = entrances.iter_mut().filter(|entrance| entrance.place == place);
            of_record.for_each(|entrance| entrance.has_dead_letter = true);
        }
        let order = self.open.get_mut(&key)?;
        *order.open_letters.count(enters) += 1;
        self.weigh(key)
    }

    /// The record of a dead letter was written once more: what becomes of that one counts.
    fn redrive(&mut self, origin: &Origin) -> Option<Case> {
        let letter = self.dead_letters.get_mut(origin).filter(|letter| !letter.is_redriven)?;
        letter.is_redriven = true;
        let key = letter.order?;
        let count = self.open.get_mut(&key)?.open_letters.count(self.flow.takes_in(origin.topic));
        *count = count.saturating_sub(1);
        self.weigh(key)
    }

    /// Whether anything further is expected of an order, now that a record of it was given up or redriven. One that entered by another
    /// record, too, goes on, be that another order's or the same once more.
    fn weigh(&mut self, key: OrderKey) -> Option<Case> {
        let of_another = |entrances: &Vec<Entrance>| entrances.iter().any(|entrance| !entrance.has_dead_letter);
        let goes_on = self.entrances.get(&key).is_some_and(of_another);
        let order = self.open.get_mut(&key)?;
        let OpenLetters { entrances, others } = order.open_letters;
        let (was_dead, is_dead) = (order.is_dead, others > 0 || entrances > 0 && !goes_on);
        order.is_dead = is_dead;
        match (was_dead, is_dead) {
            (false, true) => {
                self.counts.dead_lettered += 1;
                Some(Case::GivenUp)
            }
            (true, false) => {
                self.counts.dead_lettered -= 1;
                let has_ended = self.flow.stage(order.marks) == Stage::Ended;
                if has_ended { self.end(key, true) } else { Some(Case::Reopened) }
            }
            _ => None,
        }
    }

    /// Whether a group has given a record up, as far as is known: then its committed offset beyond the record does not say that it has handled it.
    pub fn was_given_up(&self, group: &str, record: &Record<'_>) -> bool {
        !self.dead_letters.is_empty() && self.dead_letters.contains_key(&Origin::of(group, record))
    }

    /// How many orders were accepted.
    pub fn accepted(&self) -> u64 {
        self.counts.accepted
    }

    /// How many orders were accepted and are neither ended nor given up.
    pub fn in_flight(&self) -> u64 {
        self.counts.accepted - self.counts.ended - self.counts.dead_lettered
    }

    /// What went other than hoped so far: cheap enough to be asked after each observation.
    pub fn trouble(&self) -> Trouble {
        let Counts { redelivered, doubled, unexpected, .. } = self.counts;
        Trouble { given_up: self.dead_letters.len() as u64, redelivered, doubled, unexpected }
    }

    /// What became of the orders: how many have which marks. Those without an end are counted with the marks they have.
    pub fn tally(&self) -> BTreeMap<Marks, u64> {
        let mut tally: BTreeMap<Marks, u64> =
            self.tally.iter().filter(|(_, count)| **count > 0).map(|(m, c)| (*m, *c)).collect();
        for order in self.open.values() {
            *tally.entry(order.marks).or_default() += 1;
        }
        tally
    }

    /// The verdict on all that was observed.
    pub fn verdict(&self, state: Drained) -> Verdict {
        // Orders that had ended, and of which something followed that is not yet made good.
        let is_open = |(marks, _): &(&Marks, &u64)| self.flow.stage(**marks) != Stage::Ended;
        let reopened: u64 = self.tally.iter().filter(is_open).map(|(_, count)| count).sum();
        let without_end = self.in_flight() + reopened;
        // A record that was given up and has no dead letter is lost, whatever else its order has.
        let without_dead_letter = self.without_dead_letter().count() as u64;
        let taken_twice = self.taken_twice().count() as u64;
        let (lost, doubled, unfinished) = match state {
            Drained::Yes => (without_end + without_dead_letter, taken_twice, 0),
            Drained::No => (0, 0, without_end + without_dead_letter + taken_twice),
        };
        Verdict {
            accepted: self.counts.accepted,
            ended: self.counts.ended - reopened,
            lost,
            doubled: self.counts.doubled + doubled,
            redelivered: self.counts.redelivered,
            dead_lettered: self.counts.dead_lettered,
            unfinished,
            unexpected: self.counts.unexpected,
            digest: self.digest,
            examples: self.examples(),
        }
    }

    /// Records that were given up and have no dead letter.
    fn without_dead_letter(&self) -> impl Iterator<Item = &Origin> {
        self.rejected.iter().filter(|origin| !self.dead_letters.contains_key(origin))
    }

    /// Records by which an order entered whose id another one has, and which were not given up: of each order all but one.
    fn taken_twice(&self) -> impl Iterator<Item = &Entrance> {
        self.entrances.values().flat_map(|entrances| {
            let mut contents: Vec<&Entrance> = Vec::new();
            for entrance in entrances.iter().filter(|entrance| entrance.content.is_some() && !entrance.has_dead_letter)
            {
                if contents.iter().all(|other| other.content != entrance.content) {
                    contents.push(entrance);
                }
            }
            contents.into_iter().skip(1)
        })
    }

    fn examples(&self) -> Vec<String> {
        const SHOWN: usize = 5;
        // The map's order is unspecified: sorted, a verdict is the same in every run.
        let mut open: Vec<&Order> = self.open.values().filter(|order| !order.is_dead).collect();
        open.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        let orders = open.into_iter().map(|order| {
            let seen: Vec<&str> = order.marks.iter().map(|mark| self.flow.describe(mark)).collect();
            format!("order {}: seen {}", order.id, if seen.is_empty() { "nothing".into() } else { seen.join(", ") })
        });
        let rejected = self.without_dead_letter().map(|origin| {
            format!(
                "{}-{}@{}: given up by {} without a dead letter",
                origin.topic, origin.partition, origin.offset, origin.group
            )
        });
        let twice = self.taken_twice().map(|Entrance { place: (topic, partition, offset), .. }| {
            format!("{topic}-{partition}@{offset}: came in with the id of another order, and has no dead letter")
        });
        orders.chain(rejected).chain(twice).take(SHOWN).collect()
    }
}

#[cfg(test)]
mod tests;
