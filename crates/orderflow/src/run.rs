//! `orderflow run`: orders through the services on an embedded Kafka or one that is there, and the proof that none was lost and none was doubled.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::topology::Topology;
use clap::Parser;
use kafka_transport::{Connection, Metrics, Pace, Tap};
use messaging::SteadyRate;
use otlp::Traces;
use prometheus_client::registry::Registry;
use tracing_subscriber::filter::LevelFilter;
use uuid::Uuid;

use crate::business::Business;
use crate::clock::now;
use crate::connect::Brokers;
use crate::live::{self, InView, Page};
use crate::page::PageFile;
use crate::server::{Bound, Listen};
use crate::stores::Keep;
use crate::tool::quoted;
use crate::wiring::Wiring;
use crate::{Error, Format, Status, System, logging, resources, seed, signals, tell, traces};
pub(crate) use auditor::{Auditor, MAX_ORDERS};
use cluster::Cluster;
use embedded::Embedded;
use existing::Existing;
use intake::{Intake, Limits};
use orders::Orders;
use page::Occasion;
use progress::Progress;
use summary::Summary;

mod auditor; // the audit on a thread of its own
mod cluster; // the Kafka that the orders take their way through
mod dry_run; // the same events, logged instead of sent
mod embedded; // the cluster inside this process, replaced before it grows slow
mod existing; // a Kafka that is there, with the audit reading beside
mod input; // orders as JSON lines, the bad ones set aside
mod intake; // how many orders may be on their way, and when the next is due
mod orders; // where the orders come from
mod page; // the result, as a page to show around
mod progress; // a bar for a person, lines for a log
mod summary; // the result, as a table or as JSON
mod timeline; // what happened when

/// Runs orders through the services, on an embedded Kafka or on the one at --brokers, and audits the result.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  orderflow run --orders 20000 --seed 7 --format json\n  orderflow run --rate 100 --duration 1m\n  \
    orderflow generate --orders 1000 | orderflow run --input -\n  orderflow run --orders 20000 --report report.html\n  orderflow run --rate 100 --duration 5m --listen 127.0.0.1:8080",
    mut_arg("brokers", |brokers| brokers.help("An Apache Kafka that is there, instead of one within this process").long_help(
        "An Apache Kafka that is there, instead of one within this process. Behind TLS with KAFKA_USERNAME, KAFKA_PASSWORD and \
        KAFKA_CA_FILE or KAFKA_CA_PEM, else in plaintext"
    ))
)]
pub(crate) struct Args {
    /// The system that runs.
    #[arg(value_enum, default_value_t)]
    pub(crate) system: System,
    /// How many orders, up to 20,000,000; 10,000 unless --duration is given.
    #[arg(long, value_name = "N", allow_negative_numbers = true,
        value_parser = clap::value_parser!(u64).range(..=MAX_ORDERS))]
    orders: Option<u64>,
    /// How long orders are taken in: 30s, 5m.
    #[arg(long, allow_negative_numbers = true, value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Orders a second, 1 to 1,000,000; as fast as they go if absent.
    #[arg(long, value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// The seed of the orders; random if absent, and always printed.
    #[arg(long, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Orders from a file, or from stdin with -. One JSON object a line, as `orderflow generate`, or for the saga `generate saga`,
    /// writes them:
    /// {"order_id":"7f3a","event_type":"order_placed","timestamp":"2026-01-01T00:00:00.000Z","customer_id":"CUST-00042",
    /// "items":[{"product_id":"SKU-00017","quantity":2,"price":19.99}],"total":39.98}.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "orders"])]
    input: Option<PathBuf>,
    /// Where refused input lines go, with their numbers and reasons.
    #[arg(long, value_name = "FILE", default_value = "rejects.jsonl", requires = "input")]
    rejects: PathBuf,
    #[command(flatten)]
    brokers: Brokers,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Where the result goes as a page, too: one file of HTML to show around, at most 1 MiB, also where the audit fails.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    listen: Listen,
    /// Logs the events of each order and sends nothing.
    #[arg(long, conflicts_with_all = ["rate", "duration", "format", "brokers", "report", "listen"])]
    dry_run: bool,
}

impl Args {
    /// Whether the Kafka is one within this process.
    fn is_embedded(&self) -> bool {
        self.brokers.brokers.is_none()
    }

    /// What does the same again.
    fn repeated(&self, system: &str, seed: u64, topology: Option<&Path>) -> String {
        let mut words = vec!["orderflow".to_owned(), "run".into(), system.into()];
        let mut option = |name: &str, value: Option<String>| {
            words.extend(value.into_iter().flat_map(|value| [name.to_owned(), quoted(&value)]));
        };
        option("--orders", self.orders.map(|orders| orders.to_string()));
        option("--duration", self.duration.map(|duration| humantime::format_duration(duration).to_string()));
        option("--rate", self.rate.map(|rate| rate.to_string()));
        option("--seed", self.input.is_none().then(|| seed.to_string()));
        option("--input", self.input.as_ref().map(|path| path.display().to_string()));
        option("--brokers", self.brokers.brokers.clone());
        option("--topology", topology.map(|path| path.display().to_string()));
        words.join(" ")
    }

    /// Where the system keeps what it knows: on a Kafka that is there others may work with it.
    pub(crate) fn keep(&self) -> Keep<'static> {
        match (self.dry_run, self.is_embedded()) {
            (true, _) => Keep::InMemory,
            (false, true) => Keep::ForThisRun,
            (false, false) => Keep::Shared(&|| {}),
        }
    }
}

/// Runs, drains, audits, prints.
///
/// # Errors
/// Where the input or the topology does not serve, or the flow breaks off.
pub(crate) fn execute(
    args: &Args,
    topology: &Topology,
    business: &Arc<dyn Business>,
    topology_file: Option<&Path>,
) -> Result<Status, Error> {
    logging::start(if args.dry_run { LevelFilter::INFO } else { LevelFilter::ERROR });
    let seed = seed::or_random(args.seed);
    let input = args.input.iter().flat_map(|input| [input.as_path(), &args.rejects]);
    let needed: Vec<&Path> = input.chain(topology_file).collect();
    let page_file = args.report.as_ref().map(|path| PageFile::at(path, &needed)).transpose()?;
    let bound = args.listen.bind()?.map(Bound::with_page).transpose()?;
    let mut orders = match &args.input {
        Some(path) => Orders::from_file(path, &args.rejects, business)?,
        None => Orders::generated(&**business, seed, args.orders.or(args.duration.is_none().then_some(10_000))),
    };
    // A text names the seed in its first line; what else is printed may break off before it does.
    if args.input.is_none() && args.seed.is_none() && (args.dry_run || args.format == Format::Json) {
        seed::announce(seed);
    }
    if args.dry_run {
        let status = dry_run::execute(business.services(), topology, &mut orders);
        return orders.broken().map_or(Ok(status), Err);
    }
    let mut sight = Sight { traces: traces::start(topology)?, ..Sight::default() };
    let serve = |bound: Bound| {
        let mut registry = Registry::default();
        sight.traces.iter().for_each(|traces| traces.register(&mut registry));
        sight.metrics = Some(Metrics::register(&mut registry));
        business.metrics(&|_| true).into_iter().for_each(|collector| registry.register_collector(collector));
        let name = topology_file.unwrap_or(Path::new("topology.json")).display().to_string();
        let page = Page::new(
            topology,
            &name,
            Some(args.system),
            sight.in_view.clone(),
            vec![bound.address().to_string()],
            live::INTERVAL,
        )?;
        bound.announce();
        bound.serve(registry, None, page)
    };
    let _server = bound.map(serve).transpose()?;
    let run = Run {
        id: Uuid::now_v7().to_string(),
        seed: args.input.is_none().then_some(seed),
        rejects: args.rejects.clone(),
        limits: Limits { rate: args.rate.map(SteadyRate::new), duration: args.duration },
        connection: (!args.is_embedded()).then(|| args.brokers.connection()).transpose()?,
        stop: signals::stop_flag()?,
        sight,
    };
    let progress = Progress::start(business.name(), &run, orders.expected(), args.format);
    let occasion = Occasion {
        began: now(),
        place: run.connection.as_ref().map_or("embedded in the process", |connection| connection.brokers()).to_owned(),
        rate: args.rate,
        command: args.repeated(business.name(), seed, topology_file),
    };
    let summary = run.through(business, topology, &mut orders, &progress)?;
    progress.finish();
    // A page that cannot be written is told after the result.
    let written = page_file.map_or(Ok(()), |file| file.write(&summary.page(&occasion, topology, &**business)));
    summary.print(args.format, topology, &**business)?;
    written?;
    if let Some(path) = &args.report {
        tell(&format!("report: {}", path.display()));
    }
    // An input that broke ends the run like any other: what was accepted is audited first.
    orders.broken().map_or(Ok(summary.status()), Err)
}

struct Run {
    id: String,
    /// `None` where the orders come from a file.
    seed: Option<u64>,
    rejects: PathBuf,
    limits: Limits,
    /// `None` for the embedded cluster.
    connection: Option<Connection>,
    stop: Arc<AtomicBool>,
    sight: Sight,
}

/// What others see of a run while it goes on.
#[derive(Clone, Default)]
struct Sight {
    metrics: Option<Metrics>,
    traces: Option<Traces>,
    /// The cluster that takes new orders.
    in_view: InView,
}

impl Run {
    fn through(
        &self,
        business: &Arc<dyn Business>,
        topology: &Topology,
        orders: &mut Orders<'_>,
        progress: &Progress,
    ) -> Result<Summary, Error> {
        let wiring = Wiring::of(topology, std::slice::from_ref(business));
        let flow = business.flow();
        let auditor = Auditor::start(Arc::clone(&flow));
        let cluster: Box<dyn Cluster> = match &self.connection {
            Some(connection) => Box::new(Existing::start(connection, &wiring, &auditor, flow, &self.id, &self.sight)?),
            None => {
                let pace = if self.limits.rate.is_some() { Pace::STEADY } else { business.full_pace() };
                let tap = Tap::new(flow, auditor.sender());
                Box::new(Embedded::start(wiring, pace, tap, self.sight.clone())?)
            }
        };

        let meter = resources::Meter::start();
        let mut intake = Intake::new(&auditor, cluster, &self.limits, &**business, progress);
        intake.take(orders, &self.id, &self.stop)?;
        let stopped_us = intake.stopped_us();
        let cluster = intake.wait_for_ends()?;
        let usage = meter.read();
        let records = cluster.drain()?;
        traces::finish(self.sight.traces.as_ref());
        let audited = auditor.finish()?;
        // On a Kafka that is there others may be at work: what does not add up now may be on its way.
        let discrepancies =
            if self.connection.is_none() { business.discrepancies(audited.verdict.dead_lettered)? } else { Vec::new() };
        Ok(Summary {
            seed: self.seed,
            run: self.id.clone(),
            rejected: orders.rejected(),
            rejects: self.rejects.clone(),
            records,
            audited,
            discrepancies,
            usage,
            was_interrupted: self.stop.load(Ordering::Acquire),
            stopped_us,
        })
    }
}
