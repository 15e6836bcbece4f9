use std::collections::BTreeSet;
use std::sync::Arc;

use events::shop::{InventoryResult, Notification, OrderPlaced, OrderShipped, PaymentResult};
use events::{Event, Topic};
use messaging::{Handler, Lifted, Rate, Subscription};
use topology::{System, Topology};

use crate::inventory_manager::{self, InventoryManager};
use crate::notification_handler::{self, NotificationHandler};
use crate::order_generator;
use crate::payment_processor::{self, PaymentProcessor};
use crate::shipping_handler::{self, ShippingHandler};

/// A service as its code has it, beside which `topology.json` is held.
struct Code {
    name: &'static str,
    /// What it can read.
    reads: &'static [Topic],
    /// What it does write.
    writes: &'static [Topic],
    /// The settings that it needs.
    settings: &'static [&'static str],
}

const SHOP: &[Code] = &[
    Code { name: order_generator::NAME, reads: &[], writes: &[OrderPlaced::TOPIC], settings: &[order_generator::SEED] },
    Code {
        name: payment_processor::NAME,
        reads: &[OrderPlaced::TOPIC],
        writes: &[PaymentResult::TOPIC],
        settings: &[payment_processor::SUCCESS_PERCENT],
    },
    Code {
        name: inventory_manager::NAME,
        reads: &[OrderPlaced::TOPIC],
        writes: &[InventoryResult::TOPIC],
        settings: &[inventory_manager::AVAILABLE_PERCENT],
    },
    Code {
        name: shipping_handler::NAME,
        reads: &[PaymentResult::TOPIC],
        writes: &[OrderShipped::TOPIC, Notification::TOPIC],
        settings: &[],
    },
    Code {
        name: notification_handler::NAME,
        reads: &[InventoryResult::TOPIC, OrderShipped::TOPIC, Notification::TOPIC],
        writes: &[],
        settings: &[],
    },
];

/// The shop's consuming services with their settings: what a host runs.
pub struct Services(Vec<(Subscription, Arc<dyn Handler>)>);

/// `topology.json` and the code disagree about the shop.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A service that the shop has no code for.
    #[error("services.{0}: the shop has no code for it; it has {services}", services = names())]
    NoHandler(String),
    /// A service of the shop that is not declared.
    #[error("services.{0}: missing in the system `shop`; without it no order ends")]
    NoService(&'static str),
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
    /// A service lacks a setting.
    #[error("services.{service}.settings.{setting}: missing, allowed 0 to 100")]
    MissingSetting {
        /// The service.
        service: &'static str,
        /// The setting it needs.
        setting: &'static str,
    },
}

fn names() -> String {
    SHOP.iter().map(|code| code.name).collect::<Vec<_>>().join(", ")
}

impl Services {
    /// The shop as `topology` declares it.
    ///
    /// # Errors
    /// Where it declares other services, topics or settings than the code has.
    pub fn new(topology: &Topology) -> Result<Self, Error> {
        Self::configured(topology, |service, setting| topology.service(service)?.setting(setting))
    }

    /// The shop as `topology` declares it, with the settings that the host knows by (service, setting).
    ///
    /// # Errors
    /// Where it declares other services, topics or settings than the code has, or the host leaves one out.
    pub fn configured(topology: &Topology, settings: impl Fn(&str, &str) -> Option<u64>) -> Result<Self, Error> {
        for &Code { name, reads, writes, settings } in SHOP {
            let of_shop = |service: &&topology::Service| service.system == System::Shop;
            let service = topology.service(name).filter(of_shop).ok_or(Error::NoService(name))?;
            if let Some(setting) = service.settings.keys().find(|setting| !settings.contains(&setting.as_str())) {
                return Err(Error::UnknownSetting { service: name, setting: setting.clone() });
            }
            let consumes = service.consumes.iter().map(|consumption| consumption.topic.as_str()).collect();
            let produces = service.produces.iter().map(String::as_str).collect();
            // A service may leave out a topic that it could read: the audit then tells whose orders never end.
            check(name, "consumes", &consumes, reads, BTreeSet::is_subset)?;
            check(name, "produces", &produces, writes, BTreeSet::eq)?;
        }
        let mut services = Vec::new();
        for service in topology.services_of(System::Shop) {
            if SHOP.iter().all(|code| code.name != service.name) {
                return Err(Error::NoHandler(service.name.clone()));
            }
            for subscription in Subscription::all_of(service) {
                services.push((subscription, handler(&settings, &service.name)?));
            }
        }
        Ok(Self(services))
    }

    /// Each consumer group with its service's handler, lifted into a batch step.
    pub fn iter(&self) -> impl Iterator<Item = (&Subscription, Lifted<Arc<dyn Handler>>)> {
        self.0
            .iter()
            .map(|(subscription, handler)| (subscription, Lifted::new(&subscription.service, Arc::clone(handler))))
    }
}

/// Compares a service's declared topics with those of its code.
fn check<'a>(
    service: &'static str,
    direction: &'static str,
    declared: &BTreeSet<&'a str>,
    code: &'a [Topic],
    fits: fn(&BTreeSet<&'a str>, &BTreeSet<&'a str>) -> bool,
) -> Result<(), Error> {
    let code = code.iter().map(|topic| topic.as_str()).collect();
    if fits(declared, &code) {
        return Ok(());
    }
    let list = |topics: &BTreeSet<&str>| {
        if topics.is_empty() { "nothing".to_owned() } else { topics.iter().copied().collect::<Vec<_>>().join(", ") }
    };
    Err(Error::Edges { service, direction, found: list(declared), allowed: list(&code) })
}

fn handler(settings: impl Fn(&str, &str) -> Option<u64>, service: &str) -> Result<Arc<dyn Handler>, Error> {
    let rate = |service, setting| rate(&settings, service, setting);
    Ok(match service {
        payment_processor::NAME => Arc::new(PaymentProcessor {
            success_rate: rate(payment_processor::NAME, payment_processor::SUCCESS_PERCENT)?,
        }),
        inventory_manager::NAME => Arc::new(InventoryManager {
            available_rate: rate(inventory_manager::NAME, inventory_manager::AVAILABLE_PERCENT)?,
        }),
        shipping_handler::NAME => Arc::new(ShippingHandler),
        notification_handler::NAME => Arc::new(NotificationHandler),
        other => return Err(Error::NoHandler(other.to_owned())),
    })
}

/// A setting in percent, as a share.
///
/// # Errors
/// Where the service does not state it.
fn rate(
    settings: impl Fn(&str, &str) -> Option<u64>,
    service: &'static str,
    setting: &'static str,
) -> Result<Rate, Error> {
    settings(service, setting).and_then(Rate::from_percent).ok_or(Error::MissingSetting { service, setting })
}

/// The shares that `topology.json` sets, to hold the outcomes against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Share of orders that are paid.
    pub success: Rate,
    /// Share of orders whose items are all there.
    pub available: Rate,
}

impl Rates {
    /// The shares as `topology` sets them.
    ///
    /// # Errors
    /// Where it leaves one out.
    pub fn new(topology: &Topology) -> Result<Self, Error> {
        let settings = |service: &str, setting: &str| topology.service(service)?.setting(setting);
        Ok(Self {
            success: rate(settings, payment_processor::NAME, payment_processor::SUCCESS_PERCENT)?,
            available: rate(settings, inventory_manager::NAME, inventory_manager::AVAILABLE_PERCENT)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shop_has_a_handler_for_each_group_that_topology_declares() {
        let topology = Topology::built_in().unwrap();
        let services = Services::new(&topology).unwrap();
        let groups: Vec<String> = services.iter().map(|(subscription, _)| subscription.group.clone()).collect();
        let declared: Vec<String> = topology.groups().map(|(_, consumption)| consumption.group.clone()).collect();
        assert_eq!(groups, declared);
        assert_eq!(groups.len(), 6);
    }

    #[test]
    fn services_topics_and_settings_that_differ_from_the_code_are_refused() {
        let text = include_str!("../../../topology.json");
        let check = |from: &str, to: &str, message: &str| {
            let topology = Topology::parse("t.json", &text.replace(from, to)).unwrap();
            assert_eq!(Services::new(&topology).err().unwrap().to_string(), message);
        };
        check(
            r#"{"success_percent": 90}"#,
            "{}",
            "services.payment_processor.settings.success_percent: missing, allowed 0 to 100",
        );
        check(
            "success_percent",
            "luck_percent",
            "services.payment_processor.settings.luck_percent: unknown to the service; leave it out",
        );
        check(
            "shipping_handler",
            "mailer",
            "services.shipping_handler: missing in the system `shop`; without it no order ends",
        );
        check(
            r#""produces": ["payment_result"]"#,
            r#""produces": ["payment_result", "inventory_result"]"#,
            "services.payment_processor.produces: found inventory_result, payment_result, allowed payment_result, as its code has it",
        );
        let mailer = r#""mailer": {"system": "shop", "host": "lambda", "consumes": [], "produces": ["order_placed"], "retry": null,
            "memory_mib": 128, "timeout_s": 30, "settings": {}}, "order_generator": {"#;
        check(
            r#""order_generator": {"#,
            mailer,
            "services.mailer: the shop has no code for it; it has order_generator, payment_processor, inventory_manager, \
             shipping_handler, notification_handler",
        );
    }

    #[test]
    fn the_hosts_settings_go_before_those_of_the_topology() {
        let topology = Topology::built_in().unwrap();
        let check = |percent, expected: Result<(), &str>| {
            let services = Services::configured(&topology, |_, _| percent).map(drop);
            assert_eq!(services.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
        };
        check(Some(50), Ok(()));
        let inventory = "services.inventory_manager.settings.available_percent: missing, allowed 0 to 100";
        check(None, Err(inventory));
        check(Some(101), Err(inventory));
    }

    #[test]
    fn the_rates_are_those_that_requirements_e04_and_e05_ask_for() {
        let rates = Rates::new(&Topology::built_in().unwrap()).unwrap();
        assert_eq!((rates.success.as_f64(), rates.available.as_f64()), (0.90, 0.80));
    }
}
