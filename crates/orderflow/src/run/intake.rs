use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kafka_transport::MAX_UNREAD_BYTES;
use messaging::audit::Observation;
use messaging::{Outgoing, SteadyRate};
use simulation::Order;

use super::auditor::{Auditor, MAX_ORDERS};
use super::cluster::Cluster;
use super::orders::Orders;
use super::progress::Progress;
use crate::business::Business;
use crate::lines::Next;
use crate::{Error, tell};

/// Orders that may be on their way at once. More raise the rate a little and the latency a lot.
const WINDOW_ORDERS: u64 = 5_000;

/// Orders that are handed over in one go.
const CHUNK: usize = 64;

/// What an order's record takes beyond its value: key, headers, framing.
const OVERHEAD_BYTES: u64 = 200;

/// What bounds the intake beside the orders themselves.
pub(crate) struct Limits {
    /// Orders a second; as fast as they go if absent.
    pub(crate) rate: Option<SteadyRate>,
    /// How long orders are taken in.
    pub(crate) duration: Option<Duration>,
}

/// Hands orders to a cluster, never more at once than the embedded cluster can hold, and waits for their ends.
pub(crate) struct Intake<'a> {
    auditor: &'a Auditor,
    cluster: Box<dyn Cluster>,
    limits: &'a Limits,
    business: &'a dyn Business,
    progress: &'a Progress,
    started_us: u64,
    /// When the first order was due; later where the input kept us waiting.
    schedule_us: u64,
    taken: u64,
    largest_bytes: u64,
    /// When somebody stopped it.
    stopped_us: Option<u64>,
    moved: Moved,
}

/// When something last moved, and how far everything was then.
struct Moved {
    closed: u64,
    handled: u64,
    at: Instant,
}

impl<'a> Intake<'a> {
    pub(crate) fn new(
        auditor: &'a Auditor,
        cluster: Box<dyn Cluster>,
        limits: &'a Limits,
        business: &'a dyn Business,
        progress: &'a Progress,
    ) -> Self {
        let moved = Moved { closed: 0, handled: 0, at: Instant::now() };
        Self {
            auditor,
            cluster,
            limits,
            business,
            progress,
            started_us: auditor.now_us(),
            schedule_us: auditor.now_us(),
            taken: 0,
            largest_bytes: 1,
            stopped_us: None,
            moved,
        }
    }

    /// Takes orders in until they end, the time is over, somebody stops it, or nothing moves any more.
    ///
    /// # Errors
    /// Where the input or the flow breaks.
    pub(crate) fn take(&mut self, orders: &mut Orders<'_>, run: &str, stop: &AtomicBool) -> Result<(), Error> {
        while !stop.load(Ordering::Acquire) && !self.is_over() {
            let room = self.room();
            if room == 0 {
                if !self.wait()? {
                    break;
                }
                continue;
            }
            if self.limits.rate.is_some() {
                self.cluster.prepare()?;
            }
            let (chunk, is_end) = next_chunk(orders, room);
            if !chunk.is_empty() {
                self.hand_over(chunk, run);
            } else if is_end || !self.wait()? {
                break;
            } else {
                self.postpone();
            }
        }
        if stop.load(Ordering::Acquire) {
            self.stopped_us = Some(self.auditor.now_us());
        }
        if self.taken >= MAX_ORDERS {
            tell("no more orders are taken in: the audit remembers 20,000,000");
        }
        Ok(())
    }

    /// When somebody stopped it, by the auditor's clock.
    pub(crate) fn stopped_us(&self) -> Option<u64> {
        self.stopped_us
    }

    /// Waits until every order that was taken in has its end, or nothing moves any more.
    ///
    /// # Errors
    /// Where the flow breaks.
    pub(crate) fn wait_for_ends(mut self) -> Result<Box<dyn Cluster>, Error> {
        while self.auditor.in_flight() > 0 && self.wait()? {}
        Ok(self.cluster)
    }

    /// Waits a little; `false` once nothing has moved for too long although orders are on their way.
    fn wait(&mut self) -> Result<bool, Error> {
        self.cluster.check()?;
        self.auditor.check()?;
        std::thread::park_timeout(Duration::from_millis(1));
        let (closed, handled) = (self.auditor.closed(), self.cluster.handled());
        self.progress.update(closed);
        if (closed, handled) != (self.moved.closed, self.moved.handled) || self.auditor.in_flight() == 0 {
            self.moved = Moved { closed, handled, at: Instant::now() };
        }
        Ok(self.moved.at.elapsed() < self.cluster.stall_deadline() + self.business.longest_wait())
    }

    fn is_over(&self) -> bool {
        let elapsed = Duration::from_micros(self.auditor.now_us() - self.started_us);
        self.taken >= MAX_ORDERS || self.limits.duration.is_some_and(|duration| elapsed >= duration)
    }

    /// How many orders may be handed over now: the window's room, and with a rate those that are due.
    fn room(&self) -> usize {
        let window = WINDOW_ORDERS.min(MAX_UNREAD_BYTES / self.largest_bytes).max(1);
        let free = window.saturating_sub(self.auditor.in_flight());
        let due = match self.limits.rate {
            None => u64::MAX,
            Some(rate) => rate.due(self.auditor.now_us() - self.schedule_us).saturating_sub(self.taken),
        };
        free.min(due).min(MAX_ORDERS - self.taken).min(CHUNK as u64) as usize
    }

    /// Moves the schedule on while the input is silent: no order is due before it is there.
    fn postpone(&mut self) {
        if let Some(rate) = self.limits.rate {
            let due_us = self.schedule_us + rate.due_us(self.taken);
            self.schedule_us += self.auditor.now_us().saturating_sub(due_us);
        }
    }

    /// The audit hears of an order before Kafka does, so that no record of it can come as a surprise.
    fn hand_over(&mut self, chunk: Vec<Order>, run: &str) {
        let now_us = self.auditor.now_us();
        let accepted = (self.taken..).zip(&chunk).map(|(n, order)| {
            let at_us = self.limits.rate.map_or(now_us, |rate| self.schedule_us + rate.due_us(n));
            Observation::Accepted { order_id: order.order_id.clone(), at_us }
        });
        self.auditor.accept(accepted.collect());
        self.taken += chunk.len() as u64;
        chunk.iter().for_each(|order| self.business.taken_in(&order.record));
        let records: Vec<Outgoing> = chunk.into_iter().map(|order| order.record).collect();
        let largest = records.iter().map(|record| record.value.len() as u64 + OVERHEAD_BYTES).max();
        self.largest_bytes = self.largest_bytes.max(largest.unwrap_or(0));
        self.cluster.publish(&records, run);
        self.moved.at = Instant::now(); // however long the input paused before
    }
}

/// The orders that are there, up to `room` of them, and whether they were the last.
fn next_chunk(orders: &mut Orders<'_>, room: usize) -> (Vec<Order>, bool) {
    let mut chunk = Vec::with_capacity(room);
    while chunk.len() < room {
        match orders.next(Duration::ZERO) {
            Next::Line(order) => chunk.push(order),
            Next::Waiting => return (chunk, false),
            Next::End => return (chunk, true),
        }
    }
    (chunk, false)
}
