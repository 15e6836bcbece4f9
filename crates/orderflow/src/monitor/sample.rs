use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ::topology::Topology;
use events::Topic;
use kafka_transport::{Admin, Connection, GroupOffsets, Log};

use crate::{Error, System};

/// What of a topology is looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched {
    /// By system, then by service.
    pub(crate) groups: Vec<Group>,
    /// By name, those of dead letters last.
    pub(crate) topics: Vec<Topic>,
}

/// A consumer group: a service that reads a topic.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) service: String,
    pub(crate) topic: Topic,
    /// Where what it gives up goes, if anywhere.
    pub(crate) dead_letters: Option<Topic>,
}

impl Watched {
    /// Of one system, or of all.
    pub(crate) fn of(topology: &Topology, system: Option<System>) -> Self {
        let systems = System::asked(system);
        let is_watched = |name: &str| {
            let mut topics = systems.iter().flat_map(|system| topology.topics_of(system.declared()));
            topics.any(|topic| topic.name == name)
        };
        let mut topics: Vec<&str> =
            topology.topics().map(|topic| topic.name.as_str()).filter(|name| is_watched(name)).collect();
        topics.sort_by_key(|name| (topology.dead_letter_of(name).is_some(), *name));
        let services = systems.iter().flat_map(|system| topology.services_of(system.declared()));
        let groups = services.flat_map(|service| {
            service.consumes.iter().map(|consumption| Group {
                name: consumption.group.clone(),
                service: service.name.clone(),
                topic: Topic::named(&consumption.topic),
                dead_letters: consumption.dead_letter.as_deref().map(Topic::named),
            })
        });
        Self { groups: groups.collect(), topics: topics.into_iter().map(Topic::named).collect() }
    }
}

/// What a cluster said at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sample {
    /// How long after the monitor's start, by a clock that nobody sets.
    pub(crate) at: Duration,
    pub(crate) brokers: usize,
    /// By topic and partition; a topic that is not there is not in it.
    pub(crate) logs: BTreeMap<String, Vec<Log>>,
    /// By group and partition: the first offset that it is not done with.
    pub(crate) committed: BTreeMap<String, Vec<Option<i64>>>,
    /// By group; `None` where not all brokers could say so.
    pub(crate) members: Option<BTreeMap<String, usize>>,
    /// Why a group is not in it, where the user may not see one.
    pub(crate) refusal: Option<String>,
}

impl Sample {
    /// Members of a group; `None` where not all brokers could say so, or the user may not see it.
    pub(crate) fn members_of(&self, group: &str) -> Option<u64> {
        let is_hidden = self.refusal.is_some() && !self.committed.contains_key(group);
        let members = self.members.as_ref().filter(|_| !is_hidden)?;
        Some(members.get(group).copied().unwrap_or(0) as u64)
    }

    /// # Errors
    /// Where something is not in it that the user may not see.
    pub(crate) fn whole(self) -> Result<Self, Error> {
        self.refusal.clone().map_or(Ok(self), |refusal| Err(Error::Failed(refusal)))
    }
}

/// Asks a cluster.
pub(crate) struct Sampler {
    admin: Admin,
    /// By group; or why the user may not see it: librdkafka says so once, and is silent when it is asked again.
    offsets: Vec<Result<GroupOffsets, String>>,
    started: Instant,
}

impl Sampler {
    /// # Errors
    /// Where the brokers do not answer or refuse.
    pub(crate) fn connect(connection: &Connection, watched: &Watched) -> Result<Self, Error> {
        let admin = Admin::connect(connection)?;
        let offsets = watched.groups.iter().map(|group| Ok(Ok(GroupOffsets::of(connection, &group.name)?)));
        Ok(Self { admin, offsets: offsets.collect::<Result<_, Error>>()?, started: Instant::now() })
    }

    /// From when on a sample's time counts.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// How the cluster stands now, as far as the user may see it. Groups are asked before their topics, so that none is ahead of
    /// its topic.
    ///
    /// # Errors
    /// Where the brokers do not answer, or refuse us.
    pub(crate) fn take(&mut self, watched: &Watched) -> Result<Sample, Error> {
        let topics: Vec<&str> = watched.topics.iter().map(|topic| topic.as_str()).collect();
        let layout = self.admin.layout(&topics)?;
        let (mut committed, mut refusal) = (BTreeMap::new(), None);
        for (group, offsets) in watched.groups.iter().zip(&mut self.offsets) {
            let topic = group.topic.as_str();
            let Some(partitions) = layout.topics.get(topic) else { continue };
            let asked = offsets.as_ref().map(|offsets| offsets.committed(topic, partitions.len() as u32));
            match asked {
                Ok(Ok(offsets)) => drop(committed.insert(group.name.clone(), offsets)),
                Ok(Err(error @ kafka_transport::Error::Forbidden { .. })) => *offsets = Err(error.to_string()),
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => {}
            }
            if let Err(reason) = offsets {
                refusal.get_or_insert_with(|| reason.clone());
            }
        }
        let members = self.admin.members();
        let logs = self.admin.logs(&layout)?;
        Ok(Sample { at: self.started.elapsed(), brokers: layout.brokers, logs, committed, members, refusal })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_watched_with_its_groups_and_topics_alone_and_dead_letters_stand_last() {
        let topology = Topology::built_in().unwrap();
        let shop = Watched::of(&topology, Some(System::Shop));
        let groups: Vec<&str> = shop.groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(groups.first(), Some(&"inventory_manager.order_placed"));
        assert_eq!((groups.len(), shop.topics.len()), (6, 11));
        assert_eq!(shop.topics[4].as_str(), "payment_result");
        assert!(shop.topics[5..].iter().all(|topic| topic.as_str().ends_with(".dead_letter")), "{:?}", shop.topics);

        let all = Watched::of(&topology, None);
        assert_eq!((all.groups.len(), all.topics.len()), (topology.groups().count(), topology.topics().count()));
    }
}
