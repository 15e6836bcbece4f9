//! How much the stores do on this machine, with a server of its own: appends of three events to a new stream, updates of two rows, and orders
//! in batches of 1,000, new ones and known ones, from 1, 2 and 8 threads. `cargo run --release -p postgres-store --example throughput [SECONDS]`
#![allow(clippy::print_stdout)] // its figures are its output

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use events::{Cents, EventId, OrderId, Timestamp};
use messaging::store::{
    EventStore, OrderTable, RowKey, RowStore, Rows, Standing, StoreError, StoredEvent, StoredOrder, Storing,
};
use postgres_server::{Options, Server};
use postgres_store::{PostgresEvents, PostgresOrders, PostgresRows, Store};

const PRODUCTS: u64 = 100;
/// Orders that are stored at once.
const BATCH: u64 = 1_000;
/// Batches that are stored again and again.
const KNOWN: u64 = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(5), |seconds| seconds.parse())?;
    let time = Duration::from_secs(seconds);
    for (name, options) in [("fsync", Options::default()), ("no fsync", Options::default().without_fsync())] {
        let server: Server = options.start()?;
        let store = Store::open(&server.url())?;
        let (events, rows, orders) = (store.events(), store.rows(), PostgresOrders::open(&server.url())?);
        for threads in [1, 2, 8] {
            orders.reset()?;
            let appends = rate(threads, time, |n| append(&events, threads, n))?;
            let updates = rate(threads, time, |n| update(&rows, n))?;
            let new = BATCH as f64 * rate(threads, time, |n| store_orders(&orders, n, &Storing::New))?;
            let known = BATCH as f64 * rate(threads, time, |n| store_orders(&orders, n % KNOWN, &Storing::Known))?;
            print!("{name:8}  {threads} threads  {appends:7.0} appends/s  {updates:7.0} updates/s");
            println!("  {new:7.0} new orders/s  {known:7.0} known orders/s");
        }
    }
    Ok(())
}

/// How often a second `what` is done, each time with another number.
fn rate(threads: u64, time: Duration, what: impl Fn(u64) -> Result<(), StoreError> + Sync) -> Result<f64, StoreError> {
    let next = AtomicU64::new(0);
    let begin = Instant::now();
    let work = || {
        while begin.elapsed() < time {
            what(next.fetch_add(1, Ordering::Relaxed))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let gone = |_| StoreError::Away("a thread panicked".into());
        workers.into_iter().try_for_each(|worker| worker.join().map_err(gone)?)
    })?;
    Ok(next.into_inner() as f64 / begin.elapsed().as_secs_f64())
}

fn append(events: &PostgresEvents, threads: u64, n: u64) -> Result<(), StoreError> {
    let stream = OrderId::generated(threads, Timestamp::BASE, n);
    let event = |event_type: &str| StoredEvent {
        event_type: event_type.to_owned(),
        data: format!(r#"{{"event_type":"{event_type}","order_id":"{stream}","customer_id":"c-1","total":49.90}}"#),
        cause: EventId::of(&stream, event_type, "", 1),
        at: Timestamp::BASE,
        recorded_at: Timestamp::BASE,
    };
    let standing = Standing { due_at: Timestamp::BASE.plus_ms(n), is_stuck: false };
    events.append(&stream, 0, &["order_created", "inventory_reserved", "payment_completed"].map(event), Some(standing))
}

/// One of few rows, which others change too, and one that is new.
fn update(rows: &PostgresRows, n: u64) -> Result<(), StoreError> {
    let stock: RowKey = ("stock", format!("product-{}", n % PRODUCTS));
    let reservation: RowKey = ("reservations", format!("{n}-{rows:p}"));
    rows.update(&[stock.clone(), reservation.clone()], &mut |rows: &mut Rows| {
        rows.insert(stock.clone(), Some(n.to_string()));
        rows.insert(reservation.clone(), Some(n.to_string()));
    })
}

/// The batch of this number, each order of which must be as `expected`.
fn store_orders(orders: &PostgresOrders, n: u64, expected: &Storing) -> Result<(), StoreError> {
    let stored = orders.store(&(n * BATCH..(n + 1) * BATCH).map(order).collect::<Vec<_>>())?;
    match stored.iter().find(|storing| *storing != expected) {
        Some(other) => Err(StoreError::Away(format!("{other:?} instead of {expected:?}"))),
        None => Ok(()),
    }
}

/// About 280 bytes.
fn order(number: u64) -> StoredOrder {
    let item = |name: &str| format!(r#"{{"name":"{name}","quantity":2,"price":8.50}}"#);
    StoredOrder {
        order_id: OrderId::numbered(Timestamp::BASE, number),
        customer_id: format!("CUST-{:05}", number % 100),
        items: format!("[{},{}]", item("Margherita Pizza"), item("Lemonade")),
        total_amount: Cents::new(3_400),
        status: "pending".into(),
        created_at: Timestamp::BASE.plus_ms(number),
    }
}
