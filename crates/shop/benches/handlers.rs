//! Nanoseconds for each service to answer a record, and to place one: `cargo bench -p shop --bench handlers`.
//!
//! From the record as it arrived to the records that follow: decode, decide, encode. Budget: 1.5 microseconds a record.
//! Each turn takes another of [`ORDERS`] orders, as a service meets them.

use std::hint::black_box;

use criterion::Criterion;
use events::Timestamp;
use messaging::{Context, Failure, Handler, Outgoing, Rate};
use shop::inventory_manager::{self, InventoryManager};
use shop::notification_handler::{self, NotificationHandler};
use shop::order_generator::{self, generate_order_event};
use shop::payment_processor::{self, PaymentProcessor};
use shop::shipping_handler::{self, ShippingHandler};

const SEED: u64 = 7;
const ORDERS: u64 = 1_000;

fn main() -> Result<(), Failure> {
    let mut criterion = Criterion::default().configure_from_args();
    let rate = |percent| Rate::from_percent(percent).ok_or(Failure::Reject(format!("{percent} is no percentage")));
    let payments = PaymentProcessor { success_rate: rate(90)? };
    let inventory = InventoryManager { available_rate: rate(80)? };

    let mut n = 0;
    criterion.bench_function(&format!("place/{}", order_generator::NAME), |bencher| {
        bencher.iter(|| {
            n += 1;
            Outgoing::of(&generate_order_event(SEED, Timestamp::BASE, black_box(n)))
        });
    });

    let placed: Vec<Outgoing> =
        (0..ORDERS).map(|n| Outgoing::of(&generate_order_event(SEED, Timestamp::BASE, n))).collect();
    let paid = measure(&mut criterion, payment_processor::NAME, &payments, &placed)?;
    let checked = measure(&mut criterion, inventory_manager::NAME, &inventory, &placed)?;
    let ended = measure(&mut criterion, shipping_handler::NAME, &ShippingHandler, &paid)?;
    let news: Vec<Outgoing> = checked.into_iter().chain(ended).collect();
    measure(&mut criterion, notification_handler::NAME, &NotificationHandler, &news)?;

    criterion.final_summary();
    Ok(())
}

/// Measures a service, and gives its answers to all the records.
///
/// # Errors
/// Where it refuses one: then the figures would be those of a refusal.
fn measure(
    criterion: &mut Criterion,
    service: &str,
    handler: &dyn Handler,
    records: &[Outgoing],
) -> Result<Vec<Outgoing>, Failure> {
    let context = Context { service };
    let mut turn = records.iter().cycle();
    criterion.bench_function(&format!("handle/{service}"), |bencher| {
        bencher.iter(|| turn.next().map(|outgoing| handler.handle(&black_box(outgoing.as_record()), &context)));
    });
    let mut answers = Vec::new();
    for outgoing in records {
        answers.append(&mut handler.handle(&outgoing.as_record(), &context)?);
    }
    Ok(answers)
}
