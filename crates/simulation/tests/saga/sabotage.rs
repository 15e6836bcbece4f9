//! Proof that the audit, the drain and the books can fail: each bug is planted and found, and says what it did.

use std::sync::Arc;

use events::Event;
use events::saga::{
    InventoryReleased, OrderCompleted, PaymentRequested, RefundRequested, ReleaseRequested, ReservationRequested, Stock,
};
use messaging::store::RowStore;
use messaging::{Context, Due, Failure, Handler, Outgoing, Record};
use order_saga::inventory_service::{self, RESERVATIONS};
use order_saga::order_orchestrator;
use order_saga::outside::gateway::SimulatedGateway;
use order_saga::payment_service;
use simulation::{Fault, Faults, Store};

use crate::{Bug, Outcome, orders};

/// What a sabotaged service does with a record, given what it would have done.
type Instead = dyn Fn(&dyn Handler, &Record<'_>, &Context<'_>, &Store) -> Result<Vec<Outgoing>, Failure> + Send + Sync;

/// A service with a bug.
struct Sabotaged {
    inner: Arc<dyn Handler>,
    store: Arc<Store>,
    instead: Arc<Instead>,
    /// What becomes of what its timers ask for.
    keeps: fn(&Outgoing) -> bool,
}

impl Handler for Sabotaged {
    fn handle(&self, record: &Record<'_>, context: &Context<'_>) -> Result<Vec<Outgoing>, Failure> {
        (self.instead)(&*self.inner, record, context, &self.store)
    }

    fn due(&self) -> Vec<Due> {
        self.inner.due().into_iter().filter(|due| (self.keeps)(&due.record)).collect()
    }

    fn has_timers(&self) -> bool {
        self.inner.has_timers()
    }
}

fn plant(service: &'static str, keeps: fn(&Outgoing) -> bool, instead: Arc<Instead>) -> Arc<Bug> {
    Arc::new(move |name, inner, store| {
        if name != service {
            return inner;
        }
        Arc::new(Sabotaged { inner, store: Arc::clone(store), instead: Arc::clone(&instead), keeps })
    })
}

/// A service that does all that it should, but for the records that it does not keep.
fn forgets(service: &'static str, keeps: fn(&Outgoing) -> bool) -> Arc<Bug> {
    let instead = move |inner: &dyn Handler, record: &Record<'_>, context: &Context<'_>, _: &Store| {
        Ok(inner.handle(record, context)?.into_iter().filter(keeps).collect())
    };
    plant(service, keeps, Arc::new(instead))
}

/// Whether a schedule found the bug, and told it in these words.
fn is_found(bug: &Arc<Bug>, faults: Faults, words: &str) {
    let told: Vec<String> = (0..10)
        .map(|seed| crate::run(seed, &orders(1, 50), faults, bug))
        .filter(|outcome| !outcome.passed())
        .map(|outcome| Outcome::told(&outcome))
        .collect();
    assert!(
        told.iter().any(|told| told.contains(words)),
        "{} of 10 failed, none with {words:?}: {told:#?}",
        told.len()
    );
}

fn is_a<E: Event>(record: &Outgoing) -> bool {
    record.topic == E::TOPIC && E::decode(&record.value).is_ok()
}

#[test]
fn a_release_that_is_confirmed_and_forgotten_leaves_pieces_reserved() {
    let instead = |inner: &dyn Handler, record: &Record<'_>, context: &Context<'_>, _: &Store| {
        let Ok(ReleaseRequested(order)) = record.decode() else { return inner.handle(record, context) };
        let released = order.items.iter().map(|item| {
            let (product_id, order_id) = (item.product_id.clone(), order.order_id.clone());
            let stock = Stock { product_id, quantity_reserved: item.quantity, order_id, timestamp: order.timestamp };
            Outgoing::of(&InventoryReleased(stock))
        });
        Ok(released.collect())
    };
    let bug = plant(inventory_service::NAME, |_| true, Arc::new(instead));
    is_found(&bug, Faults::NONE, "failed, and its pieces are still reserved");
}

#[test]
fn a_gateway_that_pays_back_twice_is_found() {
    let instead = |inner: &dyn Handler, record: &Record<'_>, context: &Context<'_>, store: &Store| {
        if let Ok(RefundRequested(payment)) = record.decode() {
            let key = (SimulatedGateway::ACCOUNTS, payment.payment_id);
            let forget = |row: String| row.replace("refunded", "charged");
            store
                .update(std::slice::from_ref(&key), &mut |rows| {
                    rows.entry(key.clone()).and_modify(|row| *row = row.take().map(forget));
                })
                .unwrap();
        }
        inner.handle(record, context)
    };
    let bug = plant(payment_service::NAME, |_| true, Arc::new(instead));
    is_found(&bug, Faults::NONE.with(Fault::Duplicate), "failed, and the gateway has `refunded 1 2`");
}

#[test]
fn a_timeout_that_is_ignored_leaves_sagas_without_an_end() {
    let instead =
        |inner: &dyn Handler, record: &Record<'_>, context: &Context<'_>, _: &Store| inner.handle(record, context);
    let bug = plant(order_orchestrator::NAME, |_| false, Arc::new(instead));
    is_found(&bug, Faults::NONE.with(Fault::Corruption), "its saga has not ended");
}

#[test]
fn a_warehouse_that_does_not_know_what_it_answered_reserves_twice() {
    let instead = |inner: &dyn Handler, record: &Record<'_>, context: &Context<'_>, store: &Store| {
        if let Ok(ReservationRequested(order)) = record.decode() {
            let key = (RESERVATIONS, order.order_id.to_string());
            store.update(std::slice::from_ref(&key), &mut |rows| drop(rows.insert(key.clone(), None))).unwrap();
        }
        inner.handle(record, context)
    };
    let bug = plant(inventory_service::NAME, |_| true, Arc::new(instead));
    is_found(&bug, Faults::NONE.with(Fault::Duplicate), "pieces are left, and ");
}

#[test]
fn a_compensation_that_is_dropped_leaves_orders_lost_and_sagas_without_an_end() {
    let bug = forgets(order_orchestrator::NAME, |record| !is_a::<RefundRequested>(record));
    is_found(&bug, Faults::NONE, "its saga has not ended");
    is_found(&bug, Faults::NONE, " lost, 0 doubled");
    // The first request is none: what is dropped is the undoing.
    assert!(!is_a::<RefundRequested>(&Outgoing::of(&PaymentRequested(payment()))));
}

#[test]
fn an_end_that_is_appended_and_never_published_is_lost() {
    let bug = forgets(order_orchestrator::NAME, |record| !is_a::<OrderCompleted>(record));
    is_found(&bug, Faults::NONE, "notifications.email, the customer told");
}

fn payment() -> events::saga::Payment {
    let record = &orders(1, 1)[0].record;
    let events::saga::OrderCreated(order) = record.as_record().decode().unwrap();
    events::saga::Payment {
        order_id: order.order_id,
        payment_id: "PAY-1".into(),
        amount: events::Cents::new(1),
        payment_method: "card".into(),
        timestamp: order.timestamp,
    }
}
