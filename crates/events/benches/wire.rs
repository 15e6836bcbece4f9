//! Nanoseconds to write and to read each event: `cargo bench -p events --bench wire`.
//!
//! Budget: 1.5 microseconds a record, of which each service spends one reading and one writing.

use std::hint::black_box;

use criterion::Criterion;
use events::shop::{
    InventoryResult, Item, Notification, NotificationAbout, OrderPlaced, OrderShipped, PaymentResult, PaymentStatus,
    StockStatus,
};
use events::{Cents, Event, OrderId, Timestamp};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let (order_id, timestamp) = (OrderId::generated(7, Timestamp::BASE, 0), Timestamp::BASE.plus_ms(120));
    let item =
        |product_id: &str, quantity, cents| Item { product_id: product_id.into(), quantity, price: Cents::new(cents) };

    let items = vec![item("SKU-00017", 2, 1_999), item("SKU-00003", 1, 5)]; // the generator's mean: one to three
    measure(
        &mut criterion,
        &OrderPlaced { order_id: order_id.clone(), timestamp, customer_id: "CUST-00042".into(), items },
    );
    let (status, amount) = (PaymentStatus::Success, Cents::new(4_003));
    measure(&mut criterion, &PaymentResult { order_id: order_id.clone(), timestamp, status, amount });
    let status = StockStatus::Available;
    measure(&mut criterion, &InventoryResult { order_id: order_id.clone(), timestamp, status });
    let tracking_id = "TRK-3F9A0C55D1E2B764".into();
    measure(&mut criterion, &OrderShipped { order_id: order_id.clone(), timestamp, tracking_id });
    let about = NotificationAbout::PaymentDeclined;
    measure(&mut criterion, &Notification { order_id, timestamp, about });

    criterion.final_summary();
}

fn measure<E: Event>(criterion: &mut Criterion, event: &E) {
    let value = event.encode();
    criterion
        .bench_function(&format!("encode/{}", E::EVENT_TYPE), |bencher| bencher.iter(|| black_box(event).encode()));
    criterion.bench_function(&format!("decode/{}", E::EVENT_TYPE), |bencher| {
        bencher.iter(|| E::decode(black_box(&value)));
    });
}
