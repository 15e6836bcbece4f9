use std::sync::Arc;

use messaging::{Handler, Lifted, Rate, Subscription};
use topology::{System, Topology};

use crate::inventory_manager::{self, InventoryManager};
use crate::notification_handler::{self, NotificationHandler};
use crate::payment_processor::{self, PaymentProcessor};
use crate::shipping_handler::{self, ShippingHandler};

/// The shop's consuming services with their settings: what a host runs.
pub struct Services(Vec<(Subscription, Arc<dyn Handler>)>);

/// `topology.json` and the code disagree about the shop.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A service that the shop has no code for.
    #[error(
        "services.{0}: the shop has no handler for it; it has payment_processor, inventory_manager, shipping_handler and notification_handler"
    )]
    NoHandler(String),
    /// A service lacks a setting.
    #[error("services.{service}.settings.{setting}: missing, allowed 0 to 100")]
    MissingSetting {
        /// The service.
        service: &'static str,
        /// The setting it needs.
        setting: &'static str,
    },
}

impl Services {
    /// The shop as `topology` declares it.
    ///
    /// # Errors
    /// Where it declares a service that the shop has no handler for, or leaves out a setting.
    pub fn new(topology: &Topology) -> Result<Self, Error> {
        let mut services = Vec::new();
        for service in topology.services_of(System::Shop) {
            for subscription in Subscription::all_of(service) {
                services.push((subscription, handler(topology, &service.name)?));
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

fn handler(topology: &Topology, service: &str) -> Result<Arc<dyn Handler>, Error> {
    let rate = |service, setting| rate(topology, service, setting);
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
fn rate(topology: &Topology, service: &'static str, setting: &'static str) -> Result<Rate, Error> {
    let percent = topology.service(service).and_then(|service| service.setting(setting));
    percent.and_then(Rate::from_percent).ok_or(Error::MissingSetting { service, setting })
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
        Ok(Self {
            success: rate(topology, payment_processor::NAME, payment_processor::SUCCESS_PERCENT)?,
            available: rate(topology, inventory_manager::NAME, inventory_manager::AVAILABLE_PERCENT)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use events::Event;
    use events::shop::OrderPlaced;

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
    fn the_generator_writes_the_topic_that_topology_says() {
        let topology = Topology::built_in().unwrap();
        let generator = topology.service(crate::order_generator::NAME).unwrap();
        assert_eq!(generator.produces, [OrderPlaced::TOPIC.as_str()]);
    }

    #[test]
    fn a_service_or_a_setting_that_the_code_does_not_know_is_refused() {
        let text = include_str!("../../../topology.json");
        let broken = |from, to| Services::new(&Topology::parse("t.json", &text.replace(from, to)).unwrap()).err();
        let missing = Error::MissingSetting { service: "payment_processor", setting: "success_percent" };
        assert_eq!(broken("success_percent", "luck_percent"), Some(missing));
        assert_eq!(broken("shipping_handler", "mailer"), Some(Error::NoHandler("mailer".into())));
    }

    #[test]
    fn the_rates_are_those_that_requirements_e04_and_e05_ask_for() {
        let rates = Rates::new(&Topology::built_in().unwrap()).unwrap();
        assert_eq!((rates.success.as_f64(), rates.available.as_f64()), (0.90, 0.80));
    }
}
