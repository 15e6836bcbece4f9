use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ::topology::Topology;
use events::Topic;
use kafka_transport::{EmbeddedCluster, Pace};
use lambda_emulator::{CreateSchedule, Emulator, FaultArgs, Options, Packing, ScaledClock};
use tracing_subscriber::filter::LevelFilter;

use super::LOGS;
use super::bodies::{Deployment, schedule};
use super::place::ADDRESS;
use super::secrets::Secrets;
use super::table::{Live, table};
use crate::{Error, Status, logging, package, print, signals, tell, traces};

/// How often the emulator looks whether it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where it goes what the emulator itself logs while the table is on the terminal, beside the functions' logs.
const LOG: &str = "emulator.jsonl";

/// How often a person sees the table anew.
const DRAW_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Brokers without security, or other addresses of those that --credentials name; without both a cluster within this
    /// process.
    #[arg(long, value_name = "HOST:PORT,...")]
    brokers: Option<String>,
    /// The folder that has each service's credentials as SERVICE.env, as `orderflow cluster up` writes it. Each function
    /// and its mappings get those of its own user, as secrets.
    #[arg(long, value_name = "FOLDER")]
    credentials: Option<PathBuf>,
    /// The functions' program, shop-functions; without it the one beside this program.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Where the Invoke API is served.
    #[arg(long, value_name = "HOST:PORT", default_value = ADDRESS)]
    listen: SocketAddr,
    /// Where each function's log goes, as NAME.log.
    #[arg(long, value_name = "FOLDER", default_value = LOGS)]
    logs: PathBuf,
    /// When order_generator places an order by itself: rate(N minutes|hours|days), or off.
    #[arg(long, value_name = "EXPRESSION", default_value = "rate(1 minute)")]
    schedule: String,
    /// How many times faster than the clock the schedule runs, at times of its own; nothing else does.
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    time_scale: u32,
    #[command(flatten)]
    faults: FaultArgs,
    /// Whether functions report single records, in provisioned mode; without it batches fail as a whole.
    #[arg(long)]
    partial: bool,
}

/// Runs the functions until somebody stops it.
///
/// # Errors
/// Where brokers, credentials or the functions' program are not there, or the address is taken.
pub(super) fn execute(args: &Args, topology: &Topology) -> Result<Status, Error> {
    let mut live = Live::on_terminal();
    match live {
        // What is logged would stand in the middle of the table.
        Some(_) => logging::start_in(&args.logs.join(LOG), LevelFilter::WARN)?,
        None => logging::start(LevelFilter::WARN),
    }
    let stop = signals::stop_flag()?;
    let traces = traces::variables()?;
    let topics = topology.topics().map(|topic| (Topic::named(&topic.name), topic.partitions as i32));
    let (named, secrets) = match &args.credentials {
        Some(folder) => {
            Secrets::read(folder, args.brokers.as_deref(), topology).map(|(all, secrets)| (Some(all), secrets))?
        }
        None => (args.brokers.clone(), Secrets::default()),
    };
    let embedded = match named {
        Some(_) => None,
        None => Some(EmbeddedCluster::start(topics)?),
    };
    let brokers = embedded.as_ref().map_or_else(|| named.unwrap_or_default(), EmbeddedCluster::brokers);
    let program = package::program(args.program.as_deref())?;
    let bytes = std::fs::read(&program).map_err(|error| Error::Usage(format!("{}: {error}", program.display())))?;
    let folder = tempfile::tempdir().map_err(Error::failed)?;
    let zip = folder.path().join("function.zip");
    lambda_emulator::pack(&bytes, Packing::Quick)
        .and_then(|bytes| std::fs::write(&zip, bytes))
        .map_err(Error::failed)?;

    let pace = if embedded.is_some() { Pace::STEADY } else { Pace::BROKERS };
    let faults = args.faults.faults();
    let clock = Arc::new(ScaledClock::new(args.time_scale));
    let options = Options { pace, secrets: secrets.texts(), faults, clock, ..Options::new(&args.logs) };
    let emulator = Emulator::start(options).map_err(Error::failed)?;
    let zip = format!("fileb://{}", zip.display());
    let deployment =
        Deployment { topology, brokers: &brokers, secrets: &secrets, reports_failures: args.partial, traces: &traces };
    for name in package::functions(topology) {
        let body = serde_json::from_value(deployment.function(name, &zip)).map_err(Error::failed)?;
        emulator.create_function(&body).map_err(Error::failed)?;
    }
    for body in deployment.mappings() {
        let body = serde_json::from_value(body).map_err(Error::failed)?;
        emulator.create_event_source_mapping(body).map_err(Error::failed)?;
    }
    let server = emulator.serve(args.listen).map_err(|error| Error::Failed(format!("{}: {error}", args.listen)))?;
    let logs = args.logs.display();
    tell(&format!("functions on {brokers}, logs in {logs}, invoke them at http://{}", server.address()));
    if faults.is_any() {
        tell(&format!("faults: {faults}"));
    }
    if args.schedule != "off" {
        let created = CreateSchedule::from_json(schedule(&args.schedule));
        let created = created.and_then(|body| emulator.create_schedule(&body));
        created.map_err(|error| Error::Usage(format!("--schedule {}: {error}", args.schedule)))?;
    }
    let now = || table(&emulator.functions(), &emulator.mappings());
    let mut drawn = Instant::now();
    while !stop.load(Ordering::Acquire) {
        std::thread::sleep(LOOK_EVERY);
        if let Some(live) = live.as_mut().filter(|_| drawn.elapsed() >= DRAW_EVERY) {
            live.draw(&now());
            drawn = Instant::now();
        }
    }
    match &mut live {
        Some(live) => live.draw(&now()),
        None => print(&now())?,
    }
    Ok(Status::Interrupted)
}
