//! `orderflow monitor`: how a cluster with our topics stands, on a terminal, as long as somebody looks.

use std::io::{self, IsTerminal};
use std::thread;
use std::time::{Duration, Instant};

use ::topology::Topology;
use prometheus_client::registry::Registry;
use tracing_subscriber::filter::LevelFilter;

use crate::connect::Brokers;
use crate::live::{InView, Page};
use crate::server::{Bound, Listen};
use crate::{Error, Format, Status, System, logging, print, signals};
use collected::Collected;
pub(crate) use once::document;
pub(crate) use sample::{Sampler, Watched};
pub(crate) use seen::Seen;
pub(crate) use watch::{News, ask};

mod collected; // how a cluster stands, for Prometheus
mod keys; // what is pressed, and what is looked at
mod once; // the same for a script
mod openmetrics; // the text in which workers tell
mod sample; // what a cluster says at one moment
mod screen; // what a person sees
mod seen; // all that was heard so far
mod terminal; // taken over, and given back whatever happens
mod told; // what a worker says at one moment
mod trend; // what follows from two samples and more
mod watch; // asks on threads of its own
mod words; // numbers and trends as a person reads them
mod workers; // what follows from two answers of a worker and more

const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(60);

/// Workers that are asked, at most: each by a thread.
const MOST_WORKERS: usize = 32;

/// Shows live how a cluster with our topics stands: records a second, how far each group is behind and whether it catches up, dead
/// letters; with --worker what services and functions do. Reads no record: it asks for offsets and members alone, unless somebody
/// opens orders or dead letters on the page of --listen.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  orderflow monitor --brokers localhost:9092\n  \
    orderflow monitor --brokers localhost:9092 --worker localhost:9400 --worker localhost:9001\n  \
    orderflow monitor --once --format json --brokers localhost:9092\n  \
    orderflow monitor --listen 127.0.0.1:8080 --brokers localhost:9092\n\n\
    On the screen `?` explains what is seen, and q ends it. Without colours where NO_COLOR is set.")]
pub(crate) struct Args {
    #[command(flatten)]
    brokers: Brokers,
    /// How often the cluster is asked, 250ms to 60s.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = interval)]
    interval: Duration,
    /// Only this system; all of them if absent.
    #[arg(long, value_enum)]
    system: Option<System>,
    /// Where a worker listens (`work --listen`), or the functions of `lambda up`, to be asked what they do; may be given several times.
    #[arg(long = "worker", value_name = "HOST:PORT")]
    workers: Vec<String>,
    /// Looks twice, an interval apart, prints that and ends.
    #[arg(long, conflicts_with = "listen")]
    once: bool,
    #[command(flatten)]
    listen: Listen,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t, requires = "once")]
    format: Format,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (SHORTEST..=LONGEST).contains(&interval) { Ok(interval) } else { Err("allowed 250ms to 60s".into()) }
}

/// Shows it until somebody ends it, or prints it once.
///
/// # Errors
/// Where the call does not serve, or the brokers do not answer or refuse at the start.
pub(crate) fn execute(args: &Args, topology: &Topology, name: &str) -> Result<Status, Error> {
    logging::start(LevelFilter::OFF); // it would be written across the screen
    let is_on_terminal = io::stdout().is_terminal();
    if !args.once && !is_on_terminal && !args.listen.is_given() {
        return Err(Error::Usage(
            "stdout is no terminal: `orderflow monitor --once` prints, with --format text or json, and --listen shows a page".into(),
        ));
    }
    if args.workers.len() > MOST_WORKERS {
        return Err(Error::Usage(format!("--worker: {} of them, allowed {MOST_WORKERS}", args.workers.len())));
    }
    let connection = args.brokers.connection()?;
    let bound = args.listen.bind()?.map(Bound::with_page).transpose()?;
    let watched = Watched::of(topology, args.system);
    let mut sampler = Sampler::connect(&connection, &watched)?;
    let first = sampler.take(&watched)?.whole()?;
    let mut seen = Seen::new(connection.brokers(), watched.clone(), args.interval, first, &args.workers);
    seen.hear(ask(&args.workers, sampler.started()));
    if args.once {
        thread::sleep(args.interval);
        seen.hear(ask(&args.workers, sampler.started()));
        seen.hear(News::Answered(Box::new(sampler.take(&watched)?.whole()?)));
        print(&match args.format {
            Format::Text => once::text(&seen),
            Format::Json => format!("{:#}\n", document(&seen)),
        })?;
        return Ok(Status::Holds);
    }
    let watched_by_prometheus = watched.clone();
    let serve = |bound: Bound| {
        bound.announce();
        let page =
            Page::new(topology, name, args.system, InView::of(&connection), args.workers.clone(), args.interval)?;
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Collected::new(connection.clone(), watched_by_prometheus)));
        bound.serve(registry, None, page)
    };
    // The page has its own, as long as somebody looks: before that this one is gone, or both take memory at once.
    let sampler = is_on_terminal.then_some(sampler);
    let _server = bound.map(serve).transpose()?;
    let Some(sampler) = sampler else {
        let stop = signals::stop_flag()?;
        while !signals::is_stopped_within(Duration::MAX, Instant::now(), &stop) {}
        return Ok(Status::Interrupted);
    };
    let stop = signals::patient_stop_flag()?;
    let news = watch::start(sampler, watched, args.workers.clone(), args.interval);
    terminal::show(seen, &news, &stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_neither_a_burden_nor_an_age() {
        for (text, expected) in [("250ms", true), ("2s", true), ("1m", true), ("249ms", false), ("61s", false)] {
            assert_eq!(interval(text).is_ok(), expected, "{text}");
        }
        assert!(interval("soon").is_err());
    }
}
