//! How many orders a second the table of orders takes on this machine, with a server of its own that confirms what is on disk: batches of 1,000
//! new ones, from 1 and from 2 threads, then the same ones again. `cargo run --release -p postgres-store --example sink [SECONDS]`
#![allow(clippy::print_stdout)] // its figures are its output

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use events::{Cents, OrderId, Timestamp};
use messaging::store::{OrderTable, StoreError, StoredOrder, Storing};
use postgres_server::Options;
use postgres_store::PostgresOrders;

const BATCH: u64 = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(5), |seconds| seconds.parse())?;
    let time = Duration::from_secs(seconds);
    for threads in [1, 2] {
        let server = Options::default().start()?;
        let table = PostgresOrders::open(&server.url())?;
        let (new, batches) = rate(&table, threads, time, u64::MAX, &Storing::New)?;
        let (known, _) = rate(&table, threads, time, batches, &Storing::Known)?;
        println!("{threads} threads  {new:7.0} new orders/s  {known:7.0} known orders/s");
    }
    Ok(())
}

/// Orders a second, and how many batches that were. No batch has a number of `end` or above.
fn rate(
    table: &PostgresOrders,
    threads: u64,
    time: Duration,
    end: u64,
    expected: &Storing,
) -> Result<(f64, u64), Box<dyn Error>> {
    let next = AtomicU64::new(0);
    let begin = Instant::now();
    let work = || {
        while begin.elapsed() < time {
            let number = next.fetch_add(1, Ordering::Relaxed) % end;
            let stored = table.store(&(number * BATCH..(number + 1) * BATCH).map(order).collect::<Vec<_>>())?;
            if let Some(other) = stored.iter().find(|storing| *storing != expected) {
                return Err(StoreError::Away(format!("{other:?} instead of {expected:?}")));
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let gone = |_| StoreError::Away("a thread panicked".into());
        workers.into_iter().try_for_each(|worker| worker.join().map_err(gone)?)
    })?;
    let batches = next.into_inner();
    Ok(((batches * BATCH) as f64 / begin.elapsed().as_secs_f64(), batches))
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
