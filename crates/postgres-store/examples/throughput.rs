//! How much the store does on this machine, with a server of its own: appends of three events to a new stream, and updates of two rows,
//! from 1 and from 8 threads. `cargo run --release -p postgres-store --example throughput [SECONDS]`
#![allow(clippy::print_stdout)] // its figures are its output

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use events::{EventId, OrderId, Timestamp};
use messaging::store::{EventStore, RowKey, RowStore, Rows, Standing, StoreError, StoredEvent};
use postgres_server::{Options, Server};
use postgres_store::{PostgresEvents, PostgresRows, Store};

const PRODUCTS: u64 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(5), |seconds| seconds.parse())?;
    let time = Duration::from_secs(seconds);
    for (name, options) in [("fsync", Options::default()), ("no fsync", Options::default().without_fsync())] {
        let server: Server = options.start()?;
        let store = Store::open(&server.url())?;
        let (events, rows) = (store.events(), store.rows());
        for threads in [1, 8] {
            let appends = rate(threads, time, |n| append(&events, threads, n))?;
            let updates = rate(threads, time, |n| update(&rows, n))?;
            println!("{name:8}  {threads} threads  {appends:7.0} appends/s  {updates:7.0} updates/s");
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
