use std::collections::BTreeSet;
use std::sync::Arc;

use events::Topic;
use topology::{System, Topology};

use crate::{Handler, Lifted, Subscription};

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
pub struct Services(Vec<(Subscription, Arc<dyn Handler>)>);

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
            let handler = handler(code)?;
            services.0.extend(subscriptions.into_iter().map(|subscription| (subscription, Arc::clone(&handler))));
        }
        Ok(services)
    }

    /// Each consumer group with its service's handler, lifted into a batch step. The first group of a service looks after its timers.
    pub fn iter(&self) -> impl Iterator<Item = (&Subscription, Lifted<Arc<dyn Handler>>)> {
        self.0.iter().enumerate().map(|(index, (subscription, handler))| {
            let lifted = Lifted::new(&subscription.service, Arc::clone(handler));
            let is_first = self.0[..index].iter().all(|(earlier, _)| earlier.service != subscription.service);
            (subscription, if is_first { lifted } else { lifted.without_timers() })
        })
    }

    /// The same groups, each with what `wrap` makes of its handler.
    #[must_use]
    pub fn map(self, wrap: impl Fn(&Subscription, Arc<dyn Handler>) -> Arc<dyn Handler>) -> Self {
        let wrapped = self.0.into_iter().map(|(subscription, handler)| {
            let handler = wrap(&subscription, handler);
            (subscription, handler)
        });
        Self(wrapped.collect())
    }

    /// These groups and those of another system.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
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
