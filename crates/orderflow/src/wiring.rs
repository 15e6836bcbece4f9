use std::sync::Arc;

use ::topology::Topology;
use events::Topic;
use kafka_transport::Group;
use messaging::Services;

use crate::business::{Business, topics_of};

/// What runs on a Kafka: the topics, and the services that read them.
pub(crate) struct Wiring {
    pub(crate) services: Services,
    pub(crate) topics: Vec<(Topic, i32)>,
}

impl Wiring {
    /// All of these systems.
    pub(crate) fn of(topology: &Topology, businesses: &[Arc<dyn Business>]) -> Self {
        let mut services = Services::default();
        businesses.iter().for_each(|business| services.extend(business.services().clone()));
        let topics = businesses.iter().flat_map(|business| topics_of(topology, business.system()));
        Self { services, topics: topics.collect() }
    }

    /// The consumer groups of all services.
    pub(crate) fn groups(&self) -> Vec<Group> {
        self.groups_where(|_| true)
    }

    /// The consumer groups of the services that are wanted.
    pub(crate) fn groups_where(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<Group> {
        let wanted = self.services.iter().filter(|(subscription, _)| is_wanted(&subscription.service));
        wanted.map(|(group, new_step)| Group { subscription: group.clone(), step: new_step() }).collect()
    }
}
