//! `orderflow health`: whether everything that orders need is there.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use ::topology::Topology;
use kafka_transport::Admin;
use serde_json::{Map, Value, json};
use tracing_subscriber::filter::LevelFilter;

use crate::connect::Brokers;
use crate::stores::Database;
use crate::{Error, Format, Status, counted, logging, print, server};

/// How long a worker may take to say how it is.
const WORKER_DEADLINE: Duration = Duration::from_secs(5);

/// Looks whether brokers, topics, the database at DATABASE_URL and workers are there and answer. Nothing is changed.
#[derive(clap::Args)]
#[command(after_help = "Example: orderflow health --brokers localhost:9092 --worker localhost:9400")]
pub(crate) struct Args {
    #[command(flatten)]
    brokers: Brokers,
    /// Where a worker listens (`work --listen`); may be given several times.
    #[arg(long = "worker", value_name = "HOST:PORT")]
    workers: Vec<String>,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Looks at all of it and prints a line for each.
///
/// # Errors
/// Where the settings do not serve.
pub(crate) fn execute(args: &Args, topology: &Topology) -> Result<Status, Error> {
    logging::start(LevelFilter::OFF);
    let connection = args.brokers.connection()?;
    let mut health = Health::default();
    match Admin::connect(&connection).and_then(|admin| Ok((admin.brokers()?.len(), admin))) {
        Err(error) => health.note("kafka", Err(error)),
        Ok((brokers, admin)) => {
            let answer = if brokers == 1 { "answers" } else { "answer" };
            health.note("kafka", Ok::<_, Error>(format!("{} {answer}", counted(brokers as u64, "broker"))));
            health.note("topics", topics(&admin, topology));
        }
    }
    if let Some(database) = Database::of_environment() {
        health.note("database", database.look());
    }
    for worker in &args.workers {
        health.note(&format!("worker {worker}"), ready(worker));
    }
    print(&match args.format {
        Format::Text => health.text(),
        Format::Json => health.json(),
    })?;
    Ok(if health.is_well() { Status::Holds } else { Status::Fails })
}

/// Whether each topic of the topology is there, on all the brokers that should have it.
pub(crate) fn topics(admin: &Admin, topology: &Topology) -> Result<String, Error> {
    let names: Vec<&str> = topology.topics().map(|topic| topic.name.as_str()).collect();
    let found = admin.replicas(&names)?;
    let missing: Vec<&str> = names.iter().copied().filter(|name| !found.contains_key(*name)).collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return Err(Error::Failed(format!("not there: {missing}; `orderflow topics create` makes them")));
    }
    let partitions = || found.values().flatten();
    let headless = partitions().filter(|replicas| !replicas.has_leader).count() as u64;
    let behind = partitions().filter(|replicas| replicas.in_sync < replicas.all).count() as u64;
    let of_all = format!("of {}", partitions().count());
    let what_to_do = "a broker is down or catches up: start it, or wait";
    match (headless, behind) {
        (0, 0) => Ok(format!("all {} are there", names.len())),
        (0, _) => {
            let behind = counted(behind, "partition");
            Err(Error::Failed(format!("{behind} {of_all} on fewer brokers than should have them: {what_to_do}")))
        }
        (_, _) => {
            let headless = counted(headless, "partition");
            Err(Error::Failed(format!("{headless} {of_all} without a leader: {what_to_do}")))
        }
    }
}

/// Asks a worker whether it has its place.
fn ready(worker: &str) -> Result<String, Error> {
    let mut response = server::ask(worker, "/health/ready", WORKER_DEADLINE).map_err(Error::failed)?;
    let said = response.body_mut().read_to_string().map_err(Error::failed)?.trim().to_owned();
    let status = response.status();
    if status.is_success() { Ok(said) } else { Err(Error::Failed(format!("{status}: {said}"))) }
}

/// What was looked at: its name, and how it is or what is wrong with it.
#[derive(Default)]
struct Health(Vec<(String, Result<String, String>)>);

impl Health {
    fn note(&mut self, name: &str, found: Result<String, impl Display>) {
        self.0.push((name.to_owned(), found.map_err(|error| error.to_string())));
    }

    fn is_well(&self) -> bool {
        self.0.iter().all(|(_, found)| found.is_ok())
    }

    fn text(&self) -> String {
        let width = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let mut text = String::new();
        for (name, found) in &self.0 {
            let (word, said) = match found {
                Ok(said) => ("well", said),
                Err(said) => ("ILL ", said),
            };
            // Writing to memory does not fail.
            let _ = writeln!(text, "{name:width$}  {word}  {said}");
        }
        text
    }

    fn json(&self) -> String {
        let one = |(name, found): &(String, Result<String, String>)| {
            let said = match found {
                Ok(said) | Err(said) => said,
            };
            (name.clone(), json!({"healthy": found.is_ok(), "said": said}))
        };
        let parts: Map<String, Value> = self.0.iter().map(one).collect();
        format!("{:#}\n", json!({"healthy": self.is_well(), "parts": parts}))
    }
}
