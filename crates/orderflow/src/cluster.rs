//! `orderflow cluster`: a secured Kafka cluster on this machine to play with.

use std::env;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use kafka_cluster::{ADMIN, Detached, Distribution, Node, Options};
use kafka_transport::Admin;
use topology::Topology;
use tracing_subscriber::filter::LevelFilter;

use crate::{Error, Status, logging, print, state_folder, tell};

/// In a cluster's folder: where its database is, and a file with the variable that names it.
const DATABASE: &str = "postgres";
const DATABASE_FILE: &str = "database.env";

/// Starts and ends a secured Kafka cluster on this machine: three ZooKeeper servers, three brokers, TLS, SCRAM and ACLs.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Starts it, and prints where it is and a ready line for every command. One that runs already is left as it is.
    ///
    /// Its users are admin, who may do everything, and each service with the rights that the topology gives it.
    #[command(after_help = "Example: orderflow cluster up")]
    Up(Up),
    /// Ends it and removes all that it wrote, records too.
    #[command(after_help = "Example: orderflow cluster down")]
    Down(Place),
    /// Shows which nodes run and whether the brokers answer.
    #[command(after_help = "Example: orderflow cluster status")]
    Status(Place),
}

/// What is started.
#[derive(clap::Args)]
pub(crate) struct Up {
    #[command(flatten)]
    place: Place,
    /// What is started beside it, or beside one that runs already.
    #[arg(long, value_enum)]
    with: Option<Beside>,
}

/// What a cluster may have beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Beside {
    /// A PostgreSQL of its own, with a password, for what services keep.
    Postgres,
}

/// Where it keeps its settings, credentials, logs and records.
#[derive(clap::Args)]
pub(crate) struct Place {
    /// Where settings, credentials, logs and records are kept; in the home folder's .local/state/orderflow/cluster if absent.
    #[arg(long, value_name = "FOLDER", value_parser = plain_path)]
    folder: Option<PathBuf>,
}

/// What stands in commands that a person pastes, and in files of several kinds.
fn plain_path(text: &str) -> Result<PathBuf, String> {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+@,:=".contains(letter);
    if text.is_empty() || !text.chars().all(is_plain) {
        return Err("allowed are letters, digits and /._-+@,:=".into());
    }
    Ok(text.into())
}

/// Starts, ends or shows it.
///
/// # Errors
/// Where there is no Kafka, a node does not start, or a folder does not serve.
pub(crate) fn execute(command: &Command, topology: &Topology, topology_path: Option<&Path>) -> Result<Status, Error> {
    logging::start(LevelFilter::ERROR);
    let (Command::Up(Up { place, .. }) | Command::Down(place) | Command::Status(place)) = command;
    let (folder, is_default) = match &place.folder {
        Some(folder) => (folder.clone(), false),
        None => (default_folder()?, true),
    };
    let found = folder.exists().then(|| Detached::open(&folder));
    match command {
        Command::Up(Up { with, .. }) => {
            let cluster = up(&folder, found, topology)?;
            let mut database = database(cluster.folder())?;
            if database.is_none() && *with == Some(Beside::Postgres) {
                database = Some(start_database(cluster.folder())?);
            }
            print(&commands(&cluster, database.as_ref(), topology, topology_path, is_default)?)?;
            Ok(Status::Holds)
        }
        Command::Down(_) => down(&folder, found),
        Command::Status(_) => status(&folder, found),
    }
}

/// The database beside a cluster, if it has one.
fn database(folder: &Path) -> Result<Option<postgres_server::Detached>, Error> {
    postgres_server::Detached::open(&folder.join(DATABASE)).map_err(Error::failed)
}

/// Starts one.
fn start_database(folder: &Path) -> Result<postgres_server::Detached, Error> {
    tell("starting PostgreSQL");
    let started = postgres_server::Options::default().start_detached(&folder.join(DATABASE));
    let database = started.map_err(Error::failed)?;
    // As the credentials of Kafka's users: the shell reads it itself.
    let file = folder.join(DATABASE_FILE);
    let url = database.url().map_err(Error::failed)?;
    let write = |mut file: File| writeln!(file, "DATABASE_URL='{url}'");
    let opened = File::options().write(true).create(true).truncate(true).mode(0o600).open(&file);
    opened.and_then(write).map_err(|error| Error::Failed(format!("{}: {error}", file.display())))?;
    Ok(database)
}

type Found = Option<Result<Detached, kafka_cluster::Error>>;

fn up(folder: &Path, found: Found, topology: &Topology) -> Result<Detached, Error> {
    match found {
        Some(Ok(cluster)) => {
            let down = servers(&cluster)?.into_iter().filter(|(_, pid)| pid.is_none()).map(|(name, _)| name);
            let down: Vec<String> = down.collect();
            if !down.is_empty() {
                let down = down.join(", ");
                let hint = "`orderflow cluster down` ends the rest and removes it, `up` then starts it anew";
                return Err(Error::Failed(format!("{}: {down} does not run; {hint}", folder.display())));
            }
            let (answering, all) = answering(&cluster)?;
            if answering < all {
                let hint = "it may still be starting; `orderflow cluster status` shows it";
                return Err(Error::Failed(format!(
                    "{}: {answering} of {all} brokers answer; {hint}",
                    folder.display()
                )));
            }
            tell("it runs already");
            return Ok(cluster);
        }
        // It goes with the cluster: nothing of anybody else may be in it.
        Some(Err(_)) if !is_empty(folder) => {
            let hint = "name a folder that is empty or not there";
            return Err(Error::Usage(format!("{}: not empty, and no cluster of ours; {hint}", folder.display())));
        }
        Some(Err(_)) | None => {}
    }
    let distribution = Distribution::find()?;
    tell("starting three ZooKeeper servers and three brokers");
    Ok(Options::secured(topology).start_detached(&distribution, folder)?)
}

fn down(folder: &Path, found: Found) -> Result<Status, Error> {
    let Some(found) = found else {
        tell(&format!("{}: no cluster there, so nothing to end", folder.display()));
        return Ok(Status::Holds);
    };
    let cluster = found?;
    if let Some(database) = database(cluster.folder())? {
        database.end().map_err(Error::failed)?;
    }
    cluster.end()?;
    tell("the cluster has ended, and its folder is gone");
    Ok(Status::Holds)
}

fn status(folder: &Path, found: Found) -> Result<Status, Error> {
    let Some(found) = found else {
        let hint = "`orderflow cluster up` starts one";
        return Err(Error::Failed(format!("{}: no cluster there; {hint}", folder.display())));
    };
    let cluster = found?;
    let mut text = String::new();
    let servers = servers(&cluster)?;
    for (name, pid) in &servers {
        let state = pid.map_or_else(|| "does not run".to_owned(), |pid| format!("runs, process {pid}"));
        let _ = writeln!(text, "{name:<12} {state}");
    }
    let _ = writeln!(text, "{:<12} {} MiB", "memory", cluster.resident_mib());
    print(&text)?;
    let (answering, brokers) = answering(&cluster)?;
    print(&format!("{:<12} {answering} of {brokers} answer\n", "brokers"))?;
    let all_run = servers.iter().all(|(_, pid)| pid.is_some());
    Ok(if all_run && answering == brokers { Status::Holds } else { Status::Fails })
}

/// How many brokers answer, and of how many.
fn answering(cluster: &Detached) -> Result<(usize, usize), Error> {
    let brokers = cluster.nodes().filter(|(node, _)| matches!(node, Node::Broker(_))).count();
    Ok((Admin::connect(&cluster.connection()?)?.brokers()?.len(), brokers))
}

/// Its nodes and the database beside it, each with the number of its process if it runs.
fn servers(cluster: &Detached) -> Result<Vec<(String, Option<u32>)>, Error> {
    let nodes = cluster.nodes().map(|(node, pid)| (node.to_string(), pid));
    let database = database(cluster.folder())?.map(|database| (DATABASE.to_owned(), database.pid()));
    Ok(nodes.chain(database).collect())
}

/// Where it is, and what can be done with it, as lines to paste.
fn commands(
    cluster: &Detached,
    database: Option<&postgres_server::Detached>,
    topology: &Topology,
    topology_path: Option<&Path>,
    is_default: bool,
) -> Result<String, Error> {
    let mut orderflow = env::args().next().unwrap_or_else(|| "orderflow".into());
    if let Some(path) = topology_path {
        let _ = write!(orderflow, " --topology {}", path.display());
    }
    let folder = cluster.folder().display();
    let place = if is_default { String::new() } else { format!(" --folder {folder}") };
    let connection = cluster.connection()?;
    let brokers = connection.brokers();
    // The shell reads the credentials itself: on a command line everybody on the machine could see them.
    let as_user = |user: &str, command: &str| {
        let credentials = cluster.credentials_file(user);
        let database = database.map(|_| format!(" . {folder}/{DATABASE_FILE};")).unwrap_or_default();
        format!("(set -a; . {};{database} {orderflow} {command})", credentials.display())
    };
    let admin = |command: &str| as_user(ADMIN, command);

    let mut text = format!("brokers      {brokers}\n");
    for user in cluster.users() {
        let _ = writeln!(text, "credentials  {}", cluster.credentials_file(&user).display());
    }
    if database.is_some() {
        let _ = writeln!(text, "database     {folder}/{DATABASE_FILE}");
    }
    let _ = writeln!(text, "logs         {folder}/*/log\n\n{}", admin("topics create"));
    for service in topology.services() {
        let _ = writeln!(text, "{}", as_user(&service.name, &format!("work {}", service.name)));
    }
    if let Some(credentials) = cluster.credentials_file(ADMIN).parent() {
        let _ = writeln!(text, "{orderflow} lambda up --credentials {}", credentials.display());
    }
    let _ = writeln!(text, "{}", admin(&format!("run --brokers {brokers} --orders 100000 --seed 7")));
    let _ = writeln!(text, "{}", admin("audit"));
    if database.is_some() {
        let _ = writeln!(text, "{}\n{}", admin("audit food"), admin("health"));
    }
    let _ = writeln!(text, "{}", admin("reset"));
    let _ = writeln!(text, "{orderflow} cluster status{place}\n{orderflow} cluster down{place}");
    Ok(text)
}

fn default_folder() -> Result<PathBuf, Error> {
    let folder = state_folder("cluster", "--folder")?;
    plain_path(&folder.to_string_lossy()).map_err(|allowed| {
        Error::Usage(format!("{}: {allowed} in a cluster's path: name another --folder", folder.display()))
    })
}

fn is_empty(folder: &Path) -> bool {
    folder.read_dir().is_ok_and(|mut entries| entries.next().is_none())
}

impl From<kafka_cluster::Error> for Error {
    fn from(error: kafka_cluster::Error) -> Self {
        match error {
            kafka_cluster::Error::NoDistribution { .. }
            | kafka_cluster::Error::NotADistribution { .. }
            | kafka_cluster::Error::NoJava => Self::Usage(error.to_string()),
            _ => Self::failed(error),
        }
    }
}
