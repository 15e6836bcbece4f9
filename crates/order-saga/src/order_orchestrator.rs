//! The orchestrator as a service: a record in, what follows from it out, with the stream between.
//!
//! Load, decide, append, publish. No outbox: what is published is what the stream holds for this record, so a record that comes again,
//! because its service died between appending and publishing, publishes the same bytes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use events::saga::{
    Email, EmailRequested, InventoryRejected, InventoryReleased, InventoryReserved, Order, OrderCompleted, OrderFailed,
    OrderValidated, PaymentCompleted, PaymentFailed, PaymentRefunded, PaymentRequested, RefundRequested,
    ReleaseRequested, ReservationRequested,
};
use events::{Event, OrderId, Timestamp};
use messaging::store::{EventStore, StoreError, StoredEvent};
use messaging::{Clock, Context, Due, Failure, Handler, Outgoing, RUN, Record};

use crate::Participant;
use crate::saga::{Happened, Input, Patience, Saga, SagaEvent, advance, evolve};
use crate::stored::{self, moment};

/// The service's name in `topology.json`.
pub const NAME: &str = "order_orchestrator";

/// How often a stream that others append to is read anew for one record; each time one of them has got further.
const TRIES: u32 = 100;

/// How often overdue answers are looked for, in milliseconds.
const LOOK_EVERY_MS: u64 = 100;

/// How many overdue sagas one look takes on; the next look takes the others.
const OVERDUE_AT_ONCE: usize = 500;

/// How much is remembered of open sagas, about. What is beyond that is read from the store again.
const MAX_KNOWN_BYTES: usize = 25 << 20;

/// Brings each order to its end.
pub struct OrderOrchestrator {
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    /// Open sagas as this instance left them, each with its stream's length: only if that still holds is anything appended.
    known: Mutex<Known>,
    /// Sagas whose overdue answer this instance has dealt with, since and until when it leaves them alone: clocks that disagree would
    /// have two instances ask by turns without a pause.
    rested: Mutex<BTreeMap<OrderId, Range<u64>>>,
    /// When overdue answers were looked for last, and how many sagas were stuck then.
    looked_ms: AtomicU64,
    stuck: AtomicU64,
}

/// Open sagas, each with its stream's length.
#[derive(Default)]
struct Known {
    sagas: BTreeMap<OrderId, (usize, Saga)>,
    bytes: usize,
}

impl Known {
    /// About what a saga takes.
    fn bytes_of(saga: &Saga) -> usize {
        1_024 + 128 * saga.order().items.len()
    }

    fn take(&mut self, order_id: &OrderId) -> Option<(usize, Saga)> {
        let known = self.sagas.remove(order_id)?;
        self.bytes -= Self::bytes_of(&known.1);
        Some(known)
    }

    fn insert(&mut self, version: usize, saga: Saga) {
        let order_id = saga.order().order_id.clone();
        self.take(&order_id); // another thread may have been faster
        let bytes = Self::bytes_of(&saga);
        if self.bytes + bytes > MAX_KNOWN_BYTES {
            *self = Self::default();
        }
        self.bytes += bytes;
        self.sagas.insert(order_id, (version, saga));
    }
}

/// How long the orchestrator waits, and when it takes on no more.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long an answer may take, and how often it is asked for.
    pub patience: Patience,
    /// How many sagas may be stuck before no other one begins.
    pub stuck: u64,
}

impl Handler for OrderOrchestrator {
    fn handle(&self, record: &Record<'_>, _: &Context<'_>) -> Result<Vec<Outgoing>, Failure> {
        let input = read(record)?;
        let stuck = self.stuck.load(Ordering::Relaxed);
        if stuck >= self.limits.stuck && matches!(input, Input::Validated(..)) {
            let limit = self.limits.stuck;
            return Err(Failure::Retry(format!("{stuck} sagas are stuck, and from {limit} on no other one begins")));
        }
        self.take(&input)
    }

    /// Asks again for what is overdue, or gives it up. What it writes is lost at times; then it is overdue once more.
    fn due(&self) -> Vec<Due> {
        let now_ms = self.clock.now_ms();
        let looked_ms = self.looked_ms.load(Ordering::Relaxed);
        if (looked_ms..looked_ms.saturating_add(LOOK_EVERY_MS)).contains(&now_ms) {
            return Vec::new();
        }
        self.looked_ms.store(now_ms, Ordering::Relaxed);
        // While the store is away nothing is due; whoever handles records says so.
        self.look(now_ms).unwrap_or_default()
    }

    fn has_timers(&self) -> bool {
        self.store.unfinished().is_ok_and(|unfinished| unfinished.all > 0)
    }
}

impl OrderOrchestrator {
    /// One that goes on where the store's sagas stand.
    pub fn new(store: Arc<dyn EventStore>, clock: Arc<dyn Clock>, limits: Limits) -> Self {
        let (looked_ms, stuck) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { store, clock, limits, known: Mutex::default(), rested: Mutex::default(), looked_ms, stuck }
    }

    /// Takes an input into its order's stream, and tells what is to be published for it.
    ///
    /// # Errors
    /// [`Failure::Reject`] where it has no place in the saga, [`Failure::Retry`] while the store is away.
    pub fn take(&self, input: &Input) -> Result<Vec<Outgoing>, Failure> {
        let order_id = input.order_id();
        let mut known = self.known().take(order_id);
        for _ in 0..TRIES {
            let (stream, version, saga) = match known.take() {
                Some((version, saga)) => (None, version, Some(saga)),
                None => {
                    let stream = self.load(order_id)?;
                    let saga = stream.iter().fold(None, evolve);
                    (Some(stream), 0, saga)
                }
            };
            let version = stream.as_ref().map_or(version, Vec::len);
            let (events, saga) = match (advance(saga.as_ref(), input, moment(self.clock.now_ms())), stream) {
                // What is remembered may have grown old: only the stream tells what came of this input.
                (Err(_), None) => continue,
                (Ok((events, _)), None) if events.is_empty() => continue,
                (Err(refusal), Some(_)) => return Err(Failure::Reject(refusal.to_string())),
                (Ok((events, saga)), Some(stream)) if events.is_empty() => {
                    let Some(saga) = saga else { return Ok(Vec::new()) };
                    // An order that is placed again when all is over, such as in another run: its participants answer as things are
                    // now, so their answers need not lead to its end once more.
                    let is_placed_again = saga.has_ended() && matches!(input, Input::Validated(..));
                    let cause = input.event_id();
                    let caused = stream.iter().filter(|event| is_placed_again || event.cause == cause);
                    let mut records = Vec::new();
                    for record in caused.filter_map(|event| published(&saga, event)) {
                        // A question that was asked again is the same record.
                        if !records.contains(&record) {
                            records.push(record);
                        }
                    }
                    self.remember(version, saga);
                    return Ok(records);
                }
                (Ok(advanced), _) => advanced,
            };
            let Some(saga) = saga else { return Ok(Vec::new()) };
            let stored: Vec<StoredEvent> = events.iter().map(stored::store).collect();
            match self.store.append(order_id, version, &stored, saga.standing(&self.limits.patience)) {
                Err(StoreError::Conflict) => continue,
                appended => appended.map_err(away)?,
            }
            let published = events.iter().filter_map(|event| published(&saga, event)).collect();
            self.remember(version + events.len(), saga);
            return Ok(published);
        }
        Err(Failure::Retry(format!("order {order_id}: others appended {TRIES} times meanwhile")))
    }

    /// A saga's events.
    fn load(&self, order_id: &OrderId) -> Result<Vec<SagaEvent>, Failure> {
        let stream = self.store.load(order_id).map_err(away)?;
        // Only a person can mend it, and the others run on meanwhile.
        stored::read(&stream).map_err(|unreadable| Failure::Reject(format!("order {order_id}: {unreadable}")))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Whoever panicked has taken an entry or not: what is there holds.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, version: usize, saga: Saga) {
        if !saga.has_ended() {
            self.known().insert(version, saga);
        }
    }

    fn look(&self, now_ms: u64) -> Result<Vec<Due>, StoreError> {
        self.stuck.store(self.store.unfinished()?.stuck, Ordering::Relaxed);
        let (now, patience) = (moment(now_ms), &self.limits.patience);
        let mut rested = self.rested.lock().unwrap_or_else(PoisonError::into_inner);
        rested.retain(|_, rest| rest.contains(&now_ms));
        let mut due = Vec::new();
        // Those that are left alone are due all the same: they must not take the places of others.
        for order_id in self.store.due(now, patience.horizon(now), OVERDUE_AT_ONCE + rested.len())? {
            if rested.contains_key(&order_id) {
                continue;
            }
            let rest_ms = match self.ask_again(&order_id, now) {
                Ok(None) => continue,
                Ok(Some((records, rest_ms))) => {
                    due.extend(records);
                    rest_ms
                }
                // The store is away: the others would wait for it, too, one by one.
                Err(Failure::Retry(_)) => break,
                Err(Failure::Reject(_)) => patience.retry.longest_ms(),
            };
            rested.insert(order_id, now_ms..now_ms.saturating_add(rest_ms));
        }
        Ok(due)
    }

    /// Asks again for what is overdue of a saga, or gives it up: what is to be written, and how long it is left alone then, in
    /// milliseconds. Nothing where nobody is late.
    fn ask_again(&self, order_id: &OrderId, now: Timestamp) -> Result<Option<(Vec<Due>, u64)>, Failure> {
        let patience = &self.limits.patience;
        let stream = self.load(order_id)?;
        let Some(saga) = stream.iter().fold(None, evolve) else { return Ok(None) };
        let Some(input) = saga.overdue(now, patience) else {
            // Somebody noted something else than what follows from the events; who appends meanwhile knows better.
            return match self.store.restate(order_id, stream.len(), saga.standing(patience)) {
                Ok(()) | Err(StoreError::Conflict) => Ok(None),
                Err(error) => Err(away(error)),
            };
        };
        let run = saga.run().map(|run| run.as_bytes().to_vec());
        let cause = input.event_id().encode();
        let due = self.take(&input)?.into_iter().map(|record| Due { record, run: run.clone(), cause }).collect();
        Ok(Some((due, saga.next_wait_ms(patience))))
    }
}

fn away(error: StoreError) -> Failure {
    Failure::Retry(error.to_string())
}

/// What a record says, by its topic.
fn read(record: &Record<'_>) -> Result<Input, Failure> {
    Ok(match record.topic {
        OrderValidated::TOPIC => Input::Validated(record.decode()?, run(record)),
        PaymentCompleted::TOPIC => Input::Charged(record.decode()?),
        PaymentFailed::TOPIC => Input::Declined(record.decode()?),
        PaymentRefunded::TOPIC => Input::Refunded(record.decode()?),
        InventoryReserved::TOPIC => Input::Reserved(record.decode()?),
        InventoryRejected::TOPIC => Input::Rejected(record.decode()?),
        InventoryReleased::TOPIC => Input::Released(record.decode()?),
        other => return Err(Failure::Reject(format!("topic: found {other}, and the saga reads none such"))),
    })
}

/// The run that a record belongs to; none where its header is no identifier.
fn run(record: &Record<'_>) -> Option<String> {
    let run = std::str::from_utf8(record.headers.last(RUN)?).ok()?;
    OrderId::parse(run).is_ok().then(|| run.to_owned())
}

/// The record that tells others of an event. A question that is asked again is the same record again, so it has the time of the first.
fn published(saga: &Saga, event: &SagaEvent) -> Option<Outgoing> {
    let order = saga.order();
    let undoing = |participant| saga.undoing_since(participant).unwrap_or(event.at);
    let ended = || Order { timestamp: event.at, ..order.clone() };
    Some(match event.happened {
        Happened::Asked(Participant::Payment) => Outgoing::of(&PaymentRequested(saga.payment(order.timestamp))),
        Happened::Undoing(Participant::Payment) => {
            Outgoing::of(&RefundRequested(saga.payment(undoing(Participant::Payment))))
        }
        Happened::Asked(Participant::Inventory) => Outgoing::of(&ReservationRequested(order.clone())),
        Happened::Undoing(Participant::Inventory) => {
            let timestamp = undoing(Participant::Inventory);
            Outgoing::of(&ReleaseRequested(Order { timestamp, ..order.clone() }))
        }
        Happened::Told(about) => Outgoing::of(&EmailRequested(Email {
            order_id: order.order_id.clone(),
            customer_id: order.customer_id.clone(),
            about,
            timestamp: event.at,
        })),
        Happened::Completed => Outgoing::of(&OrderCompleted(ended())),
        Happened::Failed => Outgoing::of(&OrderFailed(ended())),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32};

    use events::saga::{Item, Stock};
    use events::{Cents, Topic};
    use messaging::RetryPolicy;
    use messaging::store::{MemoryEvents, Standing, Unfinished};

    use super::*;
    use crate::saga::decide;

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
        let saga =
            evolve(None, &decide(None, &Input::Validated(OrderValidated(order()), None), Timestamp::BASE).unwrap()[0])
                .unwrap();
        Outgoing::of(&PaymentCompleted(saga.payment(Timestamp::BASE.plus_ms(20))))
    }

    #[derive(Default)]
    struct Hand(AtomicU64);

    impl Hand {
        fn pass_ms(&self, ms: u64) {
            self.0.fetch_add(ms, Ordering::Relaxed);
        }
    }

    impl Clock for Hand {
        fn now_ms(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    /// An answer is overdue after 100 ms, 200 at most; the second time it is given up. An undoing is stuck when asked for twice.
    fn orchestrator(store: Arc<dyn EventStore>) -> (OrderOrchestrator, Arc<Hand>) {
        let clock = Arc::new(Hand(AtomicU64::new(1_000_000)));
        let patience = Patience { retry: RetryPolicy::try_new(100, 200, 2).unwrap(), asks: 2 };
        let limits = Limits { patience, stuck: 1 };
        (OrderOrchestrator::new(store, Arc::clone(&clock) as Arc<dyn Clock>, limits), clock)
    }

    /// An event that no saga has.
    fn sold() -> StoredEvent {
        StoredEvent {
            event_type: "sold".into(),
            data: "{}".into(),
            cause: OrderValidated(order()).event_id(),
            at: Timestamp::BASE,
            recorded_at: Timestamp::BASE,
        }
    }

    fn topics(outgoing: &[Outgoing]) -> Vec<&str> {
        outgoing.iter().map(|record| record.topic.as_str()).collect()
    }

    #[test]
    fn a_record_publishes_what_follows_from_it_and_the_same_bytes_when_it_comes_again() {
        let orchestrator = orchestrator(Arc::new(MemoryEvents::default())).0;
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
    fn a_question_that_is_asked_again_is_the_same_record_again_in_the_same_run() {
        let (orchestrator, clock) = orchestrator(Arc::new(MemoryEvents::default()));
        assert!(!orchestrator.has_timers() && orchestrator.due().is_empty());
        let validated = Outgoing::of(&OrderValidated(order()));
        let headers = vec![(RUN.to_owned(), Some(b"run-1".to_vec()))];
        let first = orchestrator.handle(&Record { headers: &headers, ..validated.as_record() }, &CONTEXT).unwrap();
        assert!(orchestrator.has_timers() && orchestrator.due().is_empty(), "not yet");
        clock.pass_ms(200);
        let again = orchestrator.due();
        assert_eq!(again.len(), 1, "one at a look");
        assert!(first.contains(&again[0].record) && again[0].run.as_deref() == Some(b"run-1"), "{again:?}");
        let overdue = orchestrator.store.load(&order().order_id).unwrap().pop().unwrap();
        assert_eq!(again[0].cause, overdue.cause.encode(), "what the stream has as its cause, too");
        assert!(orchestrator.due().is_empty(), "it was just looked for");
        clock.pass_ms(100);
        assert_eq!(orchestrator.due().len(), 1, "the other participant");
    }

    #[test]
    fn while_sagas_are_stuck_no_other_one_begins_and_answers_are_still_taken() {
        let (orchestrator, clock) = orchestrator(Arc::new(MemoryEvents::default()));
        let validated = Outgoing::of(&OrderValidated(order()));
        let handle = |record: &Outgoing| orchestrator.handle(&record.as_record(), &CONTEXT);
        handle(&validated).unwrap();
        for _ in 0..12 {
            clock.pass_ms(200);
            orchestrator.due();
        }
        let reason = "1 sagas are stuck, and from 1 on no other one begins";
        assert_eq!(handle(&validated), Err(Failure::Retry(reason.into())));
        handle(&charged()).unwrap();
        assert!(orchestrator.has_timers());
    }

    #[test]
    fn an_orchestrator_that_begins_anew_goes_on_where_the_sagas_stand() {
        let store: Arc<dyn EventStore> = Arc::new(MemoryEvents::default());
        let (before, _) = orchestrator(Arc::clone(&store));
        before.handle(&Outgoing::of(&OrderValidated(order())).as_record(), &CONTEXT).unwrap();
        let (after, clock) = orchestrator(Arc::clone(&store));
        clock.pass_ms(200);
        assert_eq!(after.due().len(), 1);
        // What the first one remembers has grown old meanwhile.
        before.handle(&charged().as_record(), &CONTEXT).unwrap();
        let ended = after.handle(&Outgoing::of(&InventoryReserved(stock())).as_record(), &CONTEXT).unwrap();
        assert_eq!(topics(&ended), ["notifications.email", "orders.completed"]);
        assert!(!after.has_timers());
        let again = before.handle(&Outgoing::of(&InventoryReserved(stock())).as_record(), &CONTEXT).unwrap();
        assert_eq!(again, ended);
    }

    #[test]
    fn where_a_saga_stands_is_noted_anew_if_somebody_noted_it_wrong() {
        let store: Arc<dyn EventStore> = Arc::new(MemoryEvents::default());
        let (orchestrator, clock) = orchestrator(Arc::clone(&store));
        orchestrator.handle(&Outgoing::of(&OrderValidated(order())).as_record(), &CONTEXT).unwrap();
        let (order_id, wrong) = (order().order_id, Standing { due_at: moment(1), is_stuck: true });
        let version = store.load(&order_id).unwrap().len();
        store.restate(&order_id, version, Some(wrong)).unwrap();
        clock.pass_ms(1);
        assert_eq!(orchestrator.due(), []);
        assert_eq!(store.unfinished(), Ok(Unfinished { all: 1, stuck: 0 }));
    }

    #[test]
    fn a_stream_that_nobody_can_read_holds_up_no_other_order() {
        let store: Arc<dyn EventStore> = Arc::new(MemoryEvents::default());
        let (orchestrator, _) = orchestrator(Arc::clone(&store));
        store.append(&order().order_id, 0, &[sold()], None).unwrap();
        let refused = orchestrator.handle(&charged().as_record(), &CONTEXT).unwrap_err();
        let reason = "order 7f3a: event 1, sold: event_type: found sold, allowed a word for what happens in a saga";
        assert_eq!(refused, Failure::Reject(reason.into()));
    }

    #[test]
    fn however_many_streams_nobody_can_read_the_timers_of_others_come_in_time() {
        let store: Arc<dyn EventStore> = Arc::new(MemoryEvents::default());
        let (orchestrator, clock) = orchestrator(Arc::clone(&store));
        let overdue = Some(Standing { due_at: moment(1), is_stuck: false });
        for n in 0..OVERDUE_AT_ONCE {
            let order_id = OrderId::parse(&format!("sold-{n}")).unwrap();
            store.append(&order_id, 0, &[sold()], overdue).unwrap();
        }
        orchestrator.handle(&Outgoing::of(&OrderValidated(order())).as_record(), &CONTEXT).unwrap();
        clock.pass_ms(100);
        assert_eq!(orchestrator.due(), [], "those alone are as many as one look takes on");
        clock.pass_ms(100);
        assert_eq!(orchestrator.due().len(), 1);
    }

    #[test]
    fn a_store_that_goes_away_ends_a_look_and_the_next_one_takes_on_the_same_sagas() {
        let store = Arc::new(Troubled::default());
        let (orchestrator, clock) = orchestrator(Arc::clone(&store) as Arc<dyn EventStore>);
        for order_id in ["a", "b"].map(|id| OrderId::parse(id).unwrap()) {
            let validated = Outgoing::of(&OrderValidated(Order { order_id, ..order() }));
            orchestrator.handle(&validated.as_record(), &CONTEXT).unwrap();
        }
        clock.pass_ms(100);
        store.is_away.store(true, Ordering::Relaxed);
        let asked = store.asked.load(Ordering::Relaxed);
        assert_eq!(orchestrator.due(), []);
        assert_eq!(store.asked.load(Ordering::Relaxed), asked + 1, "the other one would wait for it, too");
        store.is_away.store(false, Ordering::Relaxed);
        clock.pass_ms(100);
        assert_eq!(orchestrator.due().len(), 2);
    }

    #[test]
    fn a_declined_payment_comes_to_orders_failed_as_the_order_was() {
        let orchestrator = orchestrator(Arc::new(MemoryEvents::default())).0;
        let saga =
            evolve(None, &decide(None, &Input::Validated(OrderValidated(order()), None), Timestamp::BASE).unwrap()[0])
                .unwrap();
        let declined = Outgoing::of(&PaymentFailed(saga.payment(Timestamp::BASE)));
        let short = Outgoing::of(&InventoryRejected(stock()));
        let take = |record: &Outgoing| orchestrator.handle(&record.as_record(), &CONTEXT).unwrap();
        take(&Outgoing::of(&OrderValidated(order())));
        assert_eq!(take(&declined), []);
        let ended = take(&short);
        assert_eq!(topics(&ended), ["notifications.email", "orders.failed"]);
        let failed = OrderFailed::decode(&ended[1].value).unwrap();
        assert_eq!(failed.0, Order { timestamp: stock().timestamp, ..order() });
    }

    #[test]
    fn an_order_that_is_placed_again_after_its_end_publishes_all_that_its_saga_has_once() {
        let (orchestrator, clock) = orchestrator(Arc::new(MemoryEvents::default()));
        let take = |record: &Outgoing| orchestrator.handle(&record.as_record(), &CONTEXT).unwrap();
        let validated = Outgoing::of(&OrderValidated(order()));
        let mut all = take(&validated);
        clock.pass_ms(200);
        assert!(orchestrator.due().iter().all(|due| all.contains(&due.record)), "asked again");
        let saga =
            evolve(None, &decide(None, &Input::Validated(OrderValidated(order()), None), Timestamp::BASE).unwrap()[0])
                .unwrap();
        // Reserved behind the refusal: only that has it released, and a warehouse that has released it never answers so again.
        for answer in [
            Outgoing::of(&PaymentFailed(saga.payment(Timestamp::BASE))),
            Outgoing::of(&InventoryReserved(stock())),
            Outgoing::of(&InventoryReleased(stock())),
        ] {
            all.extend(take(&answer));
        }
        assert_eq!(topics(&all)[3..], ["notifications.email", "orders.failed"]);
        assert_eq!(take(&validated), all);
    }

    #[test]
    fn what_cannot_be_read_or_has_no_place_is_rejected_with_the_reason() {
        let orchestrator = orchestrator(Arc::new(MemoryEvents::default())).0;
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
        store: MemoryEvents,
        conflicts: AtomicU32,
        is_away: AtomicBool,
        /// How often somebody wanted to append.
        asked: AtomicU32,
    }

    impl EventStore for Troubled {
        fn load(&self, stream: &OrderId) -> Result<Vec<StoredEvent>, StoreError> {
            self.store.load(stream)
        }

        fn append(
            &self,
            stream: &OrderId,
            version: usize,
            events: &[StoredEvent],
            standing: Option<Standing>,
        ) -> Result<(), StoreError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            if self.is_away.load(Ordering::Relaxed) {
                return Err(StoreError::Away("connection refused".into()));
            }
            if self.conflicts.load(Ordering::Relaxed) > 0 {
                self.conflicts.fetch_sub(1, Ordering::Relaxed);
                return Err(StoreError::Conflict);
            }
            self.store.append(stream, version, events, standing)
        }

        fn due(&self, now: Timestamp, horizon: Timestamp, limit: usize) -> Result<Vec<OrderId>, StoreError> {
            self.store.due(now, horizon, limit)
        }

        fn unfinished(&self) -> Result<Unfinished, StoreError> {
            self.store.unfinished()
        }

        fn streams(&self, after: Option<&OrderId>, limit: usize) -> Result<Vec<OrderId>, StoreError> {
            self.store.streams(after, limit)
        }

        fn restate(&self, stream: &OrderId, version: usize, standing: Option<Standing>) -> Result<(), StoreError> {
            self.store.restate(stream, version, standing)
        }
    }

    #[test]
    fn a_stream_that_grew_is_read_again_and_a_store_that_is_away_is_asked_later() {
        let validated = Outgoing::of(&OrderValidated(order()));
        let with = |conflicts: u32, is_away: bool| {
            let store = Troubled { conflicts: conflicts.into(), is_away: is_away.into(), ..Troubled::default() };
            orchestrator(Arc::new(store)).0.handle(&validated.as_record(), &CONTEXT)
        };
        assert_eq!(with(3, false).unwrap().len(), 2);
        let reason = "order 7f3a: others appended 100 times meanwhile";
        assert_eq!(with(TRIES, false), Err(Failure::Retry(reason.into())));
        let reason = "the store is away: connection refused";
        assert_eq!(with(0, true), Err(Failure::Retry(reason.into())));
    }
}
