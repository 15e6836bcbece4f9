//! `orderflow topics`: the topics of `topology.json` on a cluster, compared and made so.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use clap::Subcommand;
use kafka_transport::{Admin, Connection, TopicShape};
use topology::{Topic, Topology};
use tracing_subscriber::filter::LevelFilter;

use crate::connect::Brokers;
use crate::{Error, Status, counted, logging, print, tell};

/// How long brokers that are just starting are waited for.
const BROKERS_DEADLINE: Duration = Duration::from_secs(3);

/// How long to wait before looking again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How long brokers may take to tell each other what was changed.
const SETTLE_DEADLINE: Duration = Duration::from_secs(10);

/// Creates our topics on a Kafka cluster, or shows what differs.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Creates what is missing, adds partitions, sets retention and the largest batch. Other topics are left alone.
    #[command(after_help = "Example: orderflow topics create --brokers localhost:9092")]
    Create(Brokers),
    /// Shows what differs from the topology, and changes nothing.
    #[command(after_help = "Example: orderflow topics diff --brokers localhost:9092")]
    Diff(Brokers),
}

/// Compares, and makes it so if that is asked; `file` is what the topology is called.
///
/// # Errors
/// Where the settings do not serve, or the brokers do not answer or refuse.
pub(crate) fn execute(command: &Command, topology: &Topology, file: &str) -> Result<Status, Error> {
    logging::start(LevelFilter::ERROR);
    let (Command::Create(brokers) | Command::Diff(brokers)) = command;
    let connection = brokers.connection()?;
    let cluster = Cluster { admin: Admin::connect(&connection)?, connection, topology, file };
    match command {
        Command::Create(_) => cluster.create(),
        Command::Diff(_) => cluster.diff(),
    }
}

/// What differs from a topology.
pub(crate) struct Different {
    /// A topic that is not as it should be, and how it is beside what the file says.
    pub(crate) rows: Vec<(String, String)>,
    /// What to do about it.
    pub(crate) hint: String,
    /// Whether a topic is not there at all.
    pub(crate) lacks_any: bool,
}

/// Compares alone; `file` is what the topology is called.
///
/// # Errors
/// Where the brokers do not answer or refuse.
pub(crate) fn differences(
    connection: &Connection,
    topology: &Topology,
    file: &str,
) -> Result<Different, kafka_transport::Error> {
    let cluster = Cluster { admin: Admin::connect(connection)?, connection: connection.clone(), topology, file };
    let found = cluster.compare()?;
    let rows = found.cells(|difference| Some(difference.beside(file)));
    let lacks_any = found.different.iter().any(|(_, differences)| differences.contains(&Difference::Missing));
    Ok(Different {
        rows: rows.into_iter().map(|(topic, how)| (topic.to_owned(), how)).collect(),
        hint: found.hint(),
        lacks_any,
    })
}

/// A cluster, and the topology that it is held against.
struct Cluster<'a> {
    admin: Admin,
    connection: Connection,
    topology: &'a Topology,
    file: &'a str,
}

/// The topics that are not what they should be.
struct Comparison<'a> {
    brokers: usize,
    different: Vec<(&'a Topic, Vec<Difference>)>,
}

/// One way in which a topic is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    Missing,
    Partitions { found: u32, wanted: u32 },
    Replication { found: u16, wanted: u16 },
    Setting { name: &'static str, found: i64, wanted: i64 },
}

impl<'a> Cluster<'a> {
    fn diff(&self) -> Result<Status, Error> {
        let found = self.compare()?;
        self.tell_few_brokers(found.brokers);
        self.conclude(&found)
    }

    fn create(&self) -> Result<Status, Error> {
        let mut found = self.compare()?;
        // What is created too early has too few replicas for ever.
        let deadline = Instant::now() + BROKERS_DEADLINE;
        while found.lacks_brokers() && Instant::now() < deadline {
            thread::sleep(LOOK_AGAIN);
            found = self.compare()?;
        }
        self.tell_few_brokers(found.brokers);
        if found.different.is_empty() {
            print("nothing to do: ")?;
            return self.conclude(&found);
        }
        self.mend(&found)?;
        print(&found.rows(|difference| difference.remedy().ok().map(|_| difference.mended())))?;
        self.conclude(&self.settled()?)
    }

    fn compare(&self) -> Result<Comparison<'a>, kafka_transport::Error> {
        let names: Vec<&str> = self.topology.topics().map(|topic| topic.name.as_str()).collect();
        let (brokers, found) = (self.admin.brokers()?.len(), self.admin.describe(&names)?);
        let topics = self.topology.topics();
        let compared = topics.map(|topic| (topic, compare(topic, found.get(&topic.name), brokers)));
        let different = compared.filter(|(_, differences)| !differences.is_empty()).collect();
        Ok(Comparison { brokers, different })
    }

    /// Changes what can be changed, and nothing else.
    fn mend(&self, found: &Comparison<'_>) -> Result<(), Error> {
        let (mut missing, mut partitions, mut settings) = (Vec::new(), Vec::new(), Vec::new());
        for (topic, differences) in &found.different {
            let (name, wanted) = (topic.name.as_str(), wanted(topic, found.brokers));
            for difference in differences.iter().filter(|difference| difference.remedy().is_ok()) {
                match difference {
                    Difference::Missing => missing.push((name, wanted)),
                    Difference::Partitions { .. } => partitions.push((name, wanted.partitions)),
                    Difference::Setting { .. } => settings.push((name, wanted)),
                    Difference::Replication { .. } => {}
                }
            }
        }
        settings.dedup(); // both of a topic's settings go in one request
        self.admin.create(&missing)?;
        self.admin.add_partitions(&partitions)?;
        for (name, wanted) in settings {
            self.admin.alter(name, wanted.retention_ms, wanted.max_message_bytes)?;
        }
        Ok(())
    }

    /// What differs once every broker knows of the changes: each is asked, as whoever comes next may ask any of them.
    fn settled(&self) -> Result<Comparison<'a>, Error> {
        let deadline = Instant::now() + SETTLE_DEADLINE;
        for broker in self.admin.brokers()? {
            let connection = self.connection.at(&broker);
            let asked = Cluster { admin: Admin::connect(&connection)?, connection, ..*self };
            while asked.compare()?.can_be_mended() && Instant::now() < deadline {
                thread::sleep(LOOK_AGAIN);
            }
        }
        Ok(self.compare()?)
    }

    /// Shows what differs, and says whether anything does.
    fn conclude(&self, found: &Comparison<'_>) -> Result<Status, Error> {
        let (all, file) = (self.topology.topics().count(), self.file);
        let brokers = self.connection.brokers();
        if found.different.is_empty() {
            print(&format!("{all} topics on {brokers} are as {file} says\n"))?;
            return Ok(Status::Holds);
        }
        print(&found.rows(|difference| Some(difference.beside(file))))?;
        let verb = if found.different.len() == 1 { "differs" } else { "differ" };
        tell(&format!("error: {} of {all} topics on {brokers} {verb} from {file}", found.different.len()));
        tell(&format!("hint: {}", found.hint()));
        Ok(Status::Fails)
    }

    fn tell_few_brokers(&self, brokers: usize) {
        let most = self.topology.topics().map(|topic| topic.replication).max().unwrap_or_default();
        if brokers < most.into() {
            let brokers = counted(brokers as u64, "broker");
            tell(&format!("{brokers}: one replica on each, where {} says {most}", self.file));
        }
    }
}

impl Comparison<'_> {
    /// Whether `create` has something to do.
    fn can_be_mended(&self) -> bool {
        self.different.iter().any(|(_, differences)| differences.iter().any(|difference| difference.remedy().is_ok()))
    }

    /// Whether something that is missing wants more replicas than there are brokers.
    fn lacks_brokers(&self) -> bool {
        let lacks = |topic: &Topic| self.brokers < topic.replication.into();
        self.different.iter().any(|(topic, differences)| lacks(topic) && differences.contains(&Difference::Missing))
    }

    /// A line for each topic of which `text` says anything.
    fn rows(&self, text: impl Fn(Difference) -> Option<String>) -> String {
        let cells = self.cells(text);
        let width = cells.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        cells.iter().map(|(name, text)| format!("{name:width$}   {text}\n")).collect()
    }

    /// Each topic of which `text` says anything, and what.
    fn cells(&self, text: impl Fn(Difference) -> Option<String>) -> Vec<(&str, String)> {
        let cells = self.different.iter().filter_map(|(topic, differences)| {
            let texts: Vec<String> = differences.iter().copied().filter_map(&text).collect();
            (!texts.is_empty()).then(|| (topic.name.as_str(), texts.join("; ")))
        });
        cells.collect()
    }

    /// What `create` would do about it, and what it cannot.
    fn hint(&self) -> String {
        let (mut can, mut cannot) = (BTreeSet::new(), BTreeSet::new());
        for difference in self.different.iter().flat_map(|(_, differences)| differences) {
            match difference.remedy() {
                Ok(what) => can.insert(what),
                Err(what) => cannot.insert(what),
            };
        }
        let listed = |what: BTreeSet<&str>, between| what.into_iter().collect::<Vec<_>>().join(between);
        let can = (!can.is_empty()).then(|| listed(can, ", "));
        let cannot = (!cannot.is_empty())
            .then(|| format!("cannot {}: delete the topic first, with its records", listed(cannot, " or ")));
        let texts: Vec<String> = can.into_iter().chain(cannot).collect();
        format!("`orderflow topics create` {}", texts.join("; it "))
    }
}

impl Difference {
    /// What `create` does about it, or else what it cannot: Kafka changes neither where a topic is.
    fn remedy(self) -> Result<&'static str, &'static str> {
        match self {
            Self::Missing => Ok("adds what is missing"),
            Self::Partitions { found, wanted } if found < wanted => Ok("adds partitions"),
            Self::Partitions { .. } => Err("take partitions away"),
            Self::Replication { .. } => Err("change the replication"),
            Self::Setting { .. } => Ok("sets retention.ms and max.message.bytes"),
        }
    }

    /// What is there, beside what the file says.
    fn beside(self, file: &str) -> String {
        match self {
            Self::Missing => "missing".to_owned(),
            Self::Partitions { found, wanted } => {
                format!("{}, {file} says {wanted}", counted(found.into(), "partition"))
            }
            Self::Replication { found, wanted } => format!("replication {found}, {file} says {wanted}"),
            Self::Setting { name, found, wanted } => format!("{name} {found}, {file} says {wanted}"),
        }
    }

    /// What has become of it.
    fn mended(self) -> String {
        match self {
            Self::Missing => "created".to_owned(),
            Self::Partitions { found, wanted } => {
                format!("{} instead of {found}", counted(wanted.into(), "partition"))
            }
            Self::Replication { found, wanted } => format!("replication {wanted} instead of {found}"),
            Self::Setting { name, found, wanted } => format!("{name} {wanted} instead of {found}"),
        }
    }
}

/// What is wrong with a topic on a cluster of so many brokers.
fn compare(topic: &Topic, found: Option<&TopicShape>, brokers: usize) -> Vec<Difference> {
    let Some(found) = found else { return vec![Difference::Missing] };
    let wanted = wanted(topic, brokers);
    let mut differences = Vec::new();
    if found.partitions != wanted.partitions {
        differences.push(Difference::Partitions { found: found.partitions, wanted: wanted.partitions });
    }
    // A broker that is down does not make the replicas on it wrong.
    if ![wanted.replication, topic.replication].contains(&found.replication) {
        differences.push(Difference::Replication { found: found.replication, wanted: topic.replication });
    }
    for (name, found, wanted) in [
        ("retention.ms", found.retention_ms, wanted.retention_ms),
        ("max.message.bytes", found.max_message_bytes.into(), wanted.max_message_bytes.into()),
    ] {
        if found != wanted {
            differences.push(Difference::Setting { name, found, wanted });
        }
    }
    differences
}

/// What the topic is to be on a cluster of so many brokers.
fn wanted(topic: &Topic, brokers: usize) -> TopicShape {
    TopicShape {
        partitions: topic.partitions,
        replication: u16::try_from(brokers).unwrap_or(u16::MAX).min(topic.replication),
        retention_ms: topic.retention_ms as i64,
        max_message_bytes: topic.max_message_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AS_IT_SAYS: TopicShape =
        TopicShape { partitions: 3, replication: 3, retention_ms: 604_800_000, max_message_bytes: 1_048_588 };

    /// What is told of `order_placed`, found so on that many brokers; nothing where nothing differs.
    #[track_caller]
    fn check(brokers: usize, found: Option<TopicShape>, expected: &str) {
        let topology = Topology::built_in().unwrap();
        let topic = topology.topic("order_placed").unwrap();
        let comparison = Comparison { brokers, different: vec![(topic, compare(topic, found.as_ref(), brokers))] };
        let expected = if expected.is_empty() { String::new() } else { format!("order_placed   {expected}\n") };
        assert_eq!(comparison.rows(|difference| Some(difference.beside("t.json"))), expected);
    }

    #[test]
    fn each_way_to_differ_is_told() {
        check(3, Some(AS_IT_SAYS), "");
        check(3, None, "missing");
        check(3, Some(TopicShape { partitions: 1, ..AS_IT_SAYS }), "1 partition, t.json says 3");
        check(3, Some(TopicShape { partitions: 4, ..AS_IT_SAYS }), "4 partitions, t.json says 3");
        check(3, Some(TopicShape { replication: 2, ..AS_IT_SAYS }), "replication 2, t.json says 3");
        check(3, Some(TopicShape { retention_ms: -1, ..AS_IT_SAYS }), "retention.ms -1, t.json says 604800000");
        check(
            3,
            Some(TopicShape { partitions: 2, replication: 1, retention_ms: 60_000, max_message_bytes: 1 }),
            "2 partitions, t.json says 3; replication 1, t.json says 3; retention.ms 60000, t.json says 604800000; \
             max.message.bytes 1, t.json says 1048588",
        );
    }

    #[test]
    fn with_fewer_brokers_one_replica_on_each_is_right_and_so_are_those_on_a_broker_that_is_down() {
        check(1, Some(TopicShape { replication: 1, ..AS_IT_SAYS }), "");
        check(2, Some(TopicShape { replication: 2, ..AS_IT_SAYS }), "");
        check(2, Some(TopicShape { replication: 1, ..AS_IT_SAYS }), "replication 1, t.json says 3");
        check(2, Some(AS_IT_SAYS), "");
        check(9, Some(AS_IT_SAYS), "");
    }

    #[test]
    fn the_hint_says_what_create_does_and_what_it_cannot() {
        let topology = Topology::built_in().unwrap();
        let topic = topology.topic("order_placed").unwrap();
        let check = |differences: &[Difference], expected: &str| {
            let comparison = Comparison { brokers: 3, different: vec![(topic, differences.to_vec())] };
            assert_eq!(comparison.hint(), format!("`orderflow topics create` {expected}"));
        };
        let more = Difference::Partitions { found: 4, wanted: 3 };
        let replication = Difference::Replication { found: 1, wanted: 3 };
        check(&[Difference::Missing], "adds what is missing");
        check(&[more], "cannot take partitions away: delete the topic first, with its records");
        check(
            &[Difference::Partitions { found: 1, wanted: 3 }, Difference::Missing, replication, more],
            "adds partitions, adds what is missing; \
             it cannot change the replication or take partitions away: delete the topic first, with its records",
        );
    }
}
