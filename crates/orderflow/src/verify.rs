//! `orderflow verify`: orders through a deployment, followed to their end, and a report of it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ::topology::Topology;
use serde_json::Value;
use shop::{Rates, order_generator};

use crate::deployment::{Deployment, Place, System, failed};
use crate::page::PageFile;
use crate::share::Share;
use crate::tool::{Interruptions, Stop, quoted};
use crate::{Error, Format, Status, clock, console, cost, grouped, print, tell};
use diary::Diary;
use functions::Functions;
use load::Load;
use report::Report;

mod diary; // when what happened
mod functions; // what their logs tell
mod load; // invocations of order_generator
mod outcomes; // their shares against those configured
mod page; // the report, as a page to show around
mod report; // as text and as JSON

/// How long one look of the audit waits for the groups, and the time between two.
const LOOK_S: u64 = 10;
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Sends orders through a deployment and follows them to their end: audit, outcomes, latency, functions, cost.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What speaks Kafka runs on the console host, over SSH. Orders come from invocations of order_generator.\n\n\
    Examples:\n  orderflow verify --orders 10000\n  orderflow verify --orders 36000 --duration 1h --report report.html"
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
    /// Where the report goes, as FILE.txt, FILE.json and FILE.html, a page to show around; without it to the deployment's folder, as
    /// reports/RUN.
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
        let load = Load::new(self.orders, self.duration);
        let place = self.place_of_report(deployment, load.run());
        let page_file = place_of_page(&place)?;
        let mut problems = Vec::new();
        let diff = console::ask(deployment, "orderflow topics diff")?;
        if !diff.succeeded {
            problems.push(format!("topics are not as topology.json has them: {} {}", diff.text.trim(), diff.reason));
        }
        let (began, mut diary) = (clock::now(), Diary::begin());
        let begun_ms = u64::try_from(began.as_ms()).unwrap_or(0);
        let placed = load.place(deployment.settings().region.as_str(), &mut diary, interruptions)?;
        let audited = self.follow(deployment, &load, placed.orders, &mut diary, interruptions)?;
        let took_s = diary.elapsed_s();
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
        let cost = cost::an_hour(topology, deployment.settings())? * took_s / 3_600.0;
        let (run, asked) = (load.run().to_owned(), self.orders);
        let (region, command) = (deployment.settings().region.clone(), self.repeated());
        let report = Report {
            run,
            began,
            region,
            command,
            asked,
            placed,
            took_s,
            diary,
            audited,
            outcomes,
            functions,
            cost,
            problems,
        };
        write(&place, &report)?;
        page_file.write(&report.page())?;
        tell(&format!("report: {0}.txt, {0}.json, {0}.html", place.display()));
        Ok(report)
    }

    /// Without an extension, which of each file is its own.
    fn place_of_report(&self, deployment: &Deployment, run: &str) -> PathBuf {
        let page = self.report.as_ref().map(|path| match path.extension() {
            Some(extension) if extension == "html" => path.with_extension(""),
            _ => path.clone(),
        });
        page.unwrap_or_else(|| deployment.path("reports").join(run))
    }

    /// What does the same again, with other orders.
    fn repeated(&self) -> String {
        let duration = self
            .duration
            .map(|duration| format!(" --duration {}", quoted(&humantime::format_duration(duration).to_string())));
        format!("orderflow verify --orders {}{}{}", self.orders, duration.unwrap_or_default(), self.place.arguments())
    }

    /// Looks until every order has ended. A host that is away for a while is asked again.
    fn follow(
        &self,
        deployment: &Deployment,
        load: &Load,
        orders: u64,
        diary: &mut Diary,
        interruptions: &Interruptions,
    ) -> Result<Value, Stop> {
        let begun = Instant::now();
        loop {
            let looked = console::audit(deployment, load.run(), LOOK_S);
            let is_over = begun.elapsed() > self.wait;
            match looked {
                Ok(audited) => {
                    let count = |name: &str| audited["audit"][name].as_u64().unwrap_or(0);
                    let accepted = audited["orders"]["accepted"].as_u64().unwrap_or(0);
                    tell(&format!(
                        "{} orders stand in Kafka, {} of them not at their end",
                        grouped(accepted),
                        grouped(count("unfinished"))
                    ));
                    diary.ended(accepted.saturating_sub(count("unfinished") + count("lost") + count("dead_lettered")));
                    if is_over || (console::passed(&audited) && accepted >= orders) || console::is_final(&audited) {
                        return Ok(audited);
                    }
                }
                Err(error) => {
                    tell(&error.to_string());
                    diary.unanswered(error.to_string());
                    if is_over {
                        return Ok(Value::Null);
                    }
                }
            }
            interruptions.pause(LOOK_EVERY)?;
        }
    }
}

/// Where the page goes; asked for before an order is placed.
fn place_of_page(place: &Path) -> Result<PageFile, Error> {
    if let Some(folder) = place.parent() {
        let refused = |error| Error::Usage(format!("--report {}: {error}", folder.display()));
        std::fs::create_dir_all(folder).map_err(refused)?;
    }
    PageFile::at(&place.with_added_extension("html"), &[])
}

fn write(place: &Path, report: &Report) -> Result<(), Error> {
    for (extension, text) in [("txt", report.text()), ("json", format!("{:#}\n", report.document()))] {
        let path = place.with_added_extension(extension);
        std::fs::write(&path, text).map_err(|error| failed(&path, &error))?;
    }
    Ok(())
}
