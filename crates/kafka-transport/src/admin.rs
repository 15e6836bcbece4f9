//! Topics, groups and their offsets, from outside: what a cluster has, and what is made of it.
//!
//! Every call blocks. For each topic, partition or group a question takes 10 seconds at most, a request of [`AdminClient`] 30.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::str::FromStr;
use std::time::{Duration, Instant};

use pollster::block_on;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigResource, ConfigSource, GroupResult, NewPartitions, NewTopic,
    ResourceSpecifier, TopicReplication, TopicResult,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use rdkafka::{Offset, TopicPartitionList};

use crate::reader::{Reader, Replicas, is_forbidden};
use crate::{Connection, Error, settings};

/// How long the brokers may take for a request.
const DEADLINE: Duration = Duration::from_secs(30);

/// How long all brokers may take to say who is a member; nobody depends on it.
const MEMBERS_DEADLINE: Duration = Duration::from_secs(1);

/// How long to wait before looking again for what is on its way.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

const RETENTION_MS: &str = "retention.ms";
const MAX_MESSAGE_BYTES: &str = "max.message.bytes";

/// Whether a broker will answer about a group once it knows the group: it has just begun to look after it.
const fn is_loading(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator};
    matches!(code, CoordinatorLoadInProgress | CoordinatorNotAvailable | NotCoordinator)
}

/// What a topic is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicShape {
    /// Its partitions.
    pub partitions: u32,
    /// Copies of each partition; of the one that has the fewest, where they differ.
    pub replication: u16,
    /// How long records are kept; -1 for ever.
    pub retention_ms: i64,
    /// The largest batch of records that is taken.
    pub max_message_bytes: u32,
}

/// The brokers of a cluster, and what partitions its topics have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Brokers that are not down.
    pub brokers: usize,
    /// Of each topic that is there and that the user may see, by partition: whether it has a leader.
    pub topics: BTreeMap<String, Vec<bool>>,
}

/// Where the log of a partition begins and ends; `None` while it has no leader, who alone knows.
pub type Log = Option<Range<i64>>;

/// Looks after the topics and groups of a cluster.
pub struct Admin {
    /// Asks first, and hears why there is no answer: the writer cannot hear anything.
    reader: Reader,
    writer: AdminClient<DefaultClientContext>,
}

impl Admin {
    /// Connects, and waits until the brokers have answered.
    ///
    /// # Errors
    /// Where they do not answer, or refuse us.
    pub fn connect(connection: &Connection) -> Result<Self, Error> {
        let config = settings::admin(connection);
        let writer = config.create().map_err(Error::kafka("admin: create the client"))?;
        let admin = Self { reader: Reader::new(connection, &config)?, writer };
        admin.brokers()?;
        Ok(admin)
    }

    /// The addresses of the cluster's brokers, without those that are down.
    ///
    /// # Errors
    /// Where no broker answers.
    pub fn brokers(&self) -> Result<Vec<String>, Error> {
        let metadata = self.reader.ask("DESCRIBE", "the cluster", |client, wait| client.fetch_metadata(None, wait))?;
        Ok(metadata.brokers().iter().map(|broker| format!("{}:{}", broker.host(), broker.port())).collect())
    }

    /// Those of the topics that exist, by name.
    ///
    /// # Errors
    /// Where no broker answers, or the user may not `DESCRIBE` and `DESCRIBE_CONFIGS` them.
    pub fn describe(&self, topics: &[&str]) -> Result<BTreeMap<String, TopicShape>, Error> {
        let replicas = self.replicas(topics)?;
        let names: Vec<&str> = replicas.keys().map(String::as_str).collect();
        let settings = self.settings(&names)?;
        let shapes = replicas.iter().zip(&settings).map(|((topic, replicas), settings)| {
            let shape = TopicShape {
                partitions: replicas.len() as u32,
                replication: replicas.iter().map(|replicas| replicas.all).min().unwrap_or_default(),
                retention_ms: value(settings, RETENTION_MS),
                max_message_bytes: value(settings, MAX_MESSAGE_BYTES),
            };
            (topic.clone(), shape)
        });
        Ok(shapes.collect())
    }

    /// The replicas of each partition of those of the topics that exist, by name.
    ///
    /// # Errors
    /// Where no broker answers, or the user may not `DESCRIBE` them.
    pub fn replicas(&self, topics: &[&str]) -> Result<BTreeMap<String, Vec<Replicas>>, Error> {
        let mut found = BTreeMap::new();
        for &topic in topics {
            found.extend(self.reader.replicas(topic)?.map(|replicas| (topic.to_owned(), replicas)));
        }
        Ok(found)
    }

    /// All settings of each topic, in the order of the topics.
    fn settings(&self, topics: &[&str]) -> Result<Vec<ConfigResource>, Error> {
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let resources: Vec<_> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
        let described = block_on(self.writer.describe_configs(&resources, &options()));
        let described = described.map_err(|error| self.refused("DESCRIBE_CONFIGS", "topics", error))?;
        let settings = topics.iter().zip(described).map(|(topic, described)| match described {
            Ok(settings) if !settings.entries.is_empty() => Ok(settings),
            // rdkafka drops why a topic was not described: what it leaves is one without settings, which no topic is.
            _ => Err(self.reader.forbidden("DESCRIBE_CONFIGS", &format!("topic {topic}"))),
        });
        settings.collect()
    }

    /// Creates topics.
    ///
    /// # Errors
    /// What the brokers say of the first that they refuse; the others may have been created. One that exists is refused.
    pub fn create(&self, topics: &[(&str, TopicShape)]) -> Result<(), Error> {
        if topics.is_empty() {
            return Ok(());
        }
        let settings: Vec<[String; 2]> = topics
            .iter()
            .map(|(_, shape)| [shape.retention_ms.to_string(), shape.max_message_bytes.to_string()])
            .collect();
        let new: Vec<_> = topics
            .iter()
            .zip(&settings)
            .map(|((topic, shape), [retention_ms, max_message_bytes])| {
                let replication = TopicReplication::Fixed(shape.replication.into());
                NewTopic::new(topic, shape.partitions as i32, replication)
                    .set(RETENTION_MS, retention_ms)
                    .set(MAX_MESSAGE_BYTES, max_message_bytes)
            })
            .collect();
        let created = block_on(self.writer.create_topics(&new, &options()));
        self.each("CREATE", created)
    }

    /// Gives topics more partitions, so many in all. From then on a key may go to another partition than before.
    ///
    /// # Errors
    /// What the brokers say of the first that they refuse; the others may have been changed.
    pub fn add_partitions(&self, topics: &[(&str, u32)]) -> Result<(), Error> {
        if topics.is_empty() {
            return Ok(());
        }
        let new: Vec<_> = topics.iter().map(|&(topic, in_all)| NewPartitions::new(topic, in_all as usize)).collect();
        let added = block_on(self.writer.create_partitions(&new, &options()));
        self.each("ALTER", added)
    }

    /// Sets a topic's retention and its largest batch, keeps what else was set on it, and waits until the brokers have it so.
    ///
    /// What somebody else sets on this topic at the same moment may be lost: librdkafka sends all settings or none.
    ///
    /// # Errors
    /// Where the brokers do not change it.
    pub fn alter(&self, topic: &str, retention_ms: i64, max_message_bytes: u32) -> Result<(), Error> {
        let ours = [(RETENTION_MS, retention_ms.to_string()), (MAX_MESSAGE_BYTES, max_message_bytes.to_string())];
        let before = self.settings(&[topic])?;
        let own = before
            .iter()
            .flat_map(|settings| &settings.entries)
            .filter(|entry| entry.source == ConfigSource::DynamicTopic);
        // Only a password has no value, and no setting of a topic is one.
        let mut entries: HashMap<&str, &str> =
            own.filter_map(|entry| Some((entry.name.as_str(), entry.value.as_deref()?))).collect();
        entries.extend(ours.iter().map(|(name, value)| (*name, value.as_str())));
        let altered = block_on(
            self.writer
                .alter_configs(&[AlterConfig { specifier: ResourceSpecifier::Topic(topic), entries }], &options()),
        );
        altered.map_err(|error| self.refused("ALTER_CONFIGS", &format!("topic {topic}"), error))?;

        // rdkafka drops the answer for the topic, so it is asked what came of it.
        let deadline = Instant::now() + settings::CONNECT_DEADLINE;
        loop {
            let after = self.settings(&[topic])?;
            let has = |name| after.iter().find_map(|settings| settings.get(name)?.value.as_deref());
            let kept: Vec<String> = ours
                .iter()
                .filter(|(name, value)| has(name) != Some(value))
                .map(|(name, value)| format!("{name}={} instead of {value}", has(name).unwrap_or_default()))
                .collect();
            if kept.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let (address, user) = (self.reader.address(), self.reader.user());
                return Err(Error::NotAltered { address, topic: topic.to_owned(), kept: kept.join(", "), user });
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Where the log of each partition begins and ends, by partition; none where there is no such topic.
    ///
    /// # Errors
    /// Where no broker answers, or the user may not `DESCRIBE` the topic.
    pub fn offsets(&self, topic: &str, partitions: u32) -> Result<Vec<Range<i64>>, Error> {
        // Asked for a log that the user may not see, librdkafka waits for its partition and says nothing of rights.
        if self.reader.replicas(topic)?.is_none() {
            return Ok(Vec::new());
        }
        (0..partitions as i32).map(|partition| self.reader.log(topic, partition)).collect()
    }

    /// How those of the topics that exist stand on the brokers, by one request for all of them.
    ///
    /// # Errors
    /// Where no broker answers.
    pub fn layout(&self, topics: &[&str]) -> Result<Layout, Error> {
        self.reader.ask("DESCRIBE", "the cluster", |client, wait| {
            let metadata = client.fetch_metadata(None, wait)?;
            let is_there = |topic: &&MetadataTopic| topic.error().is_none() && topics.contains(&topic.name());
            let leaders = |topic: &MetadataTopic| {
                let mut leaders: Vec<_> = topic.partitions().iter().map(|one| (one.id(), one.leader() >= 0)).collect();
                leaders.sort_unstable();
                (topic.name().to_owned(), leaders.into_iter().map(|(_, has_leader)| has_leader).collect())
            };
            let topics = metadata.topics().iter().filter(is_there).map(leaders).collect();
            Ok(Layout { brokers: metadata.brokers().len(), topics })
        })
    }

    /// The logs of all topics of a layout, by partition: two requests a broker, where [`Admin::offsets`] makes two a partition.
    ///
    /// # Errors
    /// Where a leader does not answer.
    pub fn logs<'l>(&self, layout: &'l Layout) -> Result<BTreeMap<String, Vec<Log>>, Error> {
        let led = |(topic, leaders): (&'l String, &'l Vec<bool>)| {
            let numbered = leaders.iter().zip(0..).filter(|(has_leader, _)| **has_leader);
            numbered.map(move |(_, number)| (topic.as_str(), number))
        };
        let led: Vec<(&str, i32)> = layout.topics.iter().flat_map(led).collect();
        // What is written meanwhile is behind the beginning, so that no log ends before it.
        let starts = self.reader.offsets_at(Offset::Beginning, &led)?;
        let ends = self.reader.offsets_at(Offset::End, &led)?;
        let mut logs: BTreeMap<String, Vec<Log>> =
            layout.topics.iter().map(|(topic, leaders)| (topic.clone(), vec![None; leaders.len()])).collect();
        for ((topic, partition), (start, end)) in led.into_iter().zip(starts.into_iter().zip(ends)) {
            if let Some(log) = logs.get_mut(topic).and_then(|logs| logs.get_mut(partition as usize)) {
                *log = Some(start..end);
            }
        }
        Ok(logs)
    }

    /// Deletes all records that the topics, each with its number of partitions, hold now. Offsets go on from there.
    ///
    /// # Errors
    /// What the brokers say of the first partition that they refuse; others may have been emptied.
    pub fn empty(&self, topics: &[(&str, u32)]) -> Result<(), Error> {
        if topics.is_empty() {
            return Ok(());
        }
        let mut ends = TopicPartitionList::new();
        for &(topic, partitions) in topics {
            ends.add_partition_range(topic, 0, partitions as i32 - 1);
        }
        ends.set_all_offsets(Offset::End).map_err(Error::kafka("admin: delete records"))?;
        let deleted = block_on(self.writer.delete_records(&ends, &options()));
        let deleted = deleted.map_err(|error| self.refused("DELETE", "records", error))?;
        for partition in deleted.elements() {
            let topic = format!("topic {}", partition.topic());
            partition.error().map_err(|error| self.refused("DELETE", &topic, error))?;
        }
        Ok(())
    }

    /// Looks whether any of the groups has members. One that does not exist has none, nor has one that the user may not see.
    ///
    /// # Errors
    /// [`Error::Members`] for the first that has; where no broker answers.
    pub fn check_idle(&self, groups: &[&str]) -> Result<(), Error> {
        for &group in groups {
            let list = |client: &BaseConsumer<_>, wait| client.fetch_group_list(Some(group), wait);
            let found = self.reader.ask("DESCRIBE", &format!("group {group}"), list)?;
            if found.groups().iter().any(|group| !group.members().is_empty()) {
                return Err(self.in_use(group));
            }
        }
        Ok(())
    }

    /// How many members each group of the cluster has that the user may see; `None` where not all brokers say so at once.
    pub fn members(&self) -> Option<BTreeMap<String, usize>> {
        self.reader.members(MEMBERS_DEADLINE)
    }

    /// Deletes groups with their offsets; one that does not exist is no error.
    ///
    /// # Errors
    /// What the brokers say of the first that they refuse, [`Error::Members`] among it; others may have been deleted.
    pub fn delete_groups(&self, groups: &[&str]) -> Result<(), Error> {
        if groups.is_empty() {
            return Ok(());
        }
        let deadline = Instant::now() + DEADLINE;
        let mut deleted = self.delete_groups_once(groups)?;
        // A broker that has just begun to look after a group reads what it knows of it first.
        while Instant::now() < deadline {
            let loading = deleted.extract_if(.., |result| matches!(result, Err((_, code)) if is_loading(*code)));
            let loading: Vec<String> = loading.filter_map(Result::err).map(|(group, _)| group).collect();
            if loading.is_empty() {
                break;
            }
            std::thread::sleep(LOOK_AGAIN);
            deleted.extend(self.delete_groups_once(&loading.iter().map(String::as_str).collect::<Vec<_>>())?);
        }
        let refused = |(group, code): (String, RDKafkaErrorCode)| match code {
            RDKafkaErrorCode::GroupIdNotFound => None,
            RDKafkaErrorCode::NonEmptyGroup => Some(self.in_use(&group)),
            code => Some(self.refused("DELETE", &format!("group {group}"), KafkaError::AdminOp(code))),
        };
        deleted.into_iter().filter_map(Result::err).find_map(refused).map_or(Ok(()), Err)
    }

    fn delete_groups_once(&self, groups: &[&str]) -> Result<Vec<GroupResult>, Error> {
        let deleted = block_on(self.writer.delete_groups(groups, &options()));
        deleted.map_err(|error| self.refused("DELETE", "groups", error))
    }

    /// What became of each topic of a request.
    fn each(&self, operation: &'static str, results: KafkaResult<Vec<TopicResult>>) -> Result<(), Error> {
        let results = results.map_err(|error| self.refused(operation, "topics", error))?;
        let refused = |(topic, code)| self.refused(operation, &format!("topic {topic}"), KafkaError::AdminOp(code));
        results.into_iter().find_map(Result::err).map_or(Ok(()), |error| Err(refused(error)))
    }

    /// Why a request failed, in our words.
    fn refused(&self, operation: &'static str, resource: &str, source: KafkaError) -> Error {
        let address = self.reader.address();
        let code = match source {
            KafkaError::AdminOp(code) => Some(code), // rdkafka does not count it among those with a code
            ref other => other.rdkafka_error_code(),
        };
        match code {
            Some(code) if is_forbidden(code) => self.reader.forbidden(operation, resource),
            Some(RDKafkaErrorCode::OperationTimedOut) => {
                let reason = format!("{operation} {resource}");
                Error::Unreachable { address, deadline_s: DEADLINE.as_secs(), reason }
            }
            _ => Error::Kafka { doing: format!("{address}: {operation} {resource}"), source },
        }
    }

    fn in_use(&self, group: &str) -> Error {
        Error::Members { address: self.reader.address(), group: group.to_owned() }
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(DEADLINE)).operation_timeout(Some(DEADLINE))
}

/// A topic's setting as a number. Every Kafka has those that we ask for; 0, where one had not, would be seen.
fn value<T: FromStr + Default>(settings: &ConfigResource, name: &str) -> T {
    let value = settings.get(name).and_then(|entry| entry.value.as_deref()?.parse().ok());
    value.unwrap_or_default()
}
