//! `orderflow audit`: what became of the orders of a run, told by the topics of a Kafka cluster alone.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::topology::Topology;
use events::Topic;
use kafka_transport::{Connection, TopicReader};
use messaging::Subscription;
use messaging::audit::Reading;
use tracing_subscriber::filter::LevelFilter;

use crate::business::{Business, topics_of};
use crate::connect::Brokers;
use crate::resources::Meter;
use crate::run::MAX_ORDERS;
use crate::{Error, Format, Status, System, logging, moment};
use conclusion::Conclusion;
use groups::Groups;
pub(crate) use groups::lag;
use judge::Judge;
use order_file::OrderFile;
use runs::Which;

mod conclusion; // the verdicts, as text or as JSON
mod groups; // how far the groups are, and the wait for them
mod judge; // all topics, an audit for each run
mod latency; // of each order
mod order_file; // accepted orders as JSON lines
mod runs; // which runs are judged
mod table; // orders that end in a table

/// Records that are read in one go, and how long the first of them is waited for.
const BATCH: usize = 4_096;
const WAIT: Duration = Duration::from_millis(50);

/// Audits runs from what stands in the topics of a Kafka cluster.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  orderflow audit --brokers localhost:9092\n  orderflow audit --since 1h --no-redeliveries\n  \
    orderflow audit --orders orders.jsonl && orderflow run --input orders.jsonl"
)]
pub(crate) struct Args {
    /// The system whose orders they are.
    #[arg(value_enum, default_value_t)]
    pub(crate) system: System,
    #[command(flatten)]
    brokers: Brokers,
    /// The run, by its id; the newest if absent.
    #[arg(long, value_name = "ID", conflicts_with = "since")]
    run: Option<String>,
    /// Every run that began at this time or later, one verdict each: 2026-11-27T09:30:00Z, or 1h for an hour ago.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<SystemTime>,
    /// How long the groups may take to reach the ends of their topics.
    #[arg(long, default_value = "60s", allow_negative_numbers = true, value_parser = humantime::parse_duration)]
    wait: Duration,
    /// A record that stands twice fails the audit: nothing was killed or retried.
    #[arg(long)]
    no_redeliveries: bool,
    /// How many orders all runs together may have, up to 20,000,000: about 350 bytes of memory each.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, allow_negative_numbers = true,
        value_parser = clap::value_parser!(u64).range(1..=MAX_ORDERS))]
    max_orders: u64,
    /// Where accepted orders are written, each once, as `orderflow run --input` reads them.
    #[arg(long, value_name = "FILE")]
    orders: Option<PathBuf>,
    /// How the result is printed; with --since one JSON document a run.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Waits for the groups, reads, judges, prints.
///
/// # Errors
/// Where the settings do not serve, no such run is found, or the brokers do not answer or refuse.
pub(crate) fn execute(args: &Args, topology: &Topology, business: &Arc<dyn Business>) -> Result<Status, Error> {
    logging::start(LevelFilter::ERROR);
    if let Some(table) = business.table() {
        return table::execute(args, topology, &**business, table);
    }
    let connection = args.brokers.connection()?;
    let mut orders = args.orders.as_deref().map(|path| OrderFile::create(path, Arc::clone(business))).transpose()?;
    let flow = Flow::new(topology, &**business);
    let conclusion = args.judge(&connection, &**business, &flow, orders.as_mut())?;
    let status = conclusion.print(args.format, topology, &**business)?;
    orders.map_or(Ok(()), OrderFile::finish)?;
    Ok(status)
}

impl Args {
    fn judge(
        &self,
        connection: &Connection,
        business: &dyn Business,
        flow: &Flow,
        orders: Option<&mut OrderFile>,
    ) -> Result<Conclusion, Error> {
        let meter = Meter::start();
        let mut reader = TopicReader::connect(connection)?;
        let which = Which::of(self.run.as_deref(), self.since);
        let runs = which.find(&mut reader, &flow.entries(), self.max_orders)?;
        let groups = Groups::connect(connection, &reader, flow)?;
        let reached = groups.wait(&reader, self.wait, || business.is_at_rest())?;
        let mut judge = Judge::new(flow, runs, &reached, self.max_orders, orders);
        judge.read(&mut reader, &which)?;
        let (runs, peak_rss_mib) = (judge.conclude()?, meter.read().peak_rss_mib);
        // While something is on its way it does not add up yet. An e-mail's record that was handled is the audit's to judge.
        let discrepancies = if reached.is_drained() { business.discrepancies(u64::MAX)? } else { Vec::new() };
        Ok(Conclusion { runs, reached, discrepancies, no_redeliveries: self.no_redeliveries, peak_rss_mib })
    }
}

/// A system's topics, its groups, and what its records mean.
struct Flow {
    means: Arc<dyn messaging::audit::Flow>,
    topics: Vec<Topic>,
    subscriptions: Vec<Subscription>,
    reading: Reading,
}

impl Flow {
    fn new(topology: &Topology, business: &dyn Business) -> Self {
        let subscriptions: Vec<Subscription> = business.services().iter().map(|(group, _)| group.clone()).collect();
        Self {
            means: business.flow(),
            topics: topics_of(topology, business.system()).into_iter().map(|(topic, _)| topic).collect(),
            reading: Reading::new(business.flow(), subscriptions.iter().cloned()),
            subscriptions,
        }
    }

    /// The topics by which orders enter.
    fn entries(&self) -> Vec<Topic> {
        self.topics.iter().copied().filter(|&topic| self.reading.takes_in(topic)).collect()
    }
}
