use ::topology::Topology;
use events::Topic;
use kafka_transport::Group;
use messaging::{BatchStep, Services, Subscription};

/// What runs on a Kafka: the topics, and the services that read them.
pub(crate) struct Wiring {
    pub(crate) services: Services,
    pub(crate) topics: Vec<(Topic, i32)>,
}

impl Wiring {
    pub(crate) fn new(topology: &Topology, services: Services) -> Self {
        let topics = topology.topics().map(|topic| (Topic::named(&topic.name), topic.partitions as i32)).collect();
        Self { services, topics }
    }

    /// The consumer groups of all services.
    pub(crate) fn groups(&self) -> Vec<Group> {
        self.groups_where(|_| true)
    }

    /// The consumer groups of the services that are wanted.
    pub(crate) fn groups_where(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<Group> {
        let wanted = self.services.iter().filter(|(subscription, _)| is_wanted(&subscription.service));
        let group = |(subscription, step): (&Subscription, _)| Group {
            subscription: subscription.clone(),
            step: Box::new(step) as Box<dyn BatchStep>,
        };
        wanted.map(group).collect()
    }
}
