use std::env;
use std::ops::Range;
use std::time::{Duration, Instant, SystemTime};

use ::topology::Topology;
use events::food::FoodOrder;
use events::{Envelope, Event, OrderId, Timestamp, Topic};
use food_orders::food_producer::{self, NUMBERS, ORDER_RATE};
use food_orders::{menu, number};
use kafka_transport::{Connection, Pipeline, Slot, Writer};
use messaging::{Clock, Follows, Outgoing, SteadyRate};
use otlp::{Traces, entered};

use super::delivery::Delivery;
use super::source::{self, PAUSE, Source};
use crate::clock::WallClock;
use crate::{Error, counted, seed};

/// Orders that are confirmed in one go.
const CHUNK: u64 = 1_000;

/// How long what is under way may take once it is told to stop.
const FINISH_DEADLINE: Duration = Duration::from_secs(10);

/// One batch is under way at a time.
const SLOT: Slot = 0;

/// Places orders of food at a steady rate: each is confirmed before those behind it are placed.
pub(crate) struct FoodProducer {
    writer: Writer,
    traces: Option<Traces>,
    run: OrderId,
    seed: u64,
    orders: u64,
    rate: SteadyRate,
    started: Instant,
    placed: u64,
    /// What is left of the last ticket's numbers, and how many tickets were drawn.
    numbers: Range<u64>,
    drawn: u32,
    delivery: Option<Delivery>,
}

impl FoodProducer {
    /// Connects, and begins a run of this id.
    ///
    /// # Errors
    /// Where the brokers refuse us, do not answer, or lack one of the topics.
    pub(crate) fn start(
        args: &source::Args,
        rate: u32,
        connection: &Connection,
        topics: &[(Topic, i32)],
        run: &str,
        traces: Option<Traces>,
    ) -> Result<Self, Error> {
        let seed = seed::or_random(args.seed);
        let writer = Writer::steady(connection, topics)?;
        writer.find(&[FoodOrder::TOPIC, NUMBERS])?;
        let service = food_producer::NAME;
        tracing::info!(order_id = "", event_type = "", service, status = "publishing", run, seed, rate, "run begins");
        Ok(Self {
            writer,
            traces,
            run: OrderId::parse(run).map_err(Error::failed)?,
            seed,
            orders: args.orders.unwrap_or(u64::MAX),
            rate: SteadyRate::new(rate),
            started: Instant::now(),
            placed: 0,
            numbers: 0..0,
            drawn: 0,
            delivery: None,
        })
    }

    /// Looks after what is under way; `false` while it is.
    fn settle(&mut self) -> Result<bool, Error> {
        let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let Some(delivery) = &mut self.delivery else { return Ok(true) };
        if delivery.is_due(now_ms) {
            write(&self.writer, delivery.records(), &self.run, self.traces.as_ref());
        }
        if delivery.waits() {
            std::thread::sleep(PAUSE);
            return Ok(false);
        }
        match self.writer.result(SLOT) {
            None => {
                std::thread::sleep(Duration::from_micros(200)); // reports arrive on another thread
                Ok(false)
            }
            Some(Err(error)) => {
                let Some(retry) = delivery.failed(error.may_pass(), &self.run, now_ms) else {
                    let records = counted(delivery.records().len() as u64, "record");
                    return Err(Error::Failed(format!("{records} not confirmed: {error}")));
                };
                log_retry(delivery.records(), retry, &error);
                Ok(false)
            }
            Some(Ok(offset)) => {
                let delivery = self.delivery.take();
                self.take(&delivery.map(Delivery::into_records).unwrap_or_default(), offset);
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
            tracing::debug!(
                order_id = order_id(),
                event_type = FoodOrder::EVENT_TYPE,
                service,
                status,
                topic,
                "order placed"
            );
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
        write(&self.writer, &records, &self.run, self.traces.as_ref());
        self.delivery = Some(Delivery::of(records));
        Ok(true)
    }

    fn finish(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + FINISH_DEADLINE;
        while !self.settle()? {
            if Instant::now() >= deadline {
                let open = self.delivery.as_ref().map_or(0, |delivery| delivery.records().len() as u64);
                let (open, seconds) = (counted(open, "record"), FINISH_DEADLINE.as_secs());
                return Err(Error::Failed(format!("{open} not confirmed within {seconds} s: they may stand")));
            }
        }
        let (service, run, placed) = (food_producer::NAME, self.run.as_str(), self.placed);
        tracing::info!(order_id = "", event_type = "", service, status = "published", run, placed, "run ends");
        Ok(())
    }
}

fn write(writer: &Writer, records: &[Outgoing], run: &OrderId, traces: Option<&Traces>) {
    writer.open(SLOT);
    for record in records {
        // A ticket is nobody's order.
        let traces = traces.filter(|_| record.topic != NUMBERS);
        let follows = entered(traces, record, Follows::run(run.as_str()), SystemTime::now);
        writer.publish(SLOT, record, follows);
    }
    writer.close(SLOT);
}

/// Orders a second: what is asked for, else what ORDER_RATE says, else `topology.json`.
///
/// # Errors
/// Where that is no rate.
pub(crate) fn rate(args: &source::Args, topology: &Topology) -> Result<u32, Error> {
    const VARIABLE: &str = "ORDER_RATE";
    const ALLOWED: &str = "a whole number of orders a second from 1 to 1000000";
    let is_allowed = |rate: &u32| (1..=1_000_000).contains(rate);
    if let Some(rate) = args.rate {
        return Ok(rate);
    }
    if let Some(text) = env::var_os(VARIABLE).filter(|text| !text.is_empty()) {
        let rate = text.to_str().and_then(|text| text.parse().ok()).filter(is_allowed);
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
        let Envelope { order_id, event_type } = Envelope::of(None, Some(&record.value));
        // An order names no type, a ticket does.
        let event_type = if event_type.is_empty() { FoodOrder::EVENT_TYPE } else { &event_type };
        let (service, topic, status) = (food_producer::NAME, record.topic.as_str(), "retried");
        tracing::warn!(order_id, event_type, service, status, topic, retry, %reason, "record not confirmed");
    }
}
