//! `orderflow`: the operator's command, one file a subcommand.
//!
//! Data goes to stdout, everything else to stderr. Exit status: 0 it holds, 1 it does not, 2 usage or configuration, 3 some
//! input was refused, 130 interrupted.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use ::topology::Topology;
use business::{Business, Food, Saga, Shop};
use clap::{Parser, Subcommand, ValueEnum};
use events::Timestamp;
use stores::Keep;

mod audit; // what the topics tell of a run
mod aws; // the `aws` command
mod business; // what a system is to the commands
mod clock; // the machine's
mod cluster; // a secured Kafka cluster on this machine
mod confirm; // somebody is asked before what cannot be undone
mod connect; // where Kafka is, for every command that needs one
mod console; // what the console host of a deployment is asked
mod cost; // what a run on AWS costs
mod dead_letters; // what services have given up
mod demo; // one order through the saga, step by step
mod deploy; // everything, to AWS
mod deployment; // one on AWS, as its folder keeps it
mod destroy; // one on AWS, without a trace
mod doctor; // what is wrong with a set-up, and what to do
mod generate; // orders as JSON lines
mod health; // whether everything that orders need is there
mod history; // what the event store knows of a saga
mod inject; // events into any topic, some broken on purpose
mod inventory; // Ansible's, from what Terraform made
mod lambda; // the functions behind their mappings on this machine
mod lines; // JSON lines, the bad ones set aside
mod live; // the page that shows a cluster live
mod logging; // log events as JSON lines on stderr
mod manual; // completions and man pages
mod metrics; // names of metrics, and the rules and the dashboard made of them
mod monitor; // how a cluster with our topics stands, live
mod package; // one zip a function
mod page; // what a person can show around
mod programs; // of others, which commands call
mod report; // what run and audit tell alike
mod reset; // our topics and groups emptied
mod resources; // CPU time and peak memory
mod run; // orders through the services, and the proof
mod seed; // drawn where none is given
mod server; // what a process says over HTTP
mod share; // of orders that ended in one way, against what is configured
mod signals; // Ctrl-C and SIGTERM
mod simulate; // the same services under planted faults
mod stages; // how a deployment's are told of
mod stores; // where systems keep what they know
mod sweep; // what of AWS is ours
mod tool; // programs that a deployment calls
mod topics; // our topics on a cluster
mod topology; // what topology.json says
mod trace; // the way of one order through all topics
mod traces; // spans for a collector
mod verify; // a deployment under load, and a report of it
mod wiring; // the topics and groups of a topology, for whatever runs them
mod work; // services as long-running workers

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Event-driven order processing on Kafka: run it, break it, prove that nothing was lost and nothing doubled.
#[derive(Parser)]
#[command(
    version,
    after_help = "Without a command: `orderflow run`.\n\nExample: orderflow run --orders 20000 --seed 7"
)]
struct Cli {
    /// A topology file instead of the one built in.
    #[arg(long, global = true, value_name = "FILE")]
    topology: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Args),
    Generate(generate::Args),
    Inject(inject::Args),
    Simulate(simulate::Args),
    Demo(demo::Args),
    History(history::HistoryArgs),
    Rebuild(history::RebuildArgs),
    #[command(subcommand, after_help = "Example: orderflow topology show")]
    Topology(topology::Command),
    #[command(subcommand, after_help = "Example: orderflow topics diff --brokers localhost:9092")]
    Topics(topics::Command),
    Reset(reset::Args),
    Audit(audit::Args),
    Trace(trace::Args),
    #[command(subcommand, after_help = "Example: orderflow dead-letters list --brokers localhost:9092")]
    DeadLetters(dead_letters::Command),
    Work(work::Args),
    Doctor(doctor::Args),
    Health(health::Args),
    Monitor(monitor::Args),
    #[command(subcommand, after_help = "Example: orderflow metrics alerts >alerts.yml")]
    Metrics(metrics::Command),
    #[command(subcommand, after_help = "Example: orderflow cluster up")]
    Cluster(cluster::Command),
    Package(package::Args),
    Cost(cost::Args),
    Inventory(inventory::Args),
    Deploy(deploy::Args),
    Verify(verify::Args),
    Destroy(destroy::Args),
    #[command(subcommand, after_help = "Example: orderflow lambda up --time-scale 60")]
    Lambda(lambda::Command),
    Completions(manual::CompletionsArgs),
    Man(manual::ManArgs),
}

/// Which of the systems.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum System {
    /// Five services that take, pay, check, ship and notify.
    #[default]
    Shop,
    /// Orders that are paid and reserved, or undone: an orchestrator and four services.
    Saga,
    /// Orders of food, each stored once in PostgreSQL.
    Food,
}

impl System {
    /// The one that is asked for, or all of them.
    fn asked(system: Option<Self>) -> Vec<Self> {
        system.map_or_else(|| Self::value_variants().to_vec(), |system| vec![system])
    }

    /// Which one it is in `topology.json`.
    const fn declared(self) -> ::topology::System {
        match self {
            Self::Shop => ::topology::System::Shop,
            Self::Saga => ::topology::System::OrderSaga,
            Self::Food => ::topology::System::FoodOrders,
        }
    }
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// What was to be shown holds.
    Holds,
    /// It does not.
    Fails,
    /// Some input was refused; the rest holds.
    Refused,
    /// The operator stopped it; what was accepted holds.
    Interrupted,
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The call or a file it names is wrong.
    #[error("{0}")]
    Usage(String),
    /// There is nothing of what was asked for.
    #[error("{0}")]
    Absent(String),
    /// The work broke off.
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// The work broke off for this reason.
    fn failed(reason: impl std::fmt::Display) -> Self {
        Self::Failed(reason.to_string())
    }
}

fn main() -> ExitCode {
    let dot_env = read_dot_env(); // before the command line, whose defaults may stand there
    let cli = Cli::parse(); // ends where help is asked for, whatever stands in the file
    match dot_env.and_then(|()| execute(cli)) {
        Ok(Status::Holds) => ExitCode::SUCCESS,
        Ok(Status::Fails) => ExitCode::from(1),
        Ok(Status::Refused) => ExitCode::from(3),
        Ok(Status::Interrupted) => ExitCode::from(130),
        Err(error) => {
            tell(&format!("error: {error}"));
            ExitCode::from(match error {
                Error::Usage(_) => 2,
                Error::Absent(_) | Error::Failed(_) => 1,
            })
        }
    }
}

/// Takes in the variables of a file `.env` in the folder where we are called; those that are set stay as they are.
fn read_dot_env() -> Result<(), Error> {
    match dotenvy::from_path(".env") {
        Err(dotenvy::Error::LineParse(line, _)) => Err(Error::Usage(unreadable(&line))),
        Err(error) if !error.not_found() => Err(Error::Usage(format!(".env: {error}"))),
        _ => Ok(()),
    }
}

/// Where it is in `.env` that this, the rest of a line, cannot be read. It may be a password: what is told ends before the value.
fn unreadable(rest: &str) -> String {
    let text = std::fs::read_to_string(".env").unwrap_or_default();
    let rest = rest.lines().next().unwrap_or_default().trim_end();
    let is_it = |(_, line): &(usize, &str)| !line.trim_start().starts_with('#') && line.trim_end().ends_with(rest);
    let (place, line) = text
        .lines()
        .enumerate()
        .find(is_it)
        .map_or((String::new(), ""), |(index, line)| (format!(":{}", index + 1), line));
    // What is no name may be the value itself, broken across lines.
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    let name = line.split_once('=').map(|(name, _)| name.trim().trim_start_matches("export ").trim());
    let name = name.filter(|name| is_name(name)).map_or_else(String::new, |name| format!(" of {name}"));
    format!(
        ".env{place}: the value{name} cannot be read: allowed is NAME=VALUE; put one with blanks, quotes, $ or # into '...'"
    )
}

/// Tells a person something, on stderr. Where nobody can be told, the work goes on.
fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn execute(Cli { topology: path, command }: Cli) -> Result<Status, Error> {
    let topology = read_topology(path.as_deref())?;
    let name = path.as_deref().unwrap_or(Path::new("topology.json")).display().to_string();
    let business = |system, keep: Keep<'_>| business(system, &topology, &name, keep);
    let in_memory = |system| business(system, Keep::InMemory);
    let all_in_memory = || in_memory_of(None, &topology, &name);
    match command {
        None => run::execute(&run::Args::parse_from(["run"]), &topology, &in_memory(System::Shop)?, path.as_deref()),
        Some(Command::Run(args)) => {
            run::execute(&args, &topology, &business(args.system, args.keep())?, path.as_deref())
        }
        Some(Command::Generate(args)) => generate::execute(&args, &*in_memory(args.system)?),
        Some(Command::Inject(args)) => inject::execute(&args, &topology, &name, &all_in_memory()?),
        Some(Command::Simulate(args)) => {
            simulate::execute(&args, &topology, &*in_memory(args.system)?, path.as_deref())
        }
        Some(Command::History(args)) => history::show(&args),
        Some(Command::Rebuild(args)) => history::rebuild(&args, &topology, &name),
        Some(Command::Demo(args)) => demo::execute(&args, &topology, &name),
        Some(Command::Topology(topology::Command::Check)) => {
            all_in_memory()?;
            topology::check(&topology)
        }
        Some(Command::Doctor(args)) => doctor::execute(&args, &topology, &name),
        Some(Command::Health(args)) => health::execute(&args, &topology),
        Some(Command::Monitor(args)) => monitor::execute(&args, &topology, &name),
        Some(Command::Metrics(command)) => metrics::execute(&command),
        Some(Command::Work(args)) => work::execute(&args, &topology, &name),
        Some(Command::Cluster(command)) => cluster::execute(&command, &topology, path.as_deref()),
        Some(Command::Topology(topology::Command::Show { format })) => topology::show(format, &topology),
        Some(Command::Topics(command)) => topics::execute(&command, &topology, &name),
        Some(Command::Audit(args)) => {
            let unseen = "DATABASE_URL is not set: the records are judged, and neither money nor stock nor e-mails";
            audit::execute(&args, &topology, &business(args.system, Keep::Shared(&|| tell(unseen)))?)
        }
        Some(Command::Trace(args)) => trace::execute(&args, &topology, &all_in_memory()?),
        Some(Command::DeadLetters(command)) => dead_letters::execute(&command, &topology, &all_in_memory()?),
        Some(Command::Package(args)) => package::execute(&args, &topology),
        Some(Command::Cost(args)) => cost::execute(&args, &topology),
        Some(Command::Inventory(args)) => inventory::execute(&args),
        Some(Command::Deploy(args)) => deploy::execute(&args, path.as_deref()),
        Some(Command::Verify(args)) => verify::execute(&args, path.is_some().then_some(&topology)),
        Some(Command::Destroy(args)) => destroy::execute(&args, &topology),
        Some(Command::Lambda(command)) => lambda::execute(&command, &topology),
        Some(Command::Completions(args)) => manual::completions(&args),
        Some(Command::Man(args)) => manual::man(&args),
        Some(Command::Reset(args)) => reset::execute(&args, &topology),
    }
}

/// A system as `topology` declares it, with what it keeps, if it keeps anything.
fn business(system: System, topology: &Topology, name: &str, keep: Keep<'_>) -> Result<Arc<dyn Business>, Error> {
    Ok(match system {
        System::Shop => Arc::new(Shop::new(topology, name)?),
        System::Saga => Arc::new(Saga::new(topology, name, keep.saga()?)?),
        System::Food => Arc::new(Food::new(topology, name, keep.food()?)?),
    })
}

/// The one that is asked for, or all that `topology` declares, for who reads and keeps nothing.
fn in_memory_of(system: Option<System>, topology: &Topology, name: &str) -> Result<Vec<Arc<dyn Business>>, Error> {
    let is_declared = |system: &System| topology.services_of(system.declared()).next().is_some();
    let systems = System::asked(system).into_iter().filter(is_declared);
    systems.map(|system| business(system, topology, name, Keep::InMemory)).collect()
}

/// Prints the result to stdout. A reader who has closed it has enough.
fn print(text: &str) -> Result<(), Error> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Failed(format!("stdout: {error}"))),
        _ => Ok(()),
    }
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What somebody else has written, so that it is one line, not too long, and no terminal's command.
fn shown(text: &str) -> String {
    const LONGEST: usize = 160;
    let mut shown: String = text
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect::<String>()
        .replace("\\\"", "\"")
        .replace("\\'", "'");
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// A time, or how long ago it was.
fn moment(text: &str) -> Result<SystemTime, String> {
    let ago = || humantime::parse_duration(text).ok().and_then(|ago| SystemTime::now().checked_sub(ago));
    let moment = humantime::parse_rfc3339_weak(text).ok().or_else(ago);
    moment.ok_or_else(|| "allowed a time such as 2026-11-27T09:30:00Z, or how long ago, such as 1h".into())
}

/// When a record was written: milliseconds since 1970, as a time where they are one.
fn written_at(at_ms: i64) -> String {
    Timestamp::from_ms(at_ms).map_or_else(|| format!("{at_ms} ms"), |moment| moment.to_string())
}

/// So many of something, as a person says it.
fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// Where a command keeps its state, unless an option of this name says otherwise.
fn state_folder(name: &str, option: &str) -> Result<PathBuf, Error> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = variable("XDG_STATE_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/state")));
    let missing = || Error::Usage(format!("neither XDG_STATE_HOME nor HOME is set: name a {option}"));
    Ok(state.ok_or_else(missing)?.join("orderflow").join(name))
}

fn read_topology(path: Option<&Path>) -> Result<Topology, Error> {
    let Some(path) = path else {
        return Topology::built_in().map_err(|error| Error::Usage(error.to_string()));
    };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| Error::Usage(format!("{name}: {error}")))?;
    Topology::parse(&name, &text).map_err(|error| Error::Usage(error.to_string()))
}
