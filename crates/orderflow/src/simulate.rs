//! `orderflow simulate`: the same services in memory, in virtual time, under planted faults; one fault schedule a seed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::ops::Range;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use ::topology::Topology;
use indicatif::ProgressBar;
use serde_json::json;
use simulation::{CrashPoint, Fault, Faults, Order, Report};

use crate::business::Business;
use crate::{Error, Format, Status, System, print, tell};

/// Failures that are told in full; the others are counted.
const FAILURES_TOLD: usize = 3;

/// Runs the services in memory under seeded fault schedules, and audits each.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  orderflow simulate --seeds 0..1000 --orders 200\n  \
    orderflow simulate --seeds 41..42 --faults crash,duplicate\n  orderflow simulate --seed 7 --orders 20000 --faults none --format json")]
pub(crate) struct Args {
    /// The system that runs.
    #[arg(value_enum, default_value_t)]
    pub(crate) system: System,
    /// The fault schedules, FROM..TO without TO; 0..1000, or 0..1 if --seed is given.
    #[arg(long, value_name = "FROM..TO", value_parser = seeds)]
    seeds: Option<Range<u64>>,
    /// Orders in each schedule.
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    orders: u64,
    #[arg(long, default_value = "all", value_name = "LIST", help = faults_help())]
    faults: Faults,
    /// The seed of the orders, apart from the schedules; 0 if absent.
    #[arg(long, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn faults_help() -> String {
    let names: Vec<&str> = Fault::ALL.iter().map(|fault| fault.name()).collect();
    format!("Which faults strike: all, none, or a comma list of {}", names.join(", "))
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let range = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    range
        .filter(|range: &Range<u64>| !range.is_empty())
        .ok_or_else(|| "allowed FROM..TO with FROM below TO, such as 0..1000".to_owned())
}

/// Runs every schedule and prints what came of them.
///
/// # Errors
/// Where the topology does not serve, or stdout cannot be written to.
pub(crate) fn execute(
    args: &Args,
    topology: &Topology,
    business: &dyn Business,
    path: Option<&Path>,
) -> Result<Status, Error> {
    let seed = args.seed.unwrap_or(0);
    let orders: Vec<Order> = (0..args.orders).map(|n| business.order(seed, n)).collect();
    let schedules = args.seeds.clone().unwrap_or(if args.seed.is_some() { 0..1 } else { 0..1_000 });
    let unfit = |error: simulation::broker::Error| Error::Usage(error.to_string());
    let (clean, _) = business.simulate(topology, &orders, 0, Faults::NONE).map_err(unfit)?;
    let clean_digest = business.has_digest().then_some(clean.verdict.digest);
    let faults = business.faults(args.faults);
    let left_out: Vec<&str> = args.faults.iter().filter(|fault| !faults.contains(*fault)).map(Fault::name).collect();
    if !left_out.is_empty() {
        tell(&format!("{} is played without {}", business.name(), left_out.join(", ")));
    }
    let campaign = Campaign { business, topology, args, faults, path, seed, schedules, clean_digest };
    let outcome = campaign.run(&orders).map_err(unfit)?;
    let text = match args.format {
        Format::Text => campaign.text(&outcome),
        Format::Json => campaign.json(&outcome),
    };
    print(&format!("{text}\n"))?;
    Ok(if outcome.failed == 0 { Status::Holds } else { Status::Fails })
}

/// Many schedules over the same orders.
struct Campaign<'a> {
    business: &'a dyn Business,
    topology: &'a Topology,
    args: &'a Args,
    faults: Faults,
    /// The topology's file, unless it is the one built in.
    path: Option<&'a Path>,
    seed: u64,
    schedules: Range<u64>,
    /// What every schedule must come to, as long as no record was corrupted; `None` where the order of arrival decides.
    clean_digest: Option<u128>,
}

/// What came of them, summed up.
#[derive(Default)]
struct Outcome {
    passed: u64,
    failed: u64,
    failures: BTreeMap<u64, String>,
    faults: BTreeMap<Fault, u64>,
    crashes: BTreeMap<CrashPoint, u64>,
    redelivered: u64,
    dead_lettered: u64,
}

impl Campaign<'_> {
    /// Runs the schedules side by side, a thread a core.
    fn run(&self, orders: &[Order]) -> Result<Outcome, simulation::broker::Error> {
        let next = AtomicU64::new(0);
        let outcome = Mutex::new(Outcome::default());
        let total = self.schedules.end - self.schedules.start;
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new(total) } else { ProgressBar::hidden() };
        let work = || {
            loop {
                // Counted from 0: beyond the last of all seeds it would begin anew.
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= total {
                    return Ok(());
                }
                let schedule = self.schedules.start + index;
                let (report, wrong) = self.business.simulate(self.topology, orders, schedule, self.faults)?;
                let failure = self.judge(&report, &wrong);
                outcome.lock().unwrap_or_else(PoisonError::into_inner).add(&report, failure);
                bar.inc(1);
            }
        };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            let threads: Vec<_> = (1..cores).map(|_| scope.spawn(work)).collect();
            let own = work();
            let joined = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            joined.fold(own, Result::and)
        })?;
        bar.finish_and_clear();
        Ok(outcome.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Why a schedule failed, in full; `None` if it passed.
    fn judge(&self, report: &Report, discrepancies: &[String]) -> Option<String> {
        let is_corrupted = report.faults.contains_key(&Fault::Corruption);
        let has_digest = is_corrupted || self.clean_digest.is_none_or(|digest| report.verdict.digest == digest);
        if report.passed() && has_digest && discrepancies.is_empty() {
            return None;
        }
        let mut text = report.to_string();
        for discrepancy in discrepancies {
            let _ = write!(text, "\n  does not add up: {discrepancy}");
        }
        if let Some(clean) = self.clean_digest.filter(|_| !has_digest) {
            let found = report.verdict.digest;
            let _ = write!(text, "\n  digest {found:032x}, without faults {clean:032x}");
        }
        for line in report.log() {
            let _ = write!(text, "\n    {line}");
        }
        let (schedule, Args { orders, faults, .. }) = (report.seed, self.args);
        let _ = write!(
            text,
            "\n  replay: orderflow simulate {} --seeds {schedule}..{} --orders {orders} --faults {faults} --seed {}",
            self.business.name(),
            schedule + 1,
            self.seed
        );
        if let Some(path) = self.path {
            let _ = write!(text, " --topology {}", path.display());
        }
        Some(text)
    }

    fn digest(&self) -> Option<String> {
        // Where records may be corrupted, each schedule has its own.
        let digest = self.clean_digest.filter(|_| !self.faults.contains(Fault::Corruption))?;
        Some(format!("{digest:032x}"))
    }

    fn why_no_digest(&self) -> &'static str {
        if self.clean_digest.is_none() {
            "the order of arrival decides who gets the last piece"
        } else {
            "records were corrupted"
        }
    }

    fn text(&self, outcome: &Outcome) -> String {
        let Range { start, end } = self.schedules;
        let mut text = format!(
            "{}: schedules {start}..{end}, orders in each: {}, of seed {}\n\n",
            self.business.name(),
            self.args.orders,
            self.seed
        );
        if self.faults != Faults::NONE {
            text.push_str("  fault                                               struck\n");
            for fault in self.faults.iter() {
                let _ = writeln!(text, "  {:<46}{:>12}", fault.name(), outcome.faults.get(&fault).unwrap_or(&0));
                if fault == Fault::Crash {
                    for point in CrashPoint::ALL {
                        let count = outcome.crashes.get(&point).unwrap_or(&0);
                        let _ = writeln!(text, "    {:<44}{count:>12}", point.to_string());
                    }
                }
            }
            text.push('\n');
        }
        for failure in outcome.failures.values().take(FAILURES_TOLD) {
            let _ = writeln!(text, "{failure}\n");
        }
        let word = if outcome.failed == 0 { "passed" } else { "FAILED" };
        let _ = write!(
            text,
            "simulation {word}: {} schedules passed, {} failed; {} records redelivered, {} orders {}; digest {}",
            outcome.passed,
            outcome.failed,
            outcome.redelivered,
            outcome.dead_lettered,
            self.business.given_up(),
            self.digest().unwrap_or_else(|| format!("none, because {}", self.why_no_digest()))
        );
        text
    }

    fn json(&self, outcome: &Outcome) -> String {
        let struck: serde_json::Map<String, serde_json::Value> = self
            .faults
            .iter()
            .map(|fault| (fault.name().to_owned(), json!(outcome.faults.get(&fault).unwrap_or(&0))))
            .collect();
        let crashes: serde_json::Map<String, serde_json::Value> =
            outcome.crashes.iter().map(|(point, count)| (point.to_string(), json!(count))).collect();
        let document = json!({
            "system": self.business.name(),
            "seed": self.seed,
            "schedules": { "from": self.schedules.start, "to": self.schedules.end },
            "orders": self.args.orders,
            "faults": struck,
            "crashes": crashes,
            "redelivered": outcome.redelivered,
            "dead_lettered": outcome.dead_lettered,
            "digest": self.digest(),
            "passed": outcome.passed,
            "failed": outcome.failed,
            "failures": outcome.failures.values().take(FAILURES_TOLD).collect::<Vec<_>>(),
        });
        format!("{document:#}")
    }
}

impl Outcome {
    fn add(&mut self, report: &Report, failure: Option<String>) {
        match failure {
            None => self.passed += 1,
            Some(failure) => {
                self.failed += 1;
                self.failures.insert(report.seed, failure);
                // The earliest schedules are kept, whichever thread came first.
                if self.failures.len() > FAILURES_TOLD {
                    self.failures.pop_last();
                }
            }
        }
        for (&fault, count) in &report.faults {
            *self.faults.entry(fault).or_default() += count;
        }
        for (&point, count) in &report.crashes {
            *self.crashes.entry(point).or_default() += count;
        }
        self.redelivered += report.redeliveries;
        self.dead_lettered += report.verdict.dead_lettered;
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use simulation::{Sabotage, Simulation};

    use super::*;
    use crate::business::{Shop, simulated};

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn a_planted_bug_is_told_with_its_schedule_in_words_and_the_command_that_replays_it() {
        let Cli { args } =
            Cli::parse_from(["simulate", "--seeds", "43..46", "--orders", "50", "--faults", "crash", "--seed", "7"]);
        let topology = Topology::built_in().unwrap();
        let business = Shop::new(&topology, "topology.json").unwrap();
        let orders: Vec<Order> = (0..50).map(|n| business.order(7, n)).collect();
        let system = simulated(business.services().iter(), &topology, &business);
        let simulation = Simulation::new(&system, &orders);
        let clean_digest = Some(simulation.run().unwrap().verdict.digest);
        let (business, topology): (&dyn Business, _) = (&business, &topology);
        let campaign = Campaign {
            business,
            topology,
            args: &args,
            faults: args.faults,
            path: None,
            seed: 7,
            schedules: 43..46,
            clean_digest,
        };
        let mut outcome = Outcome::default();
        for schedule in campaign.schedules.clone() {
            let report =
                simulation.schedule(schedule).faults(args.faults).sabotage(Sabotage::DropRecord).run().unwrap();
            outcome.add(&report, campaign.judge(&report, &[]));
        }
        assert_eq!((outcome.passed, outcome.failed), (0, 3));
        let told = &outcome.failures[&44];
        for part in [
            "schedule 44: audit FAILED: 50 accepted, 49 ended",
            "\n  digest ",
            " crashes ",
            "\n  replay: orderflow simulate shop --seeds 44..45 --orders 50 --faults crash --seed 7",
        ] {
            assert!(told.contains(part), "{part} in\n{told}");
        }
        assert!(campaign.text(&outcome).contains("simulation FAILED: 0 schedules passed, 3 failed"));
    }
}
