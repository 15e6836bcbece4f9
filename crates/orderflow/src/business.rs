//! What a system is to the commands: its services, its orders, and what became of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ::topology::Topology;
use events::{Event, Topic};
use kafka_transport::Pace;
use messaging::audit::{Flow, Marks};
use messaging::store::OrderTable;
use messaging::{NewStep, Outgoing, Services, Subscription};
use prometheus_client::collector::Collector;
use serde_json::Value;
use simulation::{Consumer, Faults, Order, Report, broker};

use crate::Error;
pub(crate) use food::{Food, read_table};
pub(crate) use saga::Saga;
pub(crate) use shop::Shop;

mod food; // orders of food, into a table
mod saga; // the orchestrated saga
mod shop; // five services that talk through topics only

/// A system as the commands see it.
pub(crate) trait Business: Send + Sync {
    /// The word for it on the command line and in documents.
    fn name(&self) -> &'static str;

    /// Which system it is in `topology.json`.
    fn system(&self) -> ::topology::System;

    /// The services that read anything.
    fn services(&self) -> &Services;

    /// What the audit knows of it.
    fn flow(&self) -> Arc<dyn Flow>;

    /// The `n`-th order of a seed.
    fn order(&self, seed: u64, n: u64) -> Order;

    /// An order as somebody else wrote it.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read_order(&self, line: &[u8]) -> Result<Order, String>;

    /// How the events of a topic are read; `None` where it carries none of this system.
    fn reader(&self, topic: Topic) -> Option<ReadEvent>;

    /// What became of orders, by an audit's tally.
    fn outcomes(&self, tally: &BTreeMap<Marks, u64>) -> Vec<Outcome>;

    /// The same for a program: fields of a document.
    fn document(&self, tally: &BTreeMap<Marks, u64>) -> Value;

    /// What becomes of orders that nothing further is expected of.
    fn given_up(&self) -> &'static str {
        "dead-lettered"
    }

    /// Whether equal orders come to equal records: not where the order of arrival decides.
    fn has_digest(&self) -> bool;

    /// Of faults those that its orders can be judged under.
    fn faults(&self, asked: Faults) -> Faults {
        asked
    }

    /// Plays orders in memory and virtual time, under the faults of a schedule. What does not add up outside of the records afterwards
    /// stands beside.
    ///
    /// # Errors
    /// Where the system makes no sense.
    fn simulate(
        &self,
        topology: &Topology,
        orders: &[Order],
        schedule: u64,
        faults: Faults,
    ) -> Result<(Report, Vec<String>), broker::Error>;

    /// How an embedded cluster serves it fastest.
    fn full_pace(&self) -> Pace {
        Pace::FULL
    }

    /// How long it may wait for something before anything moves again: a backoff, an answer.
    fn longest_wait(&self) -> Duration {
        Duration::ZERO // where no service ever asks for another attempt
    }

    /// Whether nothing is awaited beyond the records that stand: a timer may still have something to say.
    ///
    /// # Errors
    /// Where that cannot be read.
    fn is_at_rest(&self) -> Result<bool, Error> {
        Ok(true)
    }

    /// What a worker of some of its services shows beside what its groups count.
    fn metrics(&self, _is_asked: &dyn Fn(&str) -> bool) -> Option<Box<dyn Collector>> {
        None
    }

    /// Hears of each order that a run takes in.
    fn taken_in(&self, _order: &Outgoing) {}

    /// The table that its orders end in, if they do.
    fn table(&self) -> Option<&dyn OrderTable> {
        None
    }

    /// What does not add up outside of the records, after everything has come to rest and so many orders have a dead letter.
    ///
    /// # Errors
    /// Where that cannot be read.
    fn discrepancies(&self, _dead_lettered: u64) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }
}

/// Takes the event of a record's value, as somebody else wrote it, or tells why it is none.
pub(crate) type ReadEvent = fn(&[u8]) -> Result<Outgoing, String>;

/// How many orders came to something.
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) orders: u64,
    /// The share that `topology.json` sets, where it sets one.
    pub(crate) configured: Option<f64>,
}

/// An order as somebody else wrote it, where one fault is told.
pub(crate) fn decoded<E: Event>(line: &[u8]) -> Result<Order, String> {
    let order = E::decode(line).map_err(|error| error.to_string())?;
    Ok(Order { record: Outgoing::of(&order), order_id: order.order_id().clone() })
}

/// An event as somebody else wrote it, on a topic that carries no other.
pub(crate) fn event<E: Event>(value: &[u8]) -> Result<Outgoing, String> {
    E::decode(value).map(|event| Outgoing::of(&event)).map_err(|error| error.to_string())
}

/// The topics that services of a system write and read, with their dead letters, and their partitions.
pub(crate) fn topics_of(topology: &Topology, system: ::topology::System) -> Vec<(Topic, i32)> {
    topology.topics_of(system).map(|topic| (Topic::named(&topic.name), topic.partitions as i32)).collect()
}

/// A system with these steps, as the simulation drives it.
pub(crate) fn simulated<'a>(
    steps: impl Iterator<Item = (&'a Subscription, NewStep)>,
    topology: &Topology,
    business: &dyn Business,
) -> simulation::System {
    let consumers = steps.map(|(group, new_step)| Consumer::new(group.clone(), move |_| new_step()));
    simulation::System {
        topics: simulated_topics(topology, business),
        consumers: consumers.collect(),
        flow: business.flow(),
        trouble: None,
    }
}

/// A system's topics, as the simulation takes them.
pub(crate) fn simulated_topics(topology: &Topology, business: &dyn Business) -> Vec<(Topic, usize)> {
    let topics = topics_of(topology, business.system()).into_iter();
    topics.map(|(topic, partitions)| (topic, usize::try_from(partitions).unwrap_or(0))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores::Keep;
    use crate::{System, business};

    fn systems(topology: &Topology) -> Vec<Arc<dyn Business>> {
        let all = [System::Shop, System::Saga, System::Food];
        all.map(|system| business(system, topology, "topology.json", Keep::InMemory).unwrap()).into()
    }

    #[test]
    fn every_topic_but_those_of_dead_letters_carries_events_of_one_system_and_an_order_is_read_as_it_was_written() {
        let topology = Topology::built_in().unwrap();
        let systems = systems(&topology);
        for topic in topology.topics() {
            let readers = systems.iter().filter(|system| system.reader(Topic::named(&topic.name)).is_some()).count();
            let expected = usize::from(topology.dead_letter_of(&topic.name).is_none());
            assert_eq!(readers, expected, "{}", topic.name);
        }
        for system in systems {
            let order = system.order(7, 0).record;
            let read = system.reader(order.topic).unwrap();
            assert_eq!(read(&order.value), Ok(order));
        }
    }
}
