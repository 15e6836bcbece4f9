use std::env;
use std::ops::Range;
use std::time::{Duration, Instant};

use ::topology::Topology;
use events::{Envelope, OrderId, Timestamp, Topic};
use food_orders::food_producer::{self, NUMBERS, ORDER_RATE};
use food_orders::{menu, number};
use kafka_transport::{Connection, Pipeline, Slot, Writer};
use messaging::{Clock, Follows, Outgoing, SteadyRate};

use super::source::{self, PAUSE, Source};
use crate::clock::WallClock;
use crate::{Error, seed};

/// Orders that are confirmed in one go.
const CHUNK: u64 = 1_000;

/// How often orders are tried again that the brokers did not take, and how long it waits before the first time; twice as long each time.
const RETRIES: u32 = 3;
const BACKOFF: Duration = Duration::from_secs(1);

/// How long what is under way may take once it is told to stop.
const FINISH_DEADLINE: Duration = Duration::from_secs(10);

/// One batch is under way at a time.
const SLOT: Slot = 0;

/// Places orders of food at a steady rate: each is confirmed before those behind it are placed.
pub(crate) struct FoodProducer {
    writer: Writer,
    run: OrderId,
    seed: u64,
    orders: u64,
    rate: SteadyRate,
    started: Instant,
    placed: u64,
    /// What is left of the last ticket's numbers, and how many tickets were drawn.
    numbers: Range<u64>,
    drawn: u32,
    batch: Option<Batch>,
}

/// Records on their way.
struct Batch {
    records: Vec<Outgoing>,
    retries: u32,
    /// Until when they wait before they are tried again; `None` while they are under way.
    waits_until: Option<Instant>,
}

impl FoodProducer {
    /// Connects, and begins a run of this id.
    ///
    /// # Errors
    /// Where the rate makes no sense, or the brokers refuse us or do not answer.
    pub(crate) fn start(
        args: &source::Args,
        topology: &Topology,
        connection: &Connection,
        topics: &[(Topic, i32)],
        run: &str,
    ) -> Result<Self, Error> {
        let rate = args.rate.map_or_else(|| stated_rate(topology), Ok)?;
        let seed = seed::or_random(args.seed);
        let writer = Writer::steady(connection, topics)?;
        let service = food_producer::NAME;
        tracing::info!(order_id = "", event_type = "", service, status = "publishing", run, seed, rate, "run begins");
        Ok(Self {
            writer,
            run: OrderId::parse(run).map_err(Error::failed)?,
            seed,
            orders: args.orders.unwrap_or(u64::MAX),
            rate: SteadyRate::new(rate),
            started: Instant::now(),
            placed: 0,
            numbers: 0..0,
            drawn: 0,
            batch: None,
        })
    }

    /// Looks after what is under way; `false` while it is.
    fn settle(&mut self) -> Result<bool, Error> {
        let Some(batch) = &mut self.batch else { return Ok(true) };
        if let Some(until) = batch.waits_until {
            if Instant::now() < until {
                std::thread::sleep(PAUSE);
                return Ok(false);
            }
            batch.waits_until = None;
            write(&self.writer, &batch.records, &self.run);
        }
        match self.writer.result(SLOT) {
            None => {
                std::thread::sleep(Duration::from_micros(200)); // reports arrive on another thread
                Ok(false)
            }
            Some(Err(error)) if batch.retries < RETRIES => {
                let wait = BACKOFF * 2_u32.pow(batch.retries);
                batch.retries += 1;
                batch.waits_until = Some(Instant::now() + wait);
                log_retry(&batch.records, batch.retries, &error);
                Ok(false)
            }
            Some(Err(error)) => {
                let orders = batch.records.len();
                Err(Error::Failed(format!("{orders} records were not confirmed, after {RETRIES} retries: {error}")))
            }
            Some(Ok(offset)) => {
                let batch = self.batch.take();
                self.take(&batch.map(|batch| batch.records).unwrap_or_default(), offset);
                Ok(true)
            }
        }
    }

    /// Takes in that these stand in their topic, the last of them at this offset.
    fn take(&mut self, records: &[Outgoing], offset: i64) {
        if records.first().is_some_and(|record| record.topic == NUMBERS) {
            self.numbers = number::range(u64::try_from(offset).unwrap_or(u64::MAX));
            return;
        }
        self.placed += records.len() as u64;
        for record in records {
            let (service, topic, status) = (food_producer::NAME, record.topic.as_str(), "placed");
            // Read only while somebody reads the log.
            let order_id = || Envelope::of(None, Some(&record.value)).order_id;
            tracing::debug!(order_id = order_id(), event_type = "food_order", service, status, topic, "order placed");
        }
    }

    /// The records to write next; none while no order is due.
    fn next(&mut self) -> Result<Vec<Outgoing>, Error> {
        let at = now()?;
        let elapsed_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let due = self.rate.due(elapsed_us).min(self.orders).saturating_sub(self.placed).min(CHUNK);
        if due > 0 && self.numbers.is_empty() {
            self.drawn += 1;
            return Ok(vec![food_producer::draw(&self.run, self.drawn, at)]);
        }
        let numbers = self.numbers.by_ref().take(due as usize);
        Ok(numbers.map(|number| Outgoing::of(&menu::order(self.seed, OrderId::numbered(at, number), at))).collect())
    }
}

impl Source for FoodProducer {
    fn publish(&mut self, _: &Pipeline) -> Result<bool, Error> {
        if !self.settle()? {
            return Ok(true);
        }
        if self.placed >= self.orders {
            return Ok(false);
        }
        let records = self.next()?;
        if records.is_empty() {
            std::thread::sleep(PAUSE);
            return Ok(true);
        }
        write(&self.writer, &records, &self.run);
        self.batch = Some(Batch { records, retries: 0, waits_until: None });
        Ok(true)
    }

    fn finish(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + FINISH_DEADLINE;
        while !self.settle()? {
            if Instant::now() >= deadline {
                let open = self.batch.as_ref().map_or(0, |batch| batch.records.len());
                let seconds = FINISH_DEADLINE.as_secs();
                return Err(Error::Failed(format!(
                    "{open} records were not confirmed within {seconds} s: they may stand"
                )));
            }
        }
        let (service, run, placed) = (food_producer::NAME, self.run.as_str(), self.placed);
        tracing::info!(order_id = "", event_type = "", service, status = "published", run, placed, "run ends");
        Ok(())
    }
}

fn write(writer: &Writer, records: &[Outgoing], run: &OrderId) {
    writer.open(SLOT);
    records.iter().for_each(|record| writer.publish(SLOT, record, Follows::run(run.as_str())));
    writer.close(SLOT);
}

/// What ORDER_RATE says, else `topology.json`.
fn stated_rate(topology: &Topology) -> Result<u32, Error> {
    const VARIABLE: &str = "ORDER_RATE";
    const ALLOWED: &str = "a whole number of orders a second from 1 to 1000000";
    let is_allowed = |rate: &u32| (1..=1_000_000).contains(rate);
    if let Ok(text) = env::var(VARIABLE) {
        let rate = text.parse().ok().filter(is_allowed);
        return rate.ok_or_else(|| Error::Usage(format!("{VARIABLE}: found {text:?}, allowed {ALLOWED}")));
    }
    let stated = topology.service(food_producer::NAME).and_then(|service| service.setting(ORDER_RATE));
    let rate = stated.and_then(|rate| u32::try_from(rate).ok()).filter(is_allowed);
    rate.ok_or_else(|| {
        let found = stated.map_or_else(|| "nothing".to_owned(), |rate| rate.to_string());
        Error::Usage(format!("services.food_producer.settings.{ORDER_RATE}: found {found}, allowed {ALLOWED}"))
    })
}

fn now() -> Result<Timestamp, Error> {
    let ms = i64::try_from(WallClock.now_ms()).ok().and_then(Timestamp::from_ms);
    ms.ok_or_else(|| Error::Failed("the machine's clock shows no year that an order can have".into()))
}

fn log_retry(records: &[Outgoing], retry: u32, reason: &dyn std::fmt::Display) {
    for record in records {
        let order_id = Envelope::of(None, Some(&record.value)).order_id;
        let (service, topic, status) = (food_producer::NAME, record.topic.as_str(), "retried");
        tracing::warn!(order_id, event_type = "food_order", service, status, topic, retry, %reason, "order not confirmed");
    }
}
