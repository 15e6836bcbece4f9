use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_transport::Pipeline;
use messaging::{Outgoing, SteadyRate};

use crate::business::Business;
use crate::{Error, seed};

/// Orders that are handed over in one go.
const CHUNK: u64 = 256;

/// The longest pause between two looks at the schedule.
pub(super) const PAUSE: Duration = Duration::from_millis(5);

/// What the service that places orders publishes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "order_generator, order_service, food_producer")]
#[group(skip)] // a second group of this name: only debug builds notice, and panic
pub(crate) struct Args {
    /// How many orders; without end if absent.
    #[arg(long, value_name = "N")]
    pub(super) orders: Option<u64>,
    /// Orders a second, 1 to 1,000,000; 10 if absent, for food_producer what ORDER_RATE says.
    #[arg(long, value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) rate: Option<u32>,
    /// The seed of the orders; random if absent, and always logged.
    #[arg(long, allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,
}

impl Args {
    /// Whether any of them was given.
    pub(crate) fn is_given(&self) -> bool {
        self.orders.is_some() || self.rate.is_some() || self.seed.is_some()
    }
}

/// What publishes orders beside the groups.
pub(crate) trait Source {
    /// Publishes what is due, or waits a little for it; `false` once everything is.
    ///
    /// # Errors
    /// Where the brokers have not taken an order, however often it was tried.
    fn publish(&mut self, pipeline: &Pipeline) -> Result<bool, Error>;

    /// Waits for what is under way; the last thing that is asked.
    ///
    /// # Errors
    /// Where the brokers have not taken it in time.
    fn finish(&mut self) -> Result<(), Error> {
        Ok(()) // the pipeline waits for what it was given
    }
}

/// Publishes the orders of a seed at a steady rate.
pub(crate) struct Generator {
    business: Arc<dyn Business>,
    run: String,
    seed: u64,
    orders: u64,
    rate: SteadyRate,
    started: Instant,
    published: u64,
}

impl Generator {
    /// Begins a run of this id.
    pub(crate) fn start(args: &Args, service: &str, business: Arc<dyn Business>, run: String) -> Self {
        let seed = seed::or_random(args.seed);
        tracing::info!(order_id = "", event_type = "", service, status = "publishing", run, seed, "run begins");
        let (orders, rate) = (args.orders.unwrap_or(u64::MAX), SteadyRate::new(args.rate.unwrap_or(10)));
        Self { business, run, seed, orders, rate, started: Instant::now(), published: 0 }
    }
}

impl Source for Generator {
    fn publish(&mut self, pipeline: &Pipeline) -> Result<bool, Error> {
        if self.published == self.orders {
            return Ok(false);
        }
        let elapsed_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let upto = self.rate.due(elapsed_us).min(self.orders).min(self.published + CHUNK);
        if self.published >= upto {
            std::thread::sleep(PAUSE);
            return Ok(true);
        }
        let order = |n| self.business.order(self.seed, n).record;
        let records: Vec<Outgoing> = (self.published..upto).map(order).collect();
        pipeline.publish(&records, &self.run);
        self.published = upto;
        Ok(true)
    }
}
