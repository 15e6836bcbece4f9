//! The five services together, through the public API only: each record goes to whoever reads its topic, until there is none left.

#![cfg(test)]

use std::collections::VecDeque;
use std::sync::Arc;

use events::saga::{EmailAbout, OrderCreated, StatedItem, StatedOrder};
use events::{OrderId, SignedCents, Timestamp, hash64_of};
use messaging::store::{MemoryEvents, MemoryRows, RowStore};
use messaging::{BreakerPolicy, CircuitBreaker, Clock, Context, Failure, Handler, Outgoing, Rate, RetryPolicy};
use order_saga::inventory_service::{self, InventoryService, STOCK};
use order_saga::notification_service::{self, NotificationService};
use order_saga::order_orchestrator::{self, Limits, OrderOrchestrator};
use order_saga::order_service::{self, OrderService};
use order_saga::outside::Weather;
use order_saga::outside::gateway::{Account, SimulatedGateway, Standing};
use order_saga::outside::mailer::SimulatedMailer;
use order_saga::payment_service::{self, PaymentService};
use order_saga::saga::Patience;

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now_ms(&self) -> u64 {
        Timestamp::BASE.as_ms().unsigned_abs()
    }
}

/// All five, with what they stand on.
struct Services {
    order: OrderService,
    payment: PaymentService,
    inventory: InventoryService,
    notification: NotificationService,
    orchestrator: OrderOrchestrator,
    rows: Arc<MemoryRows>,
}

impl Services {
    /// - `success_percent`: share of payments that are granted.
    /// - `hats`: how many there are.
    fn new(success_percent: u64, hats: u32) -> Self {
        let rows = Arc::new(MemoryRows::default());
        let store = || Arc::clone(&rows) as Arc<dyn RowStore>;
        let fine =
            Weather { failure_rate: Rate::from_percent(0).unwrap(), latency_ms: 0, outage_every_ms: 0, outage_ms: 0 };
        let breaker =
            |name| Arc::new(CircuitBreaker::new(name, BreakerPolicy { opens_after: 1, open_ms: 1 }, Arc::new(Still)));
        let success_rate = Rate::from_percent(success_percent).unwrap();
        let patience = Patience { retry: RetryPolicy::try_new(100, 400, 3).unwrap(), asks: 2 };
        Self {
            order: OrderService { rows: store(), is_known: |product| ["hat", "shoe"].contains(&product) },
            payment: PaymentService {
                gateway: Arc::new(SimulatedGateway::new(store(), success_rate, fine, Arc::new(Still), |_| {})),
                breaker: breaker("gateway"),
            },
            inventory: InventoryService {
                rows: store(),
                opening: Arc::new(move |product: &str| if product == "hat" { hats } else { 1_000 }),
            },
            notification: NotificationService {
                mailer: Arc::new(SimulatedMailer::new(store(), fine, Arc::new(Still), |_| {})),
                breaker: breaker("mailer"),
            },
            orchestrator: OrderOrchestrator::new(
                Arc::new(MemoryEvents::default()),
                Arc::new(Still),
                Limits { patience, stuck: 1_000 },
            ),
            rows,
        }
    }

    /// How many hats no order holds.
    fn hats(&self) -> Option<String> {
        self.rows.table(STOCK).unwrap().get("hat").cloned()
    }

    fn accounts(&self) -> Vec<Account> {
        let rows = self.rows.table(SimulatedGateway::ACCOUNTS).unwrap();
        rows.values().map(|row| Account::read(Some(row)).unwrap()).collect()
    }

    fn reader_of(&self, topic: &str) -> Option<(&dyn Handler, &'static str)> {
        Some(match topic {
            "orders.created" => (&self.order, order_service::NAME),
            "payments.requested" => (&self.payment, payment_service::NAME),
            "inventory.requested" => (&self.inventory, inventory_service::NAME),
            "notifications.email" => (&self.notification, notification_service::NAME),
            "orders.completed" | "orders.failed" => return None,
            _ => (&self.orchestrator, order_orchestrator::NAME),
        })
    }

    /// Plays these orders to their end; each record comes twice if asked. What stands in the topics then, each record once.
    fn play(&self, orders: &[StatedOrder], twice: bool) -> Vec<Outgoing> {
        let mut records: Vec<Outgoing> = Vec::new();
        let mut open: VecDeque<Outgoing> =
            orders.iter().map(|order| Outgoing::of(&OrderCreated(order.clone()))).collect();
        while let Some(record) = open.pop_front() {
            if let Some((handler, service)) = self.reader_of(record.topic.as_str()) {
                let handle = || handler.handle(&record.as_record(), &Context { service }).unwrap();
                let answers = handle();
                if twice {
                    assert_eq!(handle(), answers, "{record:?}");
                }
                open.extend(answers.into_iter().filter(|answer| !records.contains(answer)));
            }
            if !records.contains(&record) {
                assert!(records.iter().all(|other| other.event_id != record.event_id), "other bytes: {record:?}");
                records.push(record);
            }
        }
        records
    }
}

fn order(id: &str, items: &[(&str, i64)]) -> StatedOrder {
    let items: Vec<StatedItem> = items
        .iter()
        .map(|&(product, quantity)| StatedItem { product_id: product.into(), quantity, price: SignedCents::new(500) })
        .collect();
    let total = items.iter().map(|item| item.quantity * 500).sum();
    StatedOrder {
        order_id: OrderId::parse(id).unwrap(),
        customer_id: "CUST-00042".into(),
        items,
        total_amount: SignedCents::new(total),
        timestamp: Timestamp::BASE,
    }
}

fn topics(records: &[Outgoing]) -> Vec<&str> {
    records.iter().map(|record| record.topic.as_str()).collect()
}

/// What the mailer sent, each with its order.
fn emails(services: &Services) -> Vec<String> {
    services.rows.table(SimulatedMailer::SENT).unwrap().into_values().collect()
}

fn told(order: &str, about: EmailAbout) -> String {
    format!("{order} {about}")
}

#[test]
fn a_happy_order_goes_from_creation_to_payment_reservation_confirmation_and_completion() {
    let services = Services::new(100, 5);
    let records = services.play(&[order("7f3a", &[("hat", 2), ("shoe", 1)])], true);
    assert_eq!(
        topics(&records),
        [
            "orders.created",
            "orders.validated",
            "payments.requested",
            "inventory.requested",
            "payments.completed",
            "inventory.reserved",
            "inventory.reserved",
            "notifications.email",
            "orders.completed",
        ]
    );
    assert_eq!(emails(&services), [told("7f3a", EmailAbout::OrderConfirmed)]);
    assert_eq!(services.hats().as_deref(), Some("3 of 5"));
}

#[test]
fn a_declined_payment_releases_the_reservation_and_the_order_fails() {
    let services = Services::new(0, 5);
    let records = services.play(&[order("7f3a", &[("hat", 2)])], true);
    assert_eq!(
        topics(&records)[4..],
        [
            "payments.failed",
            "inventory.reserved",
            "inventory.requested",
            "inventory.released",
            "notifications.email",
            "orders.failed",
        ]
    );
    assert_eq!(emails(&services), [told("7f3a", EmailAbout::PaymentFailed)]);
    assert_eq!(services.hats().as_deref(), Some("5 of 5"));
}

#[test]
fn a_shortage_refunds_the_payment_and_the_order_fails() {
    let services = Services::new(100, 1);
    let records = services.play(&[order("7f3a", &[("shoe", 1), ("hat", 2)])], true);
    assert_eq!(
        topics(&records)[4..],
        [
            "payments.completed",
            "inventory.rejected",
            "payments.requested",
            "payments.refunded",
            "notifications.email",
            "orders.failed",
        ]
    );
    assert_eq!(emails(&services), [told("7f3a", EmailAbout::OutOfStock)]);
    assert_eq!(services.accounts(), [Account { standing: Standing::Refunded, charges: 1, refunds: 1 }]);
}

#[test]
fn what_is_no_order_fails_at_once_with_the_reason_in_the_log_and_nothing_later_sees_it() {
    let services = Services::new(100, 5);
    let wrong = order("7f3a", &[("hat", -2)]);
    let records = services.play(std::slice::from_ref(&wrong), true);
    assert_eq!(topics(&records), ["orders.created", "orders.failed"]);
    let remark = services.order.remark(&Outgoing::of(&OrderCreated(wrong)).as_record());
    assert_eq!(remark.as_deref(), Some("items[0].quantity: found -2, allowed 1 to 1000 pieces"));
    let fine = Outgoing::of(&OrderCreated(order("7f3b", &[("hat", 2)])));
    assert_eq!(services.order.remark(&fine.as_record()), None);
}

#[test]
fn of_many_orders_each_ends_once_and_money_and_stock_add_up() {
    let orders: Vec<StatedOrder> = (0..300)
        .map(|n: u64| {
            let draw = |what: &str, range: u64| i64::try_from(hash64_of(&[&n.to_string(), what]) % range).unwrap();
            order(&format!("order-{n}"), &[("hat", draw("hats", 3)), ("shoe", 1 + draw("shoes", 2))])
        })
        .collect();
    let services = Services::new(80, 150);
    let records = services.play(&orders, false);
    let count = |topic: &str| records.iter().filter(|record| record.topic.as_str() == topic).count();
    assert_eq!(count("orders.completed") + count("orders.failed"), 300);
    assert!(count("orders.completed") > 0 && count("inventory.rejected") > 0 && count("payments.failed") > 0);
    let is_charged = |account: &Account| account.standing == Standing::Charged;
    let charged = services.accounts().into_iter().filter(is_charged).count();
    assert_eq!(charged, count("orders.completed"));
    assert_eq!(emails(&services).len(), count("orders.validated"));
}

#[test]
fn what_a_participant_cannot_read_is_rejected() {
    let services = Services::new(100, 5);
    let created = Outgoing::of(&OrderCreated(order("7f3a", &[("hat", 2)])));
    for (handler, service) in ["payments.requested", "inventory.requested", "notifications.email"]
        .map(|topic| services.reader_of(topic).unwrap())
    {
        let failure = handler.handle(&created.as_record(), &Context { service }).unwrap_err();
        assert!(matches!(failure, Failure::Reject(_)), "{service}: {failure}");
    }
}
