//! The shape of `topology.json`: which keys, which types, which ranges. Every key is always there, `null` for none.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::document::Node;
use crate::error::{Path, Problem};
use crate::reader::{Object, Reader};
use crate::{Consumption, Host, Retry, Service, System, Topic, Topology, names};

const PARTITIONS: RangeInclusive<u32> = 1..=1000;
const REPLICATION: RangeInclusive<u16> = 1..=7;
/// 1 minute to 10 years. -1, for ever, isn't among them: each log has a limit.
const RETENTION_MS: RangeInclusive<u64> = 60_000..=315_360_000_000;
/// 8 MiB: what a consumer of ours holds in memory.
const MAX_MESSAGE_BYTES: RangeInclusive<u32> = 1_024..=8_388_608;
/// 10,000 is AWS Lambda's maximum.
const BATCH_RECORDS: RangeInclusive<u32> = 1..=10_000;
/// An hour at most.
const BACKOFF_MS: RangeInclusive<u64> = 1..=3_600_000;
const STUCK_AFTER_ATTEMPTS: RangeInclusive<u32> = 1..=1000;
/// AWS Lambda's bounds.
const MEMORY_MIB: RangeInclusive<u32> = 128..=10_240;
/// 14 minutes: what an event source mapping for Kafka waits for a function.
const TIMEOUT_S: RangeInclusive<u32> = 1..=840;
const PERCENT: RangeInclusive<u64> = 0..=100;
/// 2^53 - 1: the largest integer that every JSON reader keeps exactly.
const SETTING: RangeInclusive<u64> = 0..=9_007_199_254_740_991;

/// What the file says, with stand-ins where it couldn't be read.
pub(crate) struct Read {
    pub(crate) topology: Topology,
    /// Whether every topic, service and edge was read, so that the rules between them can be judged.
    pub(crate) all_names_read: bool,
}

/// Reads the document, adding what is wrong to `problems`.
pub(crate) fn read(document: &Node, problems: &mut Vec<Problem>) -> Read {
    let mut reader = Reader::new(problems);
    let mut topology = Topology { topics: BTreeMap::new(), services: BTreeMap::new() };
    if let Some(top) = reader.object(Path::top(), document, &["topics", "services"]) {
        for (name, node) in reader.map(&top, "topics", "topics by name") {
            let topic = topic(&mut reader, top.path.key("topics").key(name), name, node);
            topology.topics.extend(topic.map(|topic| (name.clone(), topic)));
        }
        for (name, node) in reader.map(&top, "services", "services by name") {
            let service = service(&mut reader, top.path.key("services").key(name), name, node);
            topology.services.extend(service.map(|service| (name.clone(), service)));
        }
    }
    Read { topology, all_names_read: reader.all_names_read }
}

fn topic(reader: &mut Reader<'_>, path: Path, name: &str, node: &Node) -> Option<Topic> {
    if !names::is_topic(name) {
        reader.refuse(&path, format!("found the topic name {name:?}, allowed {}", names::TOPIC));
    }
    let topic = reader.object(path, node, &["partitions", "replication", "retention_ms", "max_message_bytes"])?;
    Some(Topic {
        name: name.to_owned(),
        partitions: reader.integer(&topic, "partitions", PARTITIONS),
        replication: reader.integer(&topic, "replication", REPLICATION),
        retention_ms: reader.integer(&topic, "retention_ms", RETENTION_MS),
        max_message_bytes: reader.integer(&topic, "max_message_bytes", MAX_MESSAGE_BYTES),
    })
}

fn service(reader: &mut Reader<'_>, path: Path, name: &str, node: &Node) -> Option<Service> {
    if !names::is_snake_case(name) {
        reader.refuse(&path, format!("found the service name {name:?}, allowed {}", names::SERVICE));
    }
    let keys = ["system", "host", "consumes", "produces", "retry", "memory_mib", "timeout_s", "settings"];
    let service = reader.object(path, node, &keys)?;
    let system = reader.word(&service, "system", System::ALL, System::as_str);
    let host = reader.word(&service, "host", Host::ALL, Host::as_str);
    let consumes = consumes(reader, &service, name);
    let produces = produces(reader, &service);
    let retry = retry(reader, &service, consumes.as_deref());
    Some(Service {
        name: name.to_owned(),
        system,
        host,
        consumes: consumes.unwrap_or_default(),
        produces,
        retry,
        memory_mib: reader.integer(&service, "memory_mib", MEMORY_MIB),
        timeout_s: reader.integer(&service, "timeout_s", TIMEOUT_S),
        settings: settings(reader, &service),
    })
}

fn consumes(reader: &mut Reader<'_>, service: &Object<'_>, name: &str) -> Option<Vec<Consumption>> {
    let path = service.path.key("consumes");
    let nodes = reader.list(service, "consumes", "objects, empty for none")?.iter().enumerate();
    Some(nodes.filter_map(|(index, node)| consumption(reader, path.index(index), name, node)).collect())
}

fn consumption(reader: &mut Reader<'_>, path: Path, service: &str, node: &Node) -> Option<Consumption> {
    let object = reader.object(path, node, &["topic", "group", "dead_letter", "batch_records"])?;
    let topic = reader.name(&object, "topic");
    let group = group(reader, &object, service, &topic);
    Some(Consumption {
        dead_letter: reader.name_or_null(&object, "dead_letter", "for a group that skips what it can never handle"),
        batch_records: reader.integer(&object, "batch_records", BATCH_RECORDS),
        topic,
        group,
    })
}

fn group(reader: &mut Reader<'_>, consumption: &Object<'_>, service: &str, topic: &str) -> String {
    let path = consumption.path.key("group");
    let group = match reader.value(consumption, "group", "a group's name, or null for `SERVICE.TOPIC`") {
        Some(Node::Null) | None => format!("{service}.{topic}"),
        Some(Node::Text(found)) => found.clone(),
        Some(node) => {
            reader.refuse(&path, format!("found {node}, allowed a group's name, or null for `{service}.{topic}`"));
            return String::new();
        }
    };
    // A bad service or topic name is refused where it stands; a derived group can only be too long.
    if !names::is_group(&group) && names::is_snake_case(service) && names::is_topic(topic) {
        reader.refuse(&path, format!("found the group name {group:?}, allowed {}", names::GROUP));
    }
    group
}

fn produces(reader: &mut Reader<'_>, service: &Object<'_>) -> Vec<String> {
    let path = service.path.key("produces");
    let nodes = reader.list(service, "produces", "topics' names, empty for none").unwrap_or_default();
    nodes.iter().enumerate().map(|(index, node)| reader.name_of(&path.index(index), node)).collect()
}

fn retry(reader: &mut Reader<'_>, service: &Object<'_>, consumes: Option<&[Consumption]>) -> Option<Retry> {
    const KEYS: [&str; 3] = ["backoff_min_ms", "backoff_max_ms", "stuck_after_attempts"];
    let path = service.path.key("retry");
    let node = reader.value(service, "retry", "an object, or null for a service that consumes nothing")?;
    // Where `consumes` couldn't be read, nothing is said about whether a policy is needed.
    let consumes_nothing = consumes.map(<[_]>::is_empty);
    if *node == Node::Null {
        if consumes_nothing == Some(false) {
            let keys = KEYS.map(|key| format!("`{key}`")).join(", ");
            reader
                .refuse(&path, format!("found null, but the service consumes: allowed an object with the keys {keys}"));
        }
        return None;
    }
    if consumes_nothing == Some(true) {
        reader.refuse(&path, format!("found {node}, but the service consumes nothing: allowed null"));
    }
    let policy = reader.object(path, node, &KEYS)?;
    let problems_before = reader.problem_count();
    let retry = Retry {
        backoff_min_ms: reader.integer(&policy, "backoff_min_ms", BACKOFF_MS),
        backoff_max_ms: reader.integer(&policy, "backoff_max_ms", BACKOFF_MS),
        stuck_after_attempts: reader.integer(&policy, "stuck_after_attempts", STUCK_AFTER_ATTEMPTS),
    };
    // Stand-ins aren't compared.
    if reader.problem_count() == problems_before && retry.backoff_min_ms > retry.backoff_max_ms {
        let (least, most) = (retry.backoff_min_ms, retry.backoff_max_ms);
        reader.refuse(&policy.path, format!("found backoff_min_ms {least}, allowed at most backoff_max_ms {most}"));
    }
    Some(retry)
}

fn settings(reader: &mut Reader<'_>, service: &Object<'_>) -> BTreeMap<String, u64> {
    let path = service.path.key("settings");
    let mut settings = BTreeMap::new();
    for (name, node) in reader.map(service, "settings", "integers by name, empty for none") {
        let path = path.key(name);
        if !names::is_snake_case(name) {
            reader.refuse(&path, format!("found the setting name {name:?}, allowed {}", names::SETTING));
        }
        let range = if name.ends_with("_percent") { PERCENT } else { SETTING };
        settings.insert(name.clone(), reader.integer_of(&path, node, range));
    }
    settings
}
