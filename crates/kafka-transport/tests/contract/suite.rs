use std::any::Any;
use std::thread;
use std::time::{Duration, Instant};

use events::Topic;
use topology::Topology;

use crate::broker::{Broker, Capability};

/// Something that is asked of brokers. It has a topic of its own name, with [`PARTITIONS`].
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What a broker must be capable of to be asked.
    pub(crate) needs: Option<Capability>,
    pub(crate) company: Company,
    pub(crate) ask: fn(&dyn Broker, Topic),
}

/// A function as a case of its name.
macro_rules! case {
    ($subject:ident::$name:ident) => {
        $crate::suite::Case { name: stringify!($name), needs: None, company: $crate::suite::Company::Others, ask: $subject::$name }
    };
    ($subject:ident::$name:ident needs $capability:ident) => {
        $crate::suite::Case { needs: Some($crate::broker::Capability::$capability), ..$crate::suite::case!($subject::$name) }
    };
    ($subject:ident::$name:ident needs $capability:ident alone) => {
        $crate::suite::Case { company: $crate::suite::Company::Nobody, ..$crate::suite::case!($subject::$name needs $capability) }
    };
}
pub(crate) use case;

/// Whether other cases may run at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    /// They may: most cases do little but wait.
    Others,
    /// They may not, because it breaks the broker. It leaves it whole.
    Nobody,
}

/// Cases that run at the same time. With more, a machine of two cores needs longer for logins than clients wait for them.
const AT_ONCE: usize = 8;

/// Partitions of each case's topic.
pub(crate) const PARTITIONS: i32 = 3;

/// The topics that a broker must have to be asked: one for each case, and those of `topology.json`.
pub(crate) fn topics(cases: &[Case]) -> Vec<(Topic, i32)> {
    let topology = Topology::built_in().unwrap();
    let declared = topology.topics().map(|topic| (Topic::named(&topic.name), topic.partitions as i32));
    cases.iter().map(|case| (Topic::new(case.name), PARTITIONS)).chain(declared).collect()
}

/// Asks a broker the cases, and reports each by its name. `not_applicable` are those that need what it is not capable of.
#[track_caller]
pub(crate) fn check(broker: &dyn Broker, cases: &'static [Case], not_applicable: &[&str]) {
    let is_capable = |case: &Case| case.needs.is_none_or(|needed| broker.capabilities().contains(&needed));
    let (applicable, others): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(|case| is_capable(case));
    let (together, alone): (Vec<&Case>, Vec<&Case>) =
        applicable.iter().partition(|case| case.company == Company::Others);
    let mut failed: Vec<_> = together.chunks(AT_ONCE).flat_map(|cases| ask(broker, cases)).collect();
    alone.iter().for_each(|&case| failed.extend(ask(broker, &[case])));
    for Case { name, needs, .. } in &others {
        println!("not applicable on {}: {name} needs {}", broker.name(), needs.unwrap());
    }
    assert!(failed.is_empty(), "{} failed {} of {}: {failed:#?}", broker.name(), failed.len(), applicable.len());
    assert_eq!(others.iter().map(|case| case.name).collect::<Vec<_>>(), not_applicable, "{}", broker.name());
}

/// Asks cases at the same time, and answers with the names of those that failed.
fn ask(broker: &dyn Broker, cases: &[&'static Case]) -> Vec<&'static str> {
    thread::scope(|scope| {
        let start = |&case: &&'static Case| {
            let thread = thread::Builder::new().name(case.name.into());
            (case.name, thread.spawn_scoped(scope, || timed(case, broker)).unwrap())
        };
        let running: Vec<_> = cases.iter().map(start).collect();
        let report = |name, result: Result<Duration, Box<dyn Any + Send>>| match result {
            Ok(took) => {
                println!("passed on {}: {name} in {:.1} s", broker.name(), took.as_secs_f64());
                None
            }
            Err(_) => Some(name), // it has printed why
        };
        running.into_iter().filter_map(|(name, thread)| report(name, thread.join())).collect()
    })
}

fn timed(case: &Case, broker: &dyn Broker) -> Duration {
    let started = Instant::now();
    (case.ask)(broker, Topic::new(case.name));
    started.elapsed()
}
