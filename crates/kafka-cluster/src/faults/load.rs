use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use events::Topic;
use kafka_transport::{Connection, Membership, Pace, Pipeline, Plan};
use messaging::{Outgoing, SteadyRate};

use super::Error;

/// Orders that are handed over in one go, at most.
const CHUNK: u64 = 500;
const PAUSE: Duration = Duration::from_millis(5);

/// Orders at a steady rate, from a thread of their own, until somebody says that it is enough.
pub(crate) struct Load {
    published: Arc<AtomicU64>,
    is_enough: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

/// Which orders.
pub(crate) struct Orders {
    pub(crate) connection: Connection,
    pub(crate) topics: Vec<(Topic, i32)>,
    pub(crate) run: String,
    pub(crate) rate: SteadyRate,
    pub(crate) order: Box<dyn Fn(u64) -> Outgoing + Send>,
}

impl Load {
    pub(crate) fn start(orders: Orders) -> Result<Self, Error> {
        let (published, is_enough) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let pipeline = Pipeline::start(Plan {
            connection: orders.connection.clone(),
            membership: Membership::Shared { instance: None },
            pace: Pace::BROKERS,
            topics: orders.topics.clone(),
            groups: Vec::new(),
            tap: None,
            metrics: None,
            traces: None,
        })?;
        let thread = thread::spawn({
            let (published, is_enough) = (Arc::clone(&published), Arc::clone(&is_enough));
            move || publish(pipeline, &orders, &published, &is_enough)
        });
        Ok(Self { published, is_enough, thread: Some(thread) })
    }

    /// How many orders so far.
    pub(crate) fn published(&self) -> u64 {
        self.published.load(Ordering::Acquire)
    }

    /// Ends it; answers with the number of orders, once all are confirmed.
    pub(crate) fn end(mut self) -> Result<u64, Error> {
        self.is_enough.store(true, Ordering::Release);
        let gone = |_| Err(Error::Process { what: "the load's thread".into(), reason: "it panicked".into() });
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap_or_else(gone))?;
        Ok(self.published.load(Ordering::Acquire))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.is_enough.store(true, Ordering::Release);
    }
}

fn publish(
    mut pipeline: Pipeline,
    orders: &Orders,
    published: &AtomicU64,
    is_enough: &AtomicBool,
) -> Result<(), Error> {
    let started = Instant::now();
    let mut next = 0;
    while !is_enough.load(Ordering::Acquire) {
        pipeline.check()?;
        let elapsed_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let records: Vec<Outgoing> = (next..orders.rate.due(elapsed_us).min(next + CHUNK)).map(&orders.order).collect();
        pipeline.publish(&records, &orders.run);
        next += records.len() as u64;
        published.store(next, Ordering::Release);
        if records.is_empty() {
            thread::sleep(PAUSE);
        }
    }
    pipeline.drain()?;
    Ok(())
}
