//! A saga's past: its events and the state after each; and what is kept beside them, made anew from them alone.

use std::fmt;

use events::OrderId;
use messaging::store::{EventStore, StoreError, Unfinished};

use crate::saga::{Happened, Patience, Saga, SagaEvent, evolve};
use crate::stored::{self, Unreadable};
use crate::{Leg, Participant};

/// How often a stream that somebody appends to meanwhile is read anew.
const TRIES: u32 = 100;

/// An event, and the saga after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What happened.
    pub event: SagaEvent,
    /// What the saga was then.
    pub saga: Saga,
}

/// Why a saga's past was not told.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Its store is away.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One of its events makes no sense.
    #[error("order {order_id}: {unreadable}")]
    Unreadable {
        /// Whose.
        order_id: OrderId,
        /// Which, and why.
        unreadable: Unreadable,
    },
}

/// The moments of an order's saga, the first one first; none where it has not begun.
///
/// # Errors
/// Where the store is away, or an event makes no sense.
pub fn of(events: &dyn EventStore, order_id: &OrderId) -> Result<Vec<Moment>, Error> {
    let mut saga = None;
    let mut moments = Vec::new();
    for event in load(events, order_id)? {
        saga = evolve(saga, &event);
        moments.extend(saga.clone().map(|saga| Moment { event, saga }));
    }
    Ok(moments)
}

fn load(events: &dyn EventStore, order_id: &OrderId) -> Result<Vec<SagaEvent>, Error> {
    let unreadable = |unreadable| Error::Unreadable { order_id: order_id.clone(), unreadable };
    stored::read(&events.load(order_id)?).map_err(unreadable)
}

/// What was made anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Streams that were read.
    pub streams: u64,
    /// Sagas that have not ended.
    pub unfinished: Unfinished,
    /// Streams that nobody can read, each with its reason: they are left as they were.
    pub unreadable: Vec<String>,
}

/// Notes anew where each saga stands. Others may be at work meanwhile.
///
/// # Errors
/// [`StoreError::Away`], or [`StoreError::Conflict`] where a stream never comes to rest.
pub fn rebuild(events: &dyn EventStore, patience: &Patience) -> Result<Rebuilt, StoreError> {
    let mut rebuilt = Rebuilt::default();
    events.each_stream(&mut |order_id| {
        match restate(events, order_id, patience) {
            Err(Error::Store(error)) => return Err(error),
            Err(unreadable) => rebuilt.unreadable.push(unreadable.to_string()),
            Ok(()) => {}
        }
        rebuilt.streams += 1;
        Ok(())
    })?;
    rebuilt.unfinished = events.unfinished()?;
    Ok(rebuilt)
}

fn restate(events: &dyn EventStore, order_id: &OrderId, patience: &Patience) -> Result<(), Error> {
    for _ in 0..TRIES {
        let stream = load(events, order_id)?;
        let standing = stream.iter().fold(None, evolve).and_then(|saga: Saga| saga.standing(patience));
        match events.restate(order_id, stream.len(), standing) {
            Err(StoreError::Conflict) => {}
            restated => return Ok(restated?),
        }
    }
    Err(Error::Store(StoreError::Conflict))
}

/// What happened, in words.
impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |product: &Option<String>| product.as_deref().map_or_else(String::new, |id| format!(" {id}"));
        match self {
            Self::Began(order, _) => write!(f, "began: {} items for {}", order.items.len(), order.total()),
            Self::Asked(participant) => write!(f, "{participant} asked"),
            Self::Granted(participant, product) => write!(f, "{participant} granted{}", of(product)),
            Self::Refused(participant) => write!(f, "{participant} refused"),
            Self::GivenUp(participant) => write!(f, "{participant} given up: it never answered"),
            Self::Undoing(participant) => write!(f, "{participant} asked to undo"),
            Self::Undone(participant, product) => write!(f, "{participant} undone{}", of(product)),
            Self::Told(about) => write!(f, "customer told: {about}"),
            Self::Completed => f.write_str("completed"),
            Self::Failed => f.write_str("failed"),
        }
    }
}

impl fmt::Display for Participant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How far it is, in words.
impl fmt::Display for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => f.pad("idle"),
            Self::Asked(question) if question.times > 1 => f.pad(&format!("asked ({} times)", question.times)),
            Self::Asked(_) => f.pad("asked"),
            Self::Granted => f.pad("granted"),
            Self::Refused => f.pad("refused"),
            Self::Undoing(question) if question.times > 1 => f.pad(&format!("undoing ({} times)", question.times)),
            Self::Undoing(_) => f.pad("undoing"),
            Self::Undone => f.pad("undone"),
        }
    }
}

#[cfg(test)]
mod tests {
    use events::saga::{Item, Order, OrderValidated};
    use events::{Cents, Timestamp};
    use messaging::RetryPolicy;
    use messaging::store::{MemoryEvents, Standing};

    use super::*;
    use crate::saga::{Input, decide};

    const NOW: Timestamp = Timestamp::BASE;

    fn patience() -> Patience {
        Patience { retry: RetryPolicy::try_new(100, 200, 2).unwrap(), asks: 2 }
    }

    /// A store with one saga that has just begun, and where it is noted to stand.
    fn store(standing: Option<Standing>) -> (MemoryEvents, OrderId) {
        let items = vec![Item { product_id: "hat".into(), quantity: 2, price: Cents::new(500) }];
        let (order_id, customer_id) = (OrderId::parse("7f3a").unwrap(), "CUST-00042".into());
        let order = Order { order_id: order_id.clone(), customer_id, items, timestamp: NOW };
        let begun = decide(None, &Input::Validated(OrderValidated(order), None), NOW).unwrap();
        let (store, stored) = (MemoryEvents::default(), begun.iter().map(stored::store).collect::<Vec<_>>());
        store.append(&order_id, 0, &stored, standing).unwrap();
        (store, order_id)
    }

    #[test]
    fn a_sagas_past_is_told_event_by_event_with_the_state_after_each() {
        let (store, order_id) = store(None);
        let told: Vec<String> = of(&store, &order_id)
            .unwrap()
            .iter()
            .map(|Moment { event, saga }| {
                let leg = |participant| saga.leg(participant).to_string();
                format!("{}: {}, {}", event.happened, leg(Participant::Payment), leg(Participant::Inventory))
            })
            .collect();
        assert_eq!(
            told,
            ["began: 1 items for 10.00: idle, idle", "payment asked: asked, idle", "inventory asked: asked, asked"]
        );
        assert_eq!(of(&store, &OrderId::parse("other").unwrap()), Ok(Vec::new()));
    }

    #[test]
    fn where_sagas_stand_follows_from_their_events_alone() {
        for wrong in [None, Some(Standing { due_at: NOW, is_stuck: true })] {
            let (store, _) = store(wrong);
            let rebuilt = rebuild(&store, &patience()).unwrap();
            assert_eq!((rebuilt.streams, rebuilt.unfinished), (1, Unfinished { all: 1, stuck: 0 }));
            assert_eq!(store.due(NOW, NOW.plus_ms(60_000), 9), Ok(vec![]), "not due before its wait is over");
            assert_eq!(rebuild(&store, &patience()), Ok(rebuilt), "twice is as good as once");
        }
    }

    #[test]
    fn a_stream_that_nobody_can_read_is_told_and_left_as_it_was() {
        let (store, order_id) = store(None);
        let mut bad = store.load(&order_id).unwrap().remove(0);
        bad.event_type = "sold".into();
        store.append(&order_id, 3, &[bad], Some(Standing { due_at: NOW, is_stuck: true })).unwrap();
        let rebuilt = rebuild(&store, &patience()).unwrap();
        assert_eq!(rebuilt.unfinished, Unfinished { all: 1, stuck: 1 });
        assert!(rebuilt.unreadable[0].starts_with("order 7f3a: event 4, sold: "), "{rebuilt:?}");
        assert!(matches!(of(&store, &order_id), Err(Error::Unreadable { .. })));
    }
}
