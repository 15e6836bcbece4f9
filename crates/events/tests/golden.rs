//! The wire format, byte for byte: a change of it shows as a change of a file under `tests/golden`.
//!
//! After a change that is meant: `UPDATE_GOLDEN=1 cargo test -p events --test golden`, then read the diff.

#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "a test reads its golden files")]

use std::fmt::Debug;
use std::path::Path;

use events::saga::{
    EmailAbout, EmailRequested, InventoryRejected, InventoryReleased, InventoryReserved, Order, OrderCompleted,
    OrderCreated, OrderFailed, OrderValidated, Payment, PaymentCompleted, PaymentFailed, PaymentRefunded,
    PaymentRequested, RefundRequested, ReleaseRequested, ReservationRequested, StatedItem, StatedOrder, Stock,
};
use events::shop::{
    InventoryResult, Item, Notification, NotificationAbout, OrderPlaced, OrderShipped, PaymentResult, PaymentStatus,
    StockStatus,
};
use events::{Cents, Event, OrderId, SignedCents, Timestamp};

#[track_caller]
fn check<E: Event + PartialEq + Debug>(name: &str, event: &E) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let mut written = event.encode();
    written.push(b'\n');
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(String::from_utf8(written).unwrap(), golden, "the wire format of {name} changed");
    assert_eq!(&E::decode(golden.as_bytes()).unwrap(), event, "{name} does not read back");
}

fn order_id() -> OrderId {
    OrderId::generated(7, Timestamp::BASE, 0)
}

#[test]
fn order_placed_is_written_and_read_as_its_golden_file() {
    let item = |product_id: &str, quantity, price| Item { product_id: product_id.into(), quantity, price };
    check(
        "order_placed.json",
        &OrderPlaced {
            order_id: order_id(),
            timestamp: Timestamp::BASE,
            customer_id: "CUST-00042".into(),
            items: vec![item("SKU-00017", 2, Cents::new(1_999)), item("SKU-00003", 1, Cents::new(5))],
        },
    );
}

#[test]
fn payment_result_is_written_and_read_as_its_golden_files() {
    for (name, status) in
        [("payment_result.success.json", PaymentStatus::Success), ("payment_result.failed.json", PaymentStatus::Failed)]
    {
        let (order_id, timestamp) = (order_id(), Timestamp::BASE.plus_ms(120));
        check(name, &PaymentResult { order_id, timestamp, status, amount: Cents::new(4_003) });
    }
}

#[test]
fn inventory_result_is_written_and_read_as_its_golden_files() {
    for (name, status) in [
        ("inventory_result.available.json", StockStatus::Available),
        ("inventory_result.short.json", StockStatus::Short),
    ] {
        check(name, &InventoryResult { order_id: order_id(), timestamp: Timestamp::BASE.plus_ms(45), status });
    }
}

#[test]
fn order_shipped_is_written_and_read_as_its_golden_file() {
    let (order_id, timestamp) = (order_id(), Timestamp::BASE.plus_ms(900));
    check("order_shipped.json", &OrderShipped { order_id, timestamp, tracking_id: "TRK-3F9A0C55D1E2B764".into() });
}

#[test]
fn notification_is_written_and_read_as_its_golden_file() {
    let (order_id, timestamp) = (order_id(), Timestamp::BASE.plus_ms(130));
    check("notification.json", &Notification { order_id, timestamp, about: NotificationAbout::PaymentDeclined });
}

#[test]
fn an_order_whose_total_is_not_the_sum_of_its_items_is_refused() {
    let golden = include_str!("golden/order_placed.json");
    let error = OrderPlaced::decode(golden.replace("40.03", "40.04").as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "total: found 40.04, allowed 40.03, the sum of the items");
}

#[test]
fn an_event_of_another_type_is_refused() {
    let error = PaymentResult::decode(include_bytes!("golden/order_shipped.json")).unwrap_err();
    assert_eq!(error.to_string(), r#"event_type: found "order_shipped", allowed "payment_result""#);
}

#[test]
fn a_field_from_a_newer_writer_is_passed_over() {
    let golden = include_str!("golden/inventory_result.short.json");
    let newer = golden.replace(r#""status""#, r#""warehouse":{"id":3},"status""#);
    assert_eq!(InventoryResult::decode(newer.as_bytes()), InventoryResult::decode(golden.as_bytes()));
}

fn saga_order() -> Order {
    let item =
        |product_id: &str, quantity, price| events::saga::Item { product_id: product_id.into(), quantity, price };
    Order {
        order_id: order_id(),
        customer_id: "CUST-00042".into(),
        items: vec![item("SKU-00017", 2, Cents::new(1_999)), item("SKU-00003", 1, Cents::new(5))],
        timestamp: Timestamp::BASE,
    }
}

/// H07, with a status for each topic.
#[test]
fn the_sagas_orders_are_written_and_read_as_their_golden_files() {
    let item = |product_id: &str, quantity, price| StatedItem { product_id: product_id.into(), quantity, price };
    let impossible = StatedOrder {
        order_id: order_id(),
        customer_id: "CUST-00042".into(),
        items: vec![item("SKU-00017", -2, SignedCents::new(1_999)), item("SKU-00003", 0, SignedCents::new(-5))],
        total_amount: SignedCents::new(-3_998),
        timestamp: Timestamp::BASE,
    };
    check("saga/orders.created.json", &OrderCreated(StatedOrder::from(&saga_order())));
    check("saga/orders.created.impossible.json", &OrderCreated(impossible.clone()));
    check("saga/orders.validated.json", &OrderValidated(saga_order()));
    check("saga/orders.completed.json", &OrderCompleted(saga_order()));
    check("saga/orders.failed.json", &OrderFailed(impossible));
    check("saga/inventory.requested.json", &ReservationRequested(saga_order()));
    check("saga/inventory.requested.release.json", &ReleaseRequested(saga_order()));
}

/// H08.
#[test]
fn the_sagas_payments_are_written_and_read_as_their_golden_files() {
    let payment = Payment {
        order_id: order_id(),
        payment_id: "PAY-3F9A0C55D1E2B764".into(),
        amount: Cents::new(4_003),
        payment_method: "card".into(),
        timestamp: Timestamp::BASE.plus_ms(20),
    };
    check("saga/payments.requested.json", &PaymentRequested(payment.clone()));
    check("saga/payments.requested.refund.json", &RefundRequested(payment.clone()));
    check("saga/payments.completed.json", &PaymentCompleted(payment.clone()));
    check("saga/payments.failed.json", &PaymentFailed(payment.clone()));
    check("saga/payments.refunded.json", &PaymentRefunded(Payment { amount: Cents::new(0), ..payment }));
}

/// H09.
#[test]
fn the_sagas_stock_is_written_and_read_as_its_golden_files() {
    let stock = |quantity_reserved| Stock {
        product_id: "SKU-00017".into(),
        quantity_reserved,
        order_id: order_id(),
        timestamp: Timestamp::BASE.plus_ms(30),
    };
    check("saga/inventory.reserved.json", &InventoryReserved(stock(2)));
    check("saga/inventory.rejected.json", &InventoryRejected(stock(2)));
    check("saga/inventory.released.json", &InventoryReleased(stock(0)));
}

#[test]
fn the_sagas_email_is_written_and_read_as_its_golden_file() {
    let (order_id, customer_id, timestamp) = (order_id(), "CUST-00042".into(), Timestamp::BASE.plus_ms(40));
    check(
        "saga/notifications.email.json",
        &EmailRequested { order_id, customer_id, about: EmailAbout::OutOfStock, timestamp },
    );
}

#[test]
fn events_of_the_saga_that_differ_in_kind_or_product_differ_in_their_id() {
    let stock = |product_id: &str| Stock {
        product_id: product_id.into(),
        quantity_reserved: 1,
        order_id: order_id(),
        timestamp: Timestamp::BASE,
    };
    let ids = [
        OrderValidated(saga_order()).event_id(),
        OrderCompleted(saga_order()).event_id(),
        ReservationRequested(saga_order()).event_id(),
        ReleaseRequested(saga_order()).event_id(),
        InventoryReserved(stock("SKU-00017")).event_id(),
        InventoryReserved(stock("SKU-00003")).event_id(),
        InventoryReleased(stock("SKU-00017")).event_id(),
    ];
    assert_eq!(std::collections::BTreeSet::from(ids).len(), ids.len());
}

#[test]
fn an_event_of_the_saga_is_refused_where_its_status_is_anothers() {
    let validated = OrderValidated(saga_order()).encode();
    let error = OrderCompleted::decode(&validated).unwrap_err();
    assert_eq!(error.to_string(), r#"status: found "validated", allowed "completed""#);
    let text = String::from_utf8(validated).unwrap().replace("40.03", "40.04");
    let error = OrderValidated::decode(text.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "total_amount: found 40.04, allowed 40.03, the sum of the items");
}
