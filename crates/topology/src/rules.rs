//! What must hold between topics, services and groups. The shape of each entry is known to be right.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Path, Problem};
use crate::{Consumption, Service, Topology};

/// How much larger a dead letter may be than its record: headers with names of Kafka's lengths, and a reason that fits a log
/// line.
const DEAD_LETTER_HEADROOM_BYTES: u32 = 16_384;

/// What no service has to read. Where orders of the saga end: whoever wants to know reads them. And where numbers of food orders are
/// drawn: a record's offset is all that matters of it.
const UNREAD: [&str; 3] = ["orders.completed", "orders.failed", "food-order-numbers"];

/// Adds every broken rule to `problems`: of services by name, dead letters, topics by name, names that collide,
/// room for dead letters.
pub(crate) fn check(topology: &Topology, problems: &mut Vec<Problem>) {
    let all_values_read = problems.is_empty();
    let mut rules = Rules { topology, problems, meant: BTreeSet::new() };
    for service in topology.services() {
        rules.service(service);
    }
    rules.dead_letters();
    rules.topics();
    rules.topic_collisions();
    rules.group_collisions();
    // Stand-ins aren't compared.
    if all_values_read {
        rules.dead_letter_headroom();
    }
}

struct Rules<'t, 'p> {
    topology: &'t Topology,
    problems: &'p mut Vec<Problem>,
    /// Topics that a misspelt name probably meant: that they seem unused only follows from the misspelling.
    meant: BTreeSet<&'t str>,
}

impl<'t> Rules<'t, '_> {
    fn refuse(&mut self, path: &Path, text: impl Into<String>) {
        self.problems.push(path.problem(text));
    }

    fn service(&mut self, service: &'t Service) {
        let path = service_path(service);
        if service.consumes.is_empty() && service.produces.is_empty() {
            self.refuse(&path, "consumes and produces nothing; name a topic, or remove the service");
        }
        for (index, consumption) in service.consumes.iter().enumerate() {
            let path = path.key("consumes").index(index);
            self.declared(&path, &consumption.topic);
            if let Some(dead_letter) = &consumption.dead_letter {
                self.declared(&path.key("dead_letter"), dead_letter);
            }
            if service.consumes[..index].iter().any(|earlier| earlier.topic == consumption.topic) {
                self.refuse(&path, format!("consumes topic `{}` a second time; keep one of them", consumption.topic));
            }
        }
        for (index, topic) in service.produces.iter().enumerate() {
            let path = path.key("produces").index(index);
            self.declared(&path, topic);
            if service.produces[..index].contains(topic) {
                self.refuse(&path, format!("produces topic `{topic}` a second time; keep one of them"));
            }
        }
    }

    fn declared(&mut self, path: &Path, topic: &str) {
        if self.topology.topic(topic).is_some() {
            return;
        }
        let mut text = format!("no topic `{topic}`; declare it under `topics`");
        if let Some(near) = self.topology.nearest_topic(topic) {
            text.push_str(&format!(", or did you mean `{near}`?"));
            self.meant.insert(near);
        }
        self.refuse(path, text);
    }

    /// A group's dead letter is its own, and no ordinary topic.
    fn dead_letters(&mut self) {
        let mut owners: BTreeMap<&str, &Consumption> = BTreeMap::new();
        for (path, _, consumption) in consumptions(self.topology) {
            let (path, Some(dead_letter)) = (path.key("dead_letter"), consumption.dead_letter.as_deref()) else {
                continue;
            };
            if let Some(owner) = owners.insert(dead_letter, consumption) {
                let text = format!("topic `{dead_letter}` is already the dead letter of group `{}`", owner.group);
                self.refuse(&path, format!("{text}; declare one for this group alone"));
            }
            let consumed = self.topology.consumers_of(dead_letter).map(|service| ("consumed", service));
            let produced = self.topology.producers_of(dead_letter).map(|service| ("produced", service));
            for (used, service) in consumed.chain(produced) {
                let text = format!("topic `{dead_letter}` is also {used} by service `{}`", service.name);
                self.refuse(&path, format!("{text}; a dead letter is its group's alone"));
            }
        }
    }

    /// Each ordinary topic is written and read, but for where orders end; each dead letter is some group's.
    fn topics(&mut self) {
        let topology = self.topology;
        for topic in topology.topics().filter(|topic| topology.dead_letter_of(&topic.name).is_none()) {
            let path = Path::top().key("topics").key(&topic.name);
            if self.meant.contains(topic.name.as_str()) {
                continue;
            }
            let is_written = topology.producers_of(&topic.name).next().is_some();
            let is_read = topology.consumers_of(&topic.name).next().is_some();
            if !is_written && !is_read && topic.name.ends_with(".dead_letter") {
                self.refuse(&path, "no group has this dead letter; name it in `consumes`, or remove it");
                continue;
            }
            if !is_written {
                self.refuse(&path, "no service writes this topic; add it to a `produces`, or remove it");
            }
            if !is_read && !UNREAD.contains(&topic.name.as_str()) {
                self.refuse(&path, "no service reads this topic; add it to a `consumes`, or remove it");
            }
        }
    }

    fn topic_collisions(&mut self) {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for topic in self.topology.topics() {
            if let Some(earlier) = seen.insert(metric_name(&topic.name), &topic.name) {
                let path = Path::top().key("topics").key(&topic.name);
                self.refuse(
                    &path,
                    format!("collides with topic `{earlier}` where metrics write `.` as `_`; rename one"),
                );
            }
        }
    }

    fn group_collisions(&mut self) {
        let mut seen: BTreeMap<String, (&Service, &Consumption)> = BTreeMap::new();
        for (path, service, consumption) in consumptions(self.topology) {
            let group = consumption.group.as_str();
            let Some((earlier_service, earlier)) = seen.insert(metric_name(group), (service, consumption)) else {
                continue;
            };
            if earlier.group != group {
                let text = format!("group `{group}` collides with group `{}`", earlier.group);
                self.refuse(&path, format!("{text} where metrics write `.` as `_`; rename one"));
            } else if earlier_service.name != service.name || earlier.topic != consumption.topic {
                // Otherwise the service consumes a topic twice, which is reported as that.
                let text = format!("group `{group}` is already that of `{}`", earlier_service.name);
                self.refuse(&path, format!("{text} for topic `{}`; each (service, topic) has its own", earlier.topic));
            }
        }
    }

    /// A record of the largest size must still fit once the headers of a dead letter are behind it.
    fn dead_letter_headroom(&mut self) {
        for (_, _, consumption) in consumptions(self.topology) {
            let dead_letter = consumption.dead_letter.as_deref().and_then(|name| self.topology.topic(name));
            let (Some(topic), Some(dead_letter)) = (self.topology.topic(&consumption.topic), dead_letter) else {
                continue;
            };
            let (found, largest) = (dead_letter.max_message_bytes, topic.max_message_bytes);
            let least = largest + DEAD_LETTER_HEADROOM_BYTES;
            if found < least {
                let path = Path::top().key("topics").key(&dead_letter.name).key("max_message_bytes");
                let text = format!("found {found}, allowed {least} or more: topic `{}` takes {largest}", topic.name);
                self.refuse(&path, format!("{text}, and headers are up to {DEAD_LETTER_HEADROOM_BYTES}"));
            }
        }
    }
}

fn service_path(service: &Service) -> Path {
    Path::top().key("services").key(&service.name)
}

/// All groups, each with its place.
fn consumptions(topology: &Topology) -> impl Iterator<Item = (Path, &Service, &Consumption)> {
    topology.services().flat_map(|service| {
        let path = service_path(service).key("consumes");
        let indexed = service.consumes.iter().enumerate();
        indexed.map(move |(index, consumption)| (path.index(index), service, consumption))
    })
}

/// Kafka's metrics and many tools on top of them can't tell `a.b` from `a_b`.
fn metric_name(name: &str) -> String {
    name.replace('.', "_")
}
