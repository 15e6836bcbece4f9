use std::borrow::Cow;
use std::sync::Arc;

use events::Topic;
use xxhash_rust::xxh3::xxh3_64;

use crate::{Outgoing, Record};

/// What a system tells the audit.
pub trait Flow: Send + Sync {
    /// Whether orders enter by this topic: a record that stands there takes its order in.
    fn takes_in(&self, topic: Topic) -> bool;

    /// The id of the order that a record is about, also where its value cannot be decoded; `None` where nothing tells. Most systems
    /// have it as their records' key.
    fn order_id<'a>(&self, _: Topic, key: Option<&'a [u8]>, _value: Option<&'a [u8]>) -> Option<Cow<'a, [u8]>> {
        key.map(Cow::Borrowed)
    }

    /// The mark that a written record leaves on its order; `None` where it cannot be decoded, or has the key of another order.
    fn written(&self, record: &Record<'_>) -> Option<Mark>;

    /// The same for a record that the caller has just encoded, so that it need not be decoded as a stranger's must.
    fn encoded(&self, record: &Outgoing) -> Option<Mark> {
        self.written(&record.as_record())
    }

    /// The mark that a service which writes nothing leaves when it has handled a record of `topic`; `None` for services whose
    /// writing proves it.
    fn handled(&self, service: &str, topic: Topic) -> Option<Mark>;

    /// How far an order with these marks is.
    fn stage(&self, marks: Marks) -> Stage;

    /// Whether an order that ended with these marks may have another record with that one, which nobody had seen: because it comes
    /// late, or because there are several of its kind. Whether it still counts as ended, [`Flow::stage`] says then.
    fn may_follow(&self, _marks: Marks, _mark: Mark) -> bool {
        false
    }

    /// A mark in words, for a person who looks for a lost order.
    fn describe(&self, mark: Mark) -> &'static str;
}

impl<F: Flow + ?Sized> Flow for Arc<F> {
    fn takes_in(&self, topic: Topic) -> bool {
        (**self).takes_in(topic)
    }

    fn order_id<'a>(&self, topic: Topic, key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Option<Cow<'a, [u8]>> {
        (**self).order_id(topic, key, value)
    }

    fn written(&self, record: &Record<'_>) -> Option<Mark> {
        (**self).written(record)
    }

    fn encoded(&self, record: &Outgoing) -> Option<Mark> {
        (**self).encoded(record)
    }

    fn handled(&self, service: &str, topic: Topic) -> Option<Mark> {
        (**self).handled(service, topic)
    }

    fn stage(&self, marks: Marks) -> Stage {
        (**self).stage(marks)
    }

    fn may_follow(&self, marks: Marks, mark: Mark) -> bool {
        (**self).may_follow(marks, mark)
    }

    fn describe(&self, mark: Mark) -> &'static str {
        (**self).describe(mark)
    }
}

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A record that it must have is missing.
    Open,
    /// It has its one end and everything it must have.
    Ended,
    /// It has two ends that exclude each other.
    Contradictory,
}

/// An order in the audit's memory: the 64-bit xxh3 of its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey(u64);

impl OrderKey {
    /// The key of an order id's bytes.
    pub fn of(order_id: &[u8]) -> Self {
        Self(xxh3_64(order_id))
    }
}

/// Something that was seen of an order: a bit of [`Marks`], 0 to 31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u8);

impl Mark {
    /// The mark of this number.
    ///
    /// # Panics
    /// Above 31; marks are constants, so that is a compile-time error.
    pub const fn new(bit: u8) -> Self {
        assert!(bit < 32, "a mark is a number from 0 to 31");
        Self(bit)
    }
}

/// All that was seen of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Marks(u32);

impl Marks {
    /// Nothing yet.
    pub const NONE: Self = Self(0);

    /// These marks and one more.
    #[must_use]
    pub const fn with(self, mark: Mark) -> Self {
        Self(self.0 | 1 << mark.0)
    }

    /// Whether this was seen.
    pub const fn has(self, mark: Mark) -> bool {
        self.0 & 1 << mark.0 != 0
    }

    /// Whether all of these were seen.
    pub fn has_all(self, marks: &[Mark]) -> bool {
        marks.iter().all(|&mark| self.has(mark))
    }

    /// The marks, one by one.
    pub fn iter(self) -> impl Iterator<Item = Mark> {
        (0..32).map(Mark).filter(move |&mark| self.has(mark))
    }
}
