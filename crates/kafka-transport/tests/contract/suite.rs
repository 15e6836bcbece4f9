use std::thread;
use std::time::Instant;

use events::Topic;
use topology::Topology;

use crate::broker::{Broker, Capability};
use crate::cases::CASES;
use crate::kafka::Kafka;

/// Something that is asked of brokers. It has a topic of its own name, with [`PARTITIONS`].
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) ask: Ask,
}

/// Of which brokers it is asked.
pub(crate) enum Ask {
    /// Of all.
    All(fn(&dyn Broker, Topic)),
    /// Of those that have this.
    Capable(Capability, fn(&Kafka, Topic)),
}

/// Partitions of each case's topic.
pub(crate) const PARTITIONS: i32 = 3;

/// The topics that a broker must have: one for each case, and those of the shop.
pub(crate) fn topics() -> Vec<(Topic, i32)> {
    let topology = Topology::built_in().unwrap();
    let of_shop = topology.topics().map(|topic| (Topic::named(&topic.name), topic.partitions as i32));
    CASES.iter().map(|case| (Topic::new(case.name), PARTITIONS)).chain(of_shop).collect()
}

/// Asks a broker all cases at once, most of which do little but wait. `not_applicable` are those that it lacks a capability for.
#[track_caller]
pub(crate) fn check(broker: &dyn Broker, not_applicable: &[&str]) {
    let (mut failed, mut lacking) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        let mut running = Vec::new();
        for case in CASES {
            let Some(ask) = applicable(case, broker) else {
                lacking.push(case.name);
                continue;
            };
            let timed = move || {
                let started = Instant::now();
                ask(Topic::new(case.name));
                started.elapsed()
            };
            let thread = thread::Builder::new().name(case.name.into()).spawn_scoped(scope, timed).unwrap();
            running.push((case.name, thread));
        }
        for (name, thread) in running {
            match thread.join() {
                Ok(took) => println!("passed on {}: {name} in {:.1} s", broker.name(), took.as_secs_f64()),
                Err(_) => failed.push(name), // it has printed why
            }
        }
    });
    assert!(failed.is_empty(), "failed on {}: {failed:#?}", broker.name());
    assert_eq!(lacking, not_applicable, "not applicable on {}", broker.name());
}

/// The case as it is asked of this broker; `None`, and a line that says so, where it cannot be.
fn applicable<'a>(case: &Case, broker: &'a dyn Broker) -> Option<Box<dyn FnOnce(Topic) + Send + 'a>> {
    match case.ask {
        Ask::All(ask) => Some(Box::new(move |topic| ask(broker, topic))),
        Ask::Capable(capability, ask) => {
            let kafka = broker.as_kafka().filter(|_| broker.capabilities().contains(&capability));
            if kafka.is_none() {
                println!("not applicable on {}: {} needs {capability}", broker.name(), case.name);
            }
            kafka.map(|kafka| Box::new(move |topic| ask(kafka, topic)) as _)
        }
    }
}
