//! `orderflow inject`: events as somebody else wrote them, into any topic of ours, some of them broken or doubled on purpose.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::topology::Topology;
use events::{OrderId, Topic};
use kafka_transport::Writer;
use messaging::Rate;
use serde_json::json;
use tracing_subscriber::filter::LevelFilter;
use uuid::Uuid;

use crate::business::{Business, ReadEvent};
use crate::connect::Brokers;
use crate::lines::{Lines, Sieve};
use crate::{Error, Format, Status, counted, grouped, logging, print, seed, shown, signals, tell};
use choice::Choice;
use injection::{Count, Injection};

mod choice; // which lines are broken or doubled
mod injection; // their records, written and confirmed

/// Writes events to a topic, such as `orderflow generate` prints them or copied from a topic: the value of one record a line. Each is held
/// against what the topic carries first; a line that is no such event is set aside.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  orderflow generate --orders 1000 --seed 7 | orderflow inject order_placed - --corrupt 5% --duplicate 10%\n  \
    echo '{\"order_id\":\"7f3a\",\"event_type\":\"payment_result\",\"timestamp\":\"2026-01-01T00:00:00.000Z\",\"status\":\"success\",\"amount\":39.98}' \
    | orderflow inject payment_result -"
)]
pub(crate) struct Args {
    /// The topic, which services write or read; none of dead letters.
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// A file of JSON lines; stdin for -.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    brokers: Brokers,
    /// So many lines are broken after they were found good, so that services give them up, such as 5%: the value ends in its middle, the key
    /// and the headers stay.
    #[arg(long, value_name = "SHARE", default_value_t)]
    corrupt: Rate,
    /// So many lines are written twice, such as 10%: the same bytes, the same event id.
    #[arg(long, value_name = "SHARE", default_value_t)]
    duplicate: Rate,
    /// How long to wait before each record but the first: 20ms, 1s.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    delay: Option<Duration>,
    /// Decides with its number what becomes of a line; random if absent, and always printed.
    #[arg(long, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// The run that the records join, by which `orderflow audit` finds them; a new one if absent, and always printed.
    #[arg(long, value_name = "ID", value_parser = run)]
    run: Option<String>,
    /// Where refused lines go, with their numbers and reasons.
    #[arg(long, value_name = "FILE", default_value = "rejects.jsonl")]
    rejects: PathBuf,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The id of a run, which stands in headers and on command lines.
fn run(text: &str) -> Result<String, String> {
    OrderId::parse(text).map(|id| id.to_string()).map_err(|_| format!("allowed {}", OrderId::ALLOWED))
}

/// Reads, writes, prints what became of the lines.
///
/// # Errors
/// Where the topic or the file does not serve, the brokers refuse us or do not answer, or a record is not confirmed.
pub(crate) fn execute(
    args: &Args,
    topology: &Topology,
    file: &str,
    businesses: &[Arc<dyn Business>],
) -> Result<Status, Error> {
    logging::start(LevelFilter::ERROR);
    let (topic, partitions, read) = carried(&args.topic, topology, file, businesses)?;
    let connection = args.brokers.connection()?;
    let lines = Lines::open(&args.file, args.file.display().to_string())?;
    let writer = Writer::steady(&connection, &[(topic, partitions)])?;
    writer.find(&[topic])?;

    let stop = signals::stop_flag()?;
    let seed = seed::or_random(args.seed);
    let run = args.run.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
    tell(&format!("run {run}, seed {seed}")); // what is interrupted for good was at least told by which name it goes on
    let mut good = Sieve::start(lines, &args.rejects, move |line, number| Ok((number, read(line)?)))?;
    let choice = Choice { seed, corrupt: args.corrupt, duplicate: args.duplicate };
    let mut injection = Injection::new(writer, choice, &run, args.delay.unwrap_or_default(), &stop);
    let injected = injection.take(&mut good);

    let was_interrupted = injection.is_stopped();
    let result = Injected { args, topic, run: &run, seed, count: injection.count(), refused: good.refused() };
    print(&match args.format {
        Format::Text => result.text(),
        Format::Json => format!("{:#}\n", result.document()),
    })?;
    let status = result.status(was_interrupted);
    injected?;
    good.broken().map_or(Ok(status), Err)
}

/// The topic, its partitions, and how the events that it carries are read.
///
/// # Errors
/// Where there is none of this name, or it is one of dead letters.
fn carried(
    name: &str,
    topology: &Topology,
    file: &str,
    businesses: &[Arc<dyn Business>],
) -> Result<(Topic, i32, ReadEvent), Error> {
    if let Some((service, group)) = topology.dead_letter_of(name) {
        let (service, topic) = (&service.name, &group.topic);
        return Err(Error::Usage(format!(
            "{name}: only {service} writes there, what it gives up; to have it do so: `orderflow inject {topic} FILE --corrupt 100%`"
        )));
    }
    let found = topology.topic(name).and_then(|found| {
        let topic = Topic::named(name);
        let read = businesses.iter().find_map(|business| business.reader(topic))?;
        Some((topic, found.partitions as i32, read))
    });
    found.ok_or_else(|| {
        let hint = match topology.nearest_topic(name) {
            Some(near) => format!(", did you mean `{near}`?"),
            None => "; `orderflow topology show` lists those that there are".to_owned(),
        };
        Error::Usage(format!("{file}: no topic `{}` that events go to{hint}", shown(name)))
    })
}

/// What became of the lines.
struct Injected<'a> {
    args: &'a Args,
    topic: Topic,
    run: &'a str,
    seed: u64,
    count: Count,
    refused: u64,
}

impl Injected<'_> {
    fn status(&self, was_interrupted: bool) -> Status {
        match (was_interrupted, self.refused) {
            (true, _) => Status::Interrupted,
            (false, 0) => Status::Holds,
            (false, _) => Status::Refused,
        }
    }

    fn read(&self) -> u64 {
        self.count.lines + self.refused
    }

    fn document(&self) -> serde_json::Value {
        let Count { written, corrupted, duplicated, .. } = self.count;
        json!({
            "topic": self.topic.as_str(),
            "run": self.run,
            "seed": self.seed,
            "read": self.read(),
            "refused": self.refused,
            "written": written,
            "corrupted": corrupted,
            "duplicated": duplicated,
        })
    }

    fn text(&self) -> String {
        let Self { args, topic, run, seed, .. } = self;
        let Count { written, corrupted, duplicated, .. } = self.count;
        let read = counted(self.read(), "line");
        let file = shown(&args.file.display().to_string());
        let mut text = format!("{topic}: {read} of {file}, run {run}, seed {seed}\n");
        let mut row = |name: &str, count: u64, what: &str| {
            text.push_str(&format!("  {name:<11} {:>10} {what}\n", grouped(count)));
        };
        row("written", written, "confirmed");
        row("corrupted", corrupted, "of them");
        row("duplicated", duplicated, "of them, which stood there already");
        let rejects = shown(&args.rejects.display().to_string());
        row(
            "refused",
            self.refused,
            &if self.refused == 0 { "of the lines".into() } else { format!("of the lines, see {rejects}") },
        );
        text
    }
}
