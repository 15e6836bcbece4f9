//! The wire format, byte for byte: a change of it shows as a change of a file under `tests/golden`.
//!
//! After a change that is meant: `UPDATE_GOLDEN=1 cargo test -p events --test golden`, then read the diff.

#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "a test reads its golden files")]

use std::fmt::Debug;
use std::path::Path;

use events::food::{FoodItem, FoodOrder};
use events::shop::{
    InventoryResult, Item, Notification, NotificationAbout, OrderPlaced, OrderShipped, PaymentResult, PaymentStatus,
    StockStatus,
};
use events::{Cents, Event, OrderId, Timestamp};

#[path = "golden/saga.rs"]
mod saga; // those of the other system

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
fn food_order_is_written_and_read_as_its_golden_file() {
    let item = |name: &str, quantity, price| FoodItem { name: name.into(), quantity, price: Cents::new(price) };
    check(
        "food_order.json",
        &FoodOrder {
            order_id: OrderId::parse("ORD-20260101-00042").unwrap(),
            customer_id: "CUST-00042".into(),
            items: vec![item("Pizza \"Margherita\"", 2, 850), item("Crème brûlée", 1, 575)],
            total_amount: Cents::new(2_275),
            created_at: Timestamp::BASE,
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
