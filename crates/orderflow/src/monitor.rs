//! `orderflow monitor`: how a cluster with our topics stands, on a terminal, as long as somebody looks.

use std::io::{self, IsTerminal};
use std::thread;
use std::time::Duration;

use ::topology::Topology;
use tracing_subscriber::filter::LevelFilter;

use crate::connect::Brokers;
use crate::{Error, Format, Status, System, logging, print, signals};
use sample::{Sampler, Watched};
use seen::Seen;
use trend::History;

mod keys; // what is pressed, and what is looked at
mod once; // the same for a script
mod sample; // what a cluster says at one moment
mod screen; // what a person sees
mod seen; // all that was heard so far
mod terminal; // taken over, and given back whatever happens
mod trend; // what follows from two samples and more
mod watch; // asks on a thread of its own
mod words; // numbers and trends as a person reads them

const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(60);

/// Shows live how a cluster with our topics stands: records a second, how far each group is behind and whether it catches up, dead
/// letters. Reads no record: it asks for offsets and members alone.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  orderflow monitor --brokers localhost:9092\n  \
    orderflow monitor --once --format json --brokers localhost:9092\n\n\
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
    /// Looks twice, an interval apart, prints that and ends.
    #[arg(long)]
    once: bool,
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
pub(crate) fn execute(args: &Args, topology: &Topology) -> Result<Status, Error> {
    logging::start(LevelFilter::OFF); // it would be written across the screen
    if !args.once && !io::stdout().is_terminal() {
        return Err(Error::Usage(
            "stdout is no terminal: `orderflow monitor --once` prints, with --format text or json".into(),
        ));
    }
    let connection = args.brokers.connection()?;
    let watched = Watched::of(topology, args.system);
    let sampler = Sampler::connect(&connection, &watched)?;
    let first = sampler.take(&watched)?;
    if args.once {
        let mut history = History::default();
        history.add(first);
        thread::sleep(args.interval);
        history.add(sampler.take(&watched)?);
        print(&match args.format {
            Format::Text => once::text(&watched, &history),
            Format::Json => format!("{:#}\n", once::document(connection.brokers(), &watched, &history)),
        })?;
        return Ok(Status::Holds);
    }
    let stop = signals::patient_stop_flag()?;
    let news = watch::start(sampler, watched.clone(), args.interval);
    let seen = Seen::new(connection.brokers(), watched, args.interval, first);
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
