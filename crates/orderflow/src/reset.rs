//! `orderflow reset`: our topics emptied, our groups at their beginning again.

use kafka_transport::{Admin, Connection};
use topology::Topology;
use tracing_subscriber::filter::LevelFilter;

use crate::connect::Brokers;
use crate::stores::Kept;
use crate::{Error, Status, confirm, grouped, logging, print};

/// Deletes all records of our topics and all offsets of our groups, and all sagas and food orders in the database at DATABASE_URL, if
/// that is set, after a confirmation. Other topics are left alone.
#[derive(clap::Args)]
#[command(after_help = "Example: orderflow reset --brokers localhost:9092")]
pub(crate) struct Args {
    #[command(flatten)]
    brokers: Brokers,
    /// Does it without asking.
    #[arg(long)]
    yes: bool,
}

/// Shows what would be deleted, asks, deletes.
///
/// # Errors
/// Where nobody can be asked or somebody says no, the brokers do not answer or refuse, or a group is at work. Unless the
/// brokers refuse half-way, nothing was deleted then.
pub(crate) fn execute(args: &Args, topology: &Topology) -> Result<Status, Error> {
    logging::start(LevelFilter::ERROR);
    confirm::check(args.yes)?;
    let connection = args.brokers.connection()?;
    let admin = Admin::connect(&connection)?;
    let plan = Plan::of(&admin, topology, Kept::is_named())?;
    admin.check_idle(&plan.groups)?;
    if !args.yes {
        confirm::ask(&plan.question(&connection), "nothing was deleted")?;
    }
    // Its tables are made where they are missing: not before somebody has confirmed, and before anything is deleted.
    let kept = Kept::open()?;
    // Groups go first: one that came to work meanwhile is refused while all records are still there.
    admin.delete_groups(&plan.groups)?;
    let topics: Vec<(&str, u32)> = plan.topics.iter().map(|topic| (topic.name, topic.partitions)).collect();
    admin.empty(&topics)?;
    // Last: services that came to work meanwhile have found nothing to add to it.
    if let Some(kept) = &kept {
        kept.reset()?;
    }
    print(&plan.result())?;
    Ok(Status::Holds)
}

/// What is to be deleted.
struct Plan<'a> {
    topics: Vec<Filled<'a>>,
    missing: Vec<&'a str>,
    groups: Vec<&'a str>,
    /// Whether the database is emptied, too.
    has_database: bool,
}

/// A topic and what it holds.
struct Filled<'a> {
    name: &'a str,
    partitions: u32,
    records: u64,
}

impl<'a> Plan<'a> {
    fn of(admin: &Admin, topology: &'a Topology, has_database: bool) -> Result<Self, Error> {
        let names: Vec<&str> = topology.topics().map(|topic| topic.name.as_str()).collect();
        let found = admin.describe(&names)?;
        let (there, missing): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|&name| found.contains_key(name));
        let filled = |name: &'a str| {
            let partitions = found[name].partitions;
            let logs = admin.offsets(name, partitions)?;
            let records = logs.iter().map(|log| (log.end - log.start) as u64).sum();
            Ok(Filled { name, partitions, records })
        };
        let topics = there.into_iter().map(filled).collect::<Result<_, Error>>()?;
        let groups = topology.groups().map(|(_, consumption)| consumption.group.as_str()).collect();
        Ok(Self { topics, missing, groups, has_database })
    }

    fn question(&self, connection: &Connection) -> String {
        let groups = self.groups.len();
        format!(
            "On {connection:?} all records of these topics are deleted for good, and the offsets of {groups} groups:\n{}\
             {}Type yes to go on.",
            self.rows(),
            if self.has_database {
                "With them go all sagas and food orders in the database at DATABASE_URL.\n"
            } else {
                ""
            }
        )
    }

    fn result(&self) -> String {
        let records = self.topics.iter().map(|topic| topic.records).sum();
        let (topics, groups) = (self.topics.len(), self.groups.len());
        format!(
            "{}{} records of {topics} topics deleted; {groups} groups begin at the first record that is there\n{}",
            self.rows(),
            grouped(records),
            if self.has_database { "the database is empty\n" } else { "" }
        )
    }

    fn rows(&self) -> String {
        let filled = self.topics.iter().map(|topic| (topic.name, format!("{} records", grouped(topic.records))));
        let missing = self.missing.iter().map(|&name| (name, "skipped: it does not exist".to_owned()));
        let rows: Vec<(&str, String)> = filled.chain(missing).collect();
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        rows.iter().map(|(name, text)| format!("  {name:width$}   {text}\n")).collect()
    }
}
