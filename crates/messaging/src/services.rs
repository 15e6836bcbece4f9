use std::collections::BTreeSet;
use std::sync::Arc;

use events::{Envelope, Topic};
use topology::{System, Topology};

use crate::{BatchStep, Due, Handler, Lifted, Outcome, Record, Subscription};

/// A service as its code has it, beside which `topology.json` is held.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// Its name.
    pub name: &'static str,
    /// What it can read.
    pub reads: &'static [Topic],
    /// What it does write.
    pub writes: &'static [Topic],
    /// The settings that it needs.
    pub settings: &'static [&'static str],
}

/// The consuming services of a system, or of several: what a host runs.
#[derive(Clone, Default)]
pub struct Services(Vec<(Subscription, Step)>);

/// What a service does with what it reads.
#[derive(Clone)]
enum Step {
    /// It handles record by record.
    Lifted(Arc<dyn Handler>),
    /// It works on a batch as a whole.
    Own(NewStep),
}

/// Makes what a service does with a batch, once for each host that drives it.
pub type NewStep = Arc<dyn Fn() -> Box<dyn BatchStep> + Send + Sync>;

/// `topology.json` and the code of a system disagree.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServicesError {
    /// A service that the system has no code for.
    #[error("services.{service}: the system `{system}` has no code for it; it has {known}")]
    NoHandler {
        /// The system.
        system: System,
        /// The service.
        service: String,
        /// The services that it has.
        known: String,
    },
    /// A service of the system that is not declared.
    #[error("services.{service}: missing in the system `{system}`; without it no order ends")]
    NoService {
        /// The system.
        system: System,
        /// The service.
        service: &'static str,
    },
    /// A service is declared with other topics than its code has.
    #[error("services.{service}.{direction}: found {found}, allowed {allowed}, as its code has it")]
    Edges {
        /// The service.
        service: &'static str,
        /// `consumes` or `produces`.
        direction: &'static str,
        /// The topics declared.
        found: String,
        /// The topics of the code.
        allowed: String,
    },
    /// A service has a setting that its code does not know.
    #[error("services.{service}.settings.{setting}: unknown to the service; leave it out")]
    UnknownSetting {
        /// The service.
        service: &'static str,
        /// The setting.
        setting: String,
    },
    /// A service lacks a setting, or it is out of range.
    #[error("services.{service}.settings.{setting}: {found}, allowed {allowed}")]
    Setting {
        /// The service.
        service: &'static str,
        /// The setting it needs.
        setting: &'static str,
        /// What stands there.
        found: String,
        /// What may stand there.
        allowed: &'static str,
    },
}

impl ServicesError {
    /// A service that the system has no code for, where `code` is all that it has.
    pub fn no_handler(system: System, service: &str, code: &[Code]) -> Self {
        let known = code.iter().map(|code| code.name).collect::<Vec<_>>().join(", ");
        Self::NoHandler { system, service: service.to_owned(), known }
    }

    /// A setting that is missing, or out of its range.
    pub fn setting(service: &'static str, setting: &'static str, found: Option<u64>, allowed: &'static str) -> Self {
        let found = found.map_or_else(|| "missing".to_owned(), |found| format!("found {found}"));
        Self::Setting { service, setting, found, allowed }
    }
}

impl Services {
    /// The services of a system as `topology` declares them, each with its handler.
    ///
    /// # Errors
    /// Where it declares other services, topics or settings than `code` has, or a handler is refused.
    pub fn new(
        topology: &Topology,
        system: System,
        code: &[Code],
        mut handler: impl FnMut(&Code) -> Result<Arc<dyn Handler>, ServicesError>,
    ) -> Result<Self, ServicesError> {
        Self::with(topology, system, code, |code| handler(code).map(Step::Lifted))
    }

    /// The same for services that have steps of their own instead of handlers.
    ///
    /// # Errors
    /// As [`Services::new`].
    pub fn of_steps(
        topology: &Topology,
        system: System,
        code: &[Code],
        mut step: impl FnMut(&Code) -> Result<NewStep, ServicesError>,
    ) -> Result<Self, ServicesError> {
        Self::with(topology, system, code, |code| step(code).map(Step::Own))
    }

    fn with(
        topology: &Topology,
        system: System,
        code: &[Code],
        mut step: impl FnMut(&Code) -> Result<Step, ServicesError>,
    ) -> Result<Self, ServicesError> {
        for &Code { name, reads, writes, settings } in code {
            let of_system = |service: &&topology::Service| service.system == system;
            let missing = ServicesError::NoService { system, service: name };
            let service = topology.service(name).filter(of_system).ok_or(missing)?;
            if let Some(setting) = service.settings.keys().find(|setting| !settings.contains(&setting.as_str())) {
                return Err(ServicesError::UnknownSetting { service: name, setting: setting.clone() });
            }
            let consumes = service.consumes.iter().map(|consumption| consumption.topic.as_str()).collect();
            let produces = service.produces.iter().map(String::as_str).collect();
            // A service may leave out a topic that it could read: the audit then tells whose orders never end.
            check(name, "consumes", &consumes, reads, BTreeSet::is_subset)?;
            check(name, "produces", &produces, writes, BTreeSet::eq)?;
        }
        let mut services = Self::default();
        for service in topology.services_of(system) {
            let Some(code) = code.iter().find(|code| code.name == service.name) else {
                return Err(ServicesError::no_handler(system, &service.name, code));
            };
            let subscriptions = Subscription::all_of(service);
            if subscriptions.is_empty() {
                continue; // it reads nothing
            }
            let step = step(code)?;
            services.0.extend(subscriptions.into_iter().map(|subscription| (subscription, step.clone())));
        }
        Ok(services)
    }

    /// Each consumer group with what makes its steps. Those of the first group of a service look after its timers.
    pub fn iter(&self) -> impl Iterator<Item = (&Subscription, NewStep)> {
        self.0.iter().enumerate().map(|(index, (subscription, step))| {
            let new_step: NewStep = match step {
                Step::Own(new_step) => Arc::clone(new_step),
                Step::Lifted(handler) => {
                    let lifted = Lifted::new(&subscription.service, Arc::clone(handler));
                    Arc::new(move || Box::new(lifted.clone()))
                }
            };
            let is_first = self.0[..index].iter().all(|(earlier, _)| earlier.service != subscription.service);
            let without_timers = |new_step: NewStep| Arc::new(move || Box::new(WithoutTimers(new_step())) as _);
            (subscription, if is_first { new_step } else { without_timers(new_step) })
        })
    }

    /// The same groups, each with what `wrap` makes of its handler; steps of their own stay as they are.
    #[must_use]
    pub fn map(self, wrap: impl Fn(&Subscription, Arc<dyn Handler>) -> Arc<dyn Handler>) -> Self {
        let wrapped = self.0.into_iter().map(|(subscription, step)| {
            let step = match step {
                Step::Lifted(handler) => Step::Lifted(wrap(&subscription, handler)),
                Step::Own(_) => step,
            };
            (subscription, step)
        });
        Self(wrapped.collect())
    }

    /// These groups and those of another system.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// A step whose timers another one of its service looks after.
struct WithoutTimers(Box<dyn BatchStep>);

impl BatchStep for WithoutTimers {
    fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
        self.0.process(batch)
    }

    fn envelope(&self, record: &Record<'_>) -> Envelope {
        self.0.envelope(record)
    }

    fn remark(&self, record: &Record<'_>) -> Option<String> {
        self.0.remark(record)
    }

    fn due(&mut self) -> Vec<Due> {
        Vec::new()
    }

    fn has_timers(&self) -> bool {
        false
    }
}

/// Compares a service's declared topics with those of its code.
fn check<'a>(
    service: &'static str,
    direction: &'static str,
    declared: &BTreeSet<&'a str>,
    code: &'a [Topic],
    fits: fn(&BTreeSet<&'a str>, &BTreeSet<&'a str>) -> bool,
) -> Result<(), ServicesError> {
    let code = code.iter().map(|topic| topic.as_str()).collect();
    if fits(declared, &code) {
        return Ok(());
    }
    let list = |topics: &BTreeSet<&str>| {
        if topics.is_empty() { "nothing".to_owned() } else { topics.iter().copied().collect::<Vec<_>>().join(", ") }
    };
    Err(ServicesError::Edges { service, direction, found: list(declared), allowed: list(&code) })
}
