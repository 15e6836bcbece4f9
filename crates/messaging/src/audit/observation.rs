use events::{EventId, OrderId};

use super::{Flow, Mark, OrderKey};
use crate::record::content;
use crate::{Origin, Outgoing, Place, Record, Subscription};

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Observation {
    /// An order was taken in: from now on it must come to its end.
    Accepted {
        /// The order.
        order_id: OrderId,
        /// When, in microseconds of the host's clock: what its latency is counted from.
        at_us: u64,
    },
    /// A record of an order stands where orders enter: it was taken in, unless that was said before. When is not known.
    Entered {
        /// The order.
        order_id: OrderId,
        /// The record.
        entrance: Entrance,
    },
    /// A record stands in a topic.
    Written(Written),
    /// A group that writes nothing has handled a record.
    Handled {
        /// The order.
        order: OrderKey,
        /// What [`Flow::handled`] says of it.
        mark: Mark,
    },
    /// A group gave a record up: there must be a dead letter of it.
    Rejected {
        /// Which record, and whose.
        origin: Origin,
    },
    /// A dead letter stands in its topic; or its group keeps none, and skips the record.
    DeadLettered {
        /// Which record it is of.
        origin: Origin,
        /// The order, where the record tells; nothing further is expected of it, unless it entered by another record, too.
        order: Option<OrderKey>,
    },
    /// The record of a dead letter that stands was written once more: its order goes on.
    Redriven {
        /// Which record the dead letter is of.
        origin: Origin,
    },
}

impl Observation {
    /// What it means that a service has handled a record; nothing where its writing proves it.
    pub fn handled(flow: &dyn Flow, service: &str, record: &Record<'_>) -> Option<Self> {
        let mark = flow.handled(service, record.topic)?;
        Some(Self::Handled { order: order_of(flow, record)?, mark })
    }

    /// What a dead letter with this key and value means: its order is the one that the original record was about.
    pub fn dead_lettered(flow: &dyn Flow, origin: Origin, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        let order = flow.order_id(origin.topic, key, value).map(|id| OrderKey::of(&id));
        Self::DeadLettered { origin, order }
    }

    /// What it means that a group gives a record up.
    pub fn rejected(flow: &dyn Flow, group: &Subscription, record: &Record<'_>) -> Self {
        let origin = Origin::of(&group.group, record);
        match group.dead_letter {
            Some(_) => Self::Rejected { origin },
            None => Self::dead_lettered(flow, origin, record.key, record.value),
        }
    }
}

/// A record by which an order entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entrance {
    pub(super) place: Place,
    /// What stands there; `None` where nobody can decode it.
    pub(super) content: Option<u128>,
    pub(super) has_dead_letter: bool,
}

impl Entrance {
    /// The record, and what is written there if it can be decoded.
    pub(super) fn of(record: &Record<'_>, written: Option<&Written>) -> Self {
        let content = written.map(|written| written.content);
        Self { place: (record.topic, record.partition, record.offset), content, has_dead_letter: false }
    }
}

/// A record that stands in a topic, reduced to what the audit needs of it.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    pub(super) order: OrderKey,
    pub(super) mark: Mark,
    pub(super) event_id: EventId,
    pub(super) content: u128,
    /// Whether it stands where orders enter.
    pub(super) enters: bool,
}

impl Written {
    /// Reduces a record; `None` where its flow cannot decode it.
    pub fn of(flow: &dyn Flow, record: &Record<'_>, event_id: EventId) -> Option<Self> {
        let (order, mark) = (order_of(flow, record)?, flow.written(record)?);
        let content = content(record.topic, record.key?, record.value?);
        Some(Self { order, mark, event_id, content, enters: flow.takes_in(record.topic) })
    }

    /// Reduces a record that the caller has just encoded.
    pub fn encoded(flow: &dyn Flow, outgoing: &Outgoing) -> Option<Self> {
        let Outgoing { topic, key, value, event_id } = outgoing;
        let (order, mark) = (order_of(flow, &outgoing.as_record())?, flow.encoded(outgoing)?);
        let (content, enters) = (content(*topic, key, value), flow.takes_in(*topic));
        Some(Self { order, mark, event_id: *event_id, content, enters })
    }
}

fn order_of(flow: &dyn Flow, record: &Record<'_>) -> Option<OrderKey> {
    flow.order_id(record.topic, record.key, record.value).map(|id| OrderKey::of(&id))
}
