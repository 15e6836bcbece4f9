use std::collections::BTreeSet;

use events::saga::{
    Email, EmailAbout, EmailRequested, InventoryRejected, InventoryReleased, InventoryReserved, Item, Order,
    OrderCompleted, OrderCreated, OrderFailed, OrderRefused, OrderValidated, Payment, PaymentCompleted, PaymentFailed,
    PaymentRefunded, PaymentRequested, RefundRequested, ReleaseRequested, ReservationRequested, StatedItem,
    StatedOrder, Stock,
};
use events::{Cents, Event, SignedCents, Timestamp};

use super::{check, order_id};

fn order() -> Order {
    let item = |product_id: &str, quantity, price| Item { product_id: product_id.into(), quantity, price };
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
    check("saga/orders.created.json", &OrderCreated(StatedOrder::from(&order())));
    check("saga/orders.created.impossible.json", &OrderCreated(impossible.clone()));
    check("saga/orders.validated.json", &OrderValidated(order()));
    check("saga/orders.completed.json", &OrderCompleted(order()));
    check("saga/orders.failed.json", &OrderFailed(order()));
    check("saga/orders.failed.refused.json", &OrderRefused(impossible));
    check("saga/inventory.requested.json", &ReservationRequested(order()));
    check("saga/inventory.requested.release.json", &ReleaseRequested(order()));
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
        &EmailRequested(Email { order_id, customer_id, about: EmailAbout::OutOfStock, timestamp }),
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
        OrderValidated(order()).event_id(),
        OrderCompleted(order()).event_id(),
        ReservationRequested(order()).event_id(),
        ReleaseRequested(order()).event_id(),
        InventoryReserved(stock("SKU-00017")).event_id(),
        InventoryReserved(stock("SKU-00003")).event_id(),
        InventoryReleased(stock("SKU-00017")).event_id(),
    ];
    assert_eq!(BTreeSet::from(ids).len(), ids.len());
}

#[test]
fn an_event_of_the_saga_is_refused_where_its_status_is_anothers_or_its_order_makes_no_sense() {
    let validated = OrderValidated(order()).encode();
    let error = OrderCompleted::decode(&validated).unwrap_err();
    assert_eq!(error.to_string(), r#"status: found "validated", allowed "completed""#);
    let text = String::from_utf8(validated).unwrap().replace("40.03", "40.04");
    let error = OrderValidated::decode(text.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "total_amount: found 40.04, allowed 40.03, the sum of the items");
    let twice = OrderValidated(Order { items: vec![order().items[0].clone(); 2], ..order() }).encode();
    let error = OrderValidated::decode(&twice).unwrap_err();
    assert_eq!(error.to_string(), "items[1].product_id: found SKU-00017, allowed each product once");
}
