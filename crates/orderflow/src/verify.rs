//! `orderflow verify`: orders through a deployment, followed to their end, and a report of it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ::topology::Topology;
use serde_json::Value;
use shop::{Rates, order_generator};

use crate::deployment::{Deployment, Place, System, failed};
use crate::share::Share;
use crate::tool::{Interruptions, Stop};
use crate::{Error, Format, Status, console, cost, grouped, print, tell};
use functions::Functions;
use load::Load;
use report::Report;

mod functions; // what their logs tell
mod load; // invocations of order_generator
mod outcomes; // their shares against those configured
mod report; // as text and as JSON

/// How long one look of the audit waits for the groups, and the time between two.
const LOOK_S: u64 = 10;
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Sends orders through a deployment and follows them to their end: audit, outcomes, latency, functions, cost.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What speaks Kafka runs on the console host, over SSH. Orders come from invocations of order_generator.\n\n\
    Examples:\n  orderflow verify --orders 10000\n  orderflow verify --orders 36000 --duration 1h --report report"
)]
pub(crate) struct Args {
    /// How many orders.
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    orders: u64,
    /// Over how long they are spread; without it they come as fast as they can be placed.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// How long the last order may take to its end.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = humantime::parse_duration)]
    wait: Duration,
    /// Where the report goes, as FILE.txt and FILE.json; without it to the deployment's folder, as reports/RUN.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// How the report is printed, too.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Sends, follows, judges, reports.
///
/// # Errors
/// Where there is no deployment, or the report cannot be written.
pub(crate) fn execute(args: &Args, topology: Option<&Topology>) -> Result<Status, Error> {
    let interruptions = Interruptions::heed()?;
    match interruptions.judge(args.verify(topology, &interruptions)) {
        Ok(report) => {
            print(&match args.format {
                Format::Text => report.text(),
                Format::Json => format!("{:#}\n", report.document()),
            })?;
            Ok(if report.holds() { Status::Holds } else { Status::Fails })
        }
        Err(Stop::Interrupted) => {
            tell(
                "interrupted: orders that were placed go on by themselves; `orderflow verify` starts a run of its own",
            );
            Ok(Status::Interrupted)
        }
        Err(Stop::Failed(error)) => Err(error),
    }
}

impl Args {
    fn verify(&self, topology: Option<&Topology>, interruptions: &Interruptions) -> Result<Report, Stop> {
        let folder = self.place.folder(System::Shop)?;
        let Some(deployment) = &Deployment::open(&folder, System::Shop, interruptions)? else {
            let text = format!("{}: there is no deployment: `orderflow deploy` makes one", folder.display());
            return Err(Error::Usage(text).into());
        };
        let topology = &topology.cloned().map_or_else(|| deployment.topology(), Ok)?;
        let rates = Rates::new(topology).map_err(|error| Error::Usage(error.to_string()))?;
        let mut problems = Vec::new();
        let diff = console::ask(deployment, "orderflow topics diff")?;
        if !diff.succeeded {
            problems.push(format!("topics are not as topology.json has them: {} {}", diff.text.trim(), diff.reason));
        }
        let (begun, begun_ms) = (Instant::now(), now_ms());
        let load = Load::new(self.orders, self.duration);
        let placed = load.place(deployment.settings().region.as_str(), interruptions)?;
        let audited = self.follow(deployment, &load, placed.orders, interruptions)?;
        let took = begun.elapsed();
        if !console::passed(&audited) {
            problems.push(format!("the audit did not pass: {}", audited["audit"]));
        }
        if audited["orders"]["accepted"].as_u64().unwrap_or(0) < placed.orders {
            problems.push(format!("order_generator said that it had placed {}", placed.orders));
        }
        let outcomes = outcomes::of(&audited, rates);
        problems.extend(outcomes.iter().filter_map(Share::unlikely));
        let functions = Functions::ask(deployment, topology, begun_ms, placed.invocations, interruptions)?;
        if functions.invocations_of(order_generator::NAME) < placed.invocations {
            let (name, invocations) = (order_generator::NAME, placed.invocations);
            problems.push(format!("{name}'s log tells of fewer than its {invocations} invocations"));
        }
        let cost = cost::an_hour(topology, deployment.settings())? * took.as_secs_f64() / 3_600.0;
        let (run, asked) = (load.run().to_owned(), self.orders);
        let report = Report { run, asked, placed, took, audited, outcomes, functions, cost, problems };
        let place = self.report.clone().unwrap_or_else(|| deployment.path("reports").join(&report.run));
        write(&place, &report)?;
        tell(&format!("report: {0}.txt, {0}.json", place.display()));
        Ok(report)
    }

    /// Looks until every order has ended. A host that is away for a while is asked again.
    fn follow(
        &self,
        deployment: &Deployment,
        load: &Load,
        orders: u64,
        interruptions: &Interruptions,
    ) -> Result<Value, Stop> {
        let begun = Instant::now();
        loop {
            let looked = console::audit(deployment, load.run(), LOOK_S);
            let is_over = begun.elapsed() > self.wait;
            match looked {
                Ok(audited) => {
                    let count = |name: &str| grouped(audited["audit"][name].as_u64().unwrap_or(0));
                    let accepted = audited["orders"]["accepted"].as_u64().unwrap_or(0);
                    tell(&format!(
                        "{} orders stand in Kafka, {} of them not at their end",
                        grouped(accepted),
                        count("unfinished")
                    ));
                    if is_over || (console::passed(&audited) && accepted >= orders) || console::is_final(&audited) {
                        return Ok(audited);
                    }
                }
                Err(error) if is_over => {
                    tell(&error.to_string());
                    return Ok(Value::Null);
                }
                Err(error) => tell(&error.to_string()),
            }
            interruptions.pause(LOOK_EVERY)?;
        }
    }
}

fn write(place: &Path, report: &Report) -> Result<(), Error> {
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    }
    for (extension, text) in [("txt", report.text()), ("json", format!("{:#}\n", report.document()))] {
        let path = place.with_added_extension(extension);
        std::fs::write(&path, text).map_err(|error| failed(&path, &error))?;
    }
    Ok(())
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
