//! The orchestrator as a service: a record in, what follows from it out, with the stream between.
//!
//! Load, decide, append, publish. No outbox: what is published is what the stream holds for this record, so a record that comes again,
//! because its service died between appending and publishing, publishes the same bytes.

use events::Event;
use events::saga::{
    Email, EmailRequested, InventoryRejected, InventoryReleased, InventoryReserved, Order, OrderCompleted, OrderFailed,
    OrderValidated, PaymentCompleted, PaymentFailed, PaymentRefunded, PaymentRequested, RefundRequested,
    ReleaseRequested, ReservationRequested, StatedOrder,
};
use messaging::{Context, Failure, Handler, Outgoing, Record};

use crate::Participant;
use crate::event_store::{EventStore, StoreError};
use crate::saga::{Happened, Input, Saga, SagaEvent, decide, evolve};

/// The service's name in `topology.json`.
pub const NAME: &str = "order_orchestrator";

/// How often a stream that others append to is read anew for one record; each time one of them has got further.
const TRIES: u32 = 100;

/// Brings each order to its end.
#[derive(Debug)]
pub struct OrderOrchestrator<S> {
    /// Where the sagas are.
    pub store: S,
}

impl<S: EventStore> Handler for OrderOrchestrator<S> {
    fn handle(&self, record: &Record<'_>, _: &Context<'_>) -> Result<Vec<Outgoing>, Failure> {
        self.take(&read(record)?)
    }
}

impl<S: EventStore> OrderOrchestrator<S> {
    /// Takes an input into its order's stream, and tells what is to be published for it.
    ///
    /// # Errors
    /// [`Failure::Reject`] where it has no place in the saga, [`Failure::Retry`] while the store is away.
    pub fn take(&self, input: &Input) -> Result<Vec<Outgoing>, Failure> {
        let away = |error: StoreError| Failure::Retry(error.to_string());
        let order_id = input.order_id();
        for _ in 0..TRIES {
            let mut stream = self.store.load(order_id).map_err(away)?;
            let saga = stream.iter().fold(None, evolve);
            let events = decide(saga.as_ref(), input).map_err(|refusal| Failure::Reject(refusal.to_string()))?;
            if !events.is_empty() {
                match self.store.append(order_id, stream.len(), &events) {
                    Err(StoreError::Conflict) => continue,
                    appended => appended.map_err(away)?,
                }
            }
            let Some(saga) = events.iter().fold(saga, evolve) else { return Ok(Vec::new()) };
            stream.extend(events);
            let cause = input.event_id();
            let caused = stream.iter().filter(|event| event.cause == cause);
            return Ok(caused.filter_map(|event| published(&saga, event)).collect());
        }
        Err(Failure::Retry(format!("order {order_id}: others appended {TRIES} times meanwhile")))
    }
}

/// What a record says, by its topic.
fn read(record: &Record<'_>) -> Result<Input, Failure> {
    Ok(match record.topic {
        OrderValidated::TOPIC => Input::Validated(record.decode()?),
        PaymentCompleted::TOPIC => Input::Charged(record.decode()?),
        PaymentFailed::TOPIC => Input::Declined(record.decode()?),
        PaymentRefunded::TOPIC => Input::Refunded(record.decode()?),
        InventoryReserved::TOPIC => Input::Reserved(record.decode()?),
        InventoryRejected::TOPIC => Input::Rejected(record.decode()?),
        InventoryReleased::TOPIC => Input::Released(record.decode()?),
        other => return Err(Failure::Reject(format!("topic: found {other}, and the saga reads none such"))),
    })
}

/// The record that tells others of an event. A question that is asked again is the same record again, so it has the order's time.
fn published(saga: &Saga, event: &SagaEvent) -> Option<Outgoing> {
    let order = saga.order();
    let question = || saga.payment(order.timestamp);
    let ended = || Order { timestamp: event.at, ..order.clone() };
    Some(match event.happened {
        Happened::Asked(Participant::Payment) => Outgoing::of(&PaymentRequested(question())),
        Happened::Undoing(Participant::Payment) => Outgoing::of(&RefundRequested(question())),
        Happened::Asked(Participant::Inventory) => Outgoing::of(&ReservationRequested(order.clone())),
        Happened::Undoing(Participant::Inventory) => Outgoing::of(&ReleaseRequested(order.clone())),
        Happened::Told(about) => Outgoing::of(&EmailRequested(Email {
            order_id: order.order_id.clone(),
            customer_id: order.customer_id.clone(),
            about,
            timestamp: event.at,
        })),
        Happened::Completed => Outgoing::of(&OrderCompleted(ended())),
        Happened::Failed => Outgoing::of(&OrderFailed(StatedOrder::from(&ended()))),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use events::saga::{Item, Stock};
    use events::{Cents, OrderId, Timestamp, Topic};

    use super::*;
    use crate::event_store::MemoryStore;

    const CONTEXT: Context<'_> = Context { service: NAME };

    fn order() -> Order {
        let items = vec![Item { product_id: "hat".into(), quantity: 2, price: Cents::new(500) }];
        let (order_id, customer_id) = (OrderId::parse("7f3a").unwrap(), "CUST-00042".into());
        Order { order_id, customer_id, items, timestamp: Timestamp::BASE }
    }

    fn stock() -> Stock {
        let timestamp = Timestamp::BASE.plus_ms(30);
        Stock { product_id: "hat".into(), quantity_reserved: 2, order_id: order().order_id, timestamp }
    }

    fn charged() -> Outgoing {
        let saga = evolve(None, &decide(None, &Input::Validated(OrderValidated(order()))).unwrap()[0]).unwrap();
        Outgoing::of(&PaymentCompleted(saga.payment(Timestamp::BASE.plus_ms(20))))
    }

    fn topics(outgoing: &[Outgoing]) -> Vec<&str> {
        outgoing.iter().map(|record| record.topic.as_str()).collect()
    }

    #[test]
    fn a_record_publishes_what_follows_from_it_and_the_same_bytes_when_it_comes_again() {
        let orchestrator = OrderOrchestrator { store: MemoryStore::default() };
        let validated = Outgoing::of(&OrderValidated(order()));
        let reserved = Outgoing::of(&InventoryReserved(stock()));
        for (record, expected) in [
            (&validated, vec!["payments.requested", "inventory.requested"]),
            (&charged(), vec![]),
            (&reserved, vec!["notifications.email", "orders.completed"]),
        ] {
            let first = orchestrator.handle(&record.as_record(), &CONTEXT).unwrap();
            assert_eq!(topics(&first), expected);
            for again in [&validated, record, record] {
                orchestrator.handle(&again.as_record(), &CONTEXT).unwrap();
            }
            assert_eq!(orchestrator.handle(&record.as_record(), &CONTEXT).unwrap(), first);
        }
    }

    #[test]
    fn a_question_that_is_asked_again_is_the_same_record_again() {
        let orchestrator = OrderOrchestrator { store: MemoryStore::default() };
        let first = orchestrator.handle(&Outgoing::of(&OrderValidated(order())).as_record(), &CONTEXT).unwrap();
        let order_id = order().order_id;
        let saga = orchestrator.store.load(&order_id).unwrap().iter().fold(None, evolve).unwrap();
        let patience = crate::saga::Patience { retry: messaging::RetryPolicy::try_new(9, 9, 3).unwrap(), asks: 2 };
        let (participant, at) = saga.due(&patience).unwrap();
        let again = orchestrator.take(&saga.overdue(participant, at, &patience).unwrap()).unwrap();
        assert_eq!(again.len(), 1);
        assert!(first.contains(&again[0]), "{again:?}");
    }

    #[test]
    fn a_declined_payment_comes_to_orders_failed_as_the_order_was() {
        let orchestrator = OrderOrchestrator { store: MemoryStore::default() };
        let saga = evolve(None, &decide(None, &Input::Validated(OrderValidated(order()))).unwrap()[0]).unwrap();
        let declined = Outgoing::of(&PaymentFailed(saga.payment(Timestamp::BASE)));
        let short = Outgoing::of(&InventoryRejected(stock()));
        let take = |record: &Outgoing| orchestrator.handle(&record.as_record(), &CONTEXT).unwrap();
        take(&Outgoing::of(&OrderValidated(order())));
        assert_eq!(take(&declined), []);
        let ended = take(&short);
        assert_eq!(topics(&ended), ["notifications.email", "orders.failed"]);
        let failed = OrderFailed::decode(&ended[1].value).unwrap();
        assert_eq!(failed.0, StatedOrder { timestamp: stock().timestamp, ..StatedOrder::from(&order()) });
    }

    #[test]
    fn what_cannot_be_read_or_has_no_place_is_rejected_with_the_reason() {
        let orchestrator = OrderOrchestrator { store: MemoryStore::default() };
        let rejected = |record: &Record<'_>| match orchestrator.handle(record, &CONTEXT).unwrap_err() {
            Failure::Reject(reason) => reason,
            Failure::Retry(reason) => panic!("{reason} would come again"),
        };
        let charged = charged();
        assert_eq!(rejected(&charged.as_record()), "order 7f3a: nothing was asked about it");
        let other = Record { topic: Topic::new("orders.created"), ..charged.as_record() };
        assert_eq!(rejected(&other), "topic: found orders.created, and the saga reads none such");
        let garbage = Record { value: Some(b"garbage"), ..charged.as_record() };
        assert!(rejected(&garbage).starts_with("value: found invalid JSON"), "{}", rejected(&garbage));
        for topic in [PaymentFailed::TOPIC, PaymentRefunded::TOPIC, InventoryReleased::TOPIC, OrderValidated::TOPIC] {
            assert!(!rejected(&Record { topic, ..charged.as_record() }).is_empty(), "{topic}");
        }
    }

    /// A store that others write to, and that is away at times.
    #[derive(Default)]
    struct Troubled {
        store: MemoryStore,
        conflicts: AtomicU32,
        is_away: bool,
    }

    impl EventStore for Troubled {
        fn load(&self, order_id: &OrderId) -> Result<Vec<SagaEvent>, StoreError> {
            self.store.load(order_id)
        }

        fn append(&self, order_id: &OrderId, version: usize, events: &[SagaEvent]) -> Result<(), StoreError> {
            if self.is_away {
                return Err(StoreError::Away("connection refused".into()));
            }
            if self.conflicts.load(Ordering::Relaxed) > 0 {
                self.conflicts.fetch_sub(1, Ordering::Relaxed);
                return Err(StoreError::Conflict);
            }
            self.store.append(order_id, version, events)
        }
    }

    #[test]
    fn a_stream_that_grew_is_read_again_and_a_store_that_is_away_is_asked_later() {
        let validated = Outgoing::of(&OrderValidated(order()));
        let with = |conflicts: u32, is_away| {
            let store = Troubled { conflicts: conflicts.into(), is_away, ..Troubled::default() };
            OrderOrchestrator { store }.handle(&validated.as_record(), &CONTEXT)
        };
        assert_eq!(with(3, false).unwrap().len(), 2);
        let reason = "order 7f3a: others appended 100 times meanwhile";
        assert_eq!(with(TRIES, false), Err(Failure::Retry(reason.into())));
        let reason = "the event store is away: connection refused";
        assert_eq!(with(0, true), Err(Failure::Retry(reason.into())));
    }

    #[test]
    fn a_stream_takes_events_only_behind_those_that_were_read() {
        let (store, order_id) = (MemoryStore::default(), order().order_id);
        let events = decide(None, &Input::Validated(OrderValidated(order()))).unwrap();
        assert_eq!(store.append(&order_id, 0, &events[..1]), Ok(()));
        assert_eq!(store.append(&order_id, 0, &events), Err(StoreError::Conflict));
        assert_eq!(store.append(&order_id, 1, &events[1..]), Ok(()));
        assert_eq!(store.load(&order_id), Ok(events));
    }
}
