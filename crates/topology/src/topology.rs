//! The whole topology, and the questions it answers.

use std::collections::BTreeMap;

use crate::nearest::nearest;
use crate::{Consumption, Error, Service, System, Topic, document, rules, shape};

/// Topics and services that keep every rule of this crate: one that breaks a rule can't be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    pub(crate) topics: BTreeMap<String, Topic>,
    pub(crate) services: BTreeMap<String, Service>,
}

impl Topology {
    /// The `topology.json` that this program was built with.
    ///
    /// # Errors
    ///
    /// Every broken rule of that file; a test keeps it free of them.
    pub fn built_in() -> Result<Self, Error> {
        Self::parse("topology.json", include_str!("../../../topology.json"))
    }

    /// Reads and checks the text of a topology file; `file_name` is what the errors call it.
    ///
    /// # Errors
    ///
    /// Text that is no JSON ends the reading. Everything else is collected: what the shape of the file breaks and, if
    /// all names could be read, what breaks between them. A problem that only follows from another isn't reported.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Error> {
        let (document, repeated_keys) = document::parse(text).map_err(|problem| Error::one(file_name, problem))?;
        let all_keys_once = repeated_keys.is_empty();
        let mut problems = repeated_keys;
        let read = shape::read(&document, &mut problems);
        if all_keys_once && read.all_names_read {
            rules::check(&read.topology, &mut problems);
        }
        Error::refuse_any(file_name, problems)?;
        Ok(read.topology)
    }

    /// All topics by name, dead letters among them.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.values()
    }

    /// The topics that services of one system write and read, by name, with the dead letters of their groups.
    pub fn topics_of(&self, system: System) -> impl Iterator<Item = &Topic> {
        self.topics().filter(move |topic| {
            let is = |name: &String| *name == topic.name;
            let consumes = |group: &Consumption| is(&group.topic) || group.dead_letter.as_ref().is_some_and(is);
            let mut services = self.services_of(system);
            services.any(|service| service.produces.contains(&topic.name) || service.consumes.iter().any(consumes))
        })
    }

    /// The topic of this name.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)
    }

    /// The topic that somebody may have meant by a name that is none's.
    #[must_use]
    pub fn nearest_topic(&self, name: &str) -> Option<&str> {
        nearest(name, self.topics().map(|topic| topic.name.as_str()))
    }

    /// All services by name.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.values()
    }

    /// The service of this name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.get(name)
    }

    /// The services of one system, by name.
    pub fn services_of(&self, system: System) -> impl Iterator<Item = &Service> {
        self.services().filter(move |service| service.system == system)
    }

    /// The services that read a topic, by name.
    pub fn consumers_of(&self, topic: &str) -> impl Iterator<Item = &Service> {
        self.services().filter(move |service| service.consumption(topic).is_some())
    }

    /// The services that write a topic, by name; for a dead letter none, see [`Self::dead_letter_of`].
    pub fn producers_of(&self, topic: &str) -> impl Iterator<Item = &Service> {
        self.services().filter(move |service| service.produces.iter().any(|produced| produced == topic))
    }

    /// All consumer groups, by service and then in the file's order.
    pub fn groups(&self) -> impl Iterator<Item = (&Service, &Consumption)> {
        self.services().flat_map(|service| service.consumes.iter().map(move |consumption| (service, consumption)))
    }

    /// The group whose dead letter this topic is; `None` for an ordinary topic.
    #[must_use]
    pub fn dead_letter_of(&self, topic: &str) -> Option<(&Service, &Consumption)> {
        self.groups().find(|(_, consumption)| consumption.dead_letter.as_deref() == Some(topic))
    }
}
