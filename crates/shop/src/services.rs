use std::sync::Arc;

use events::Event;
use events::shop::{InventoryResult, Notification, OrderPlaced, OrderShipped, PaymentResult};
use messaging::{Code, Handler, Rate, Services, ServicesError};
use topology::{System, Topology};

use crate::inventory_manager::{self, InventoryManager};
use crate::notification_handler::{self, NotificationHandler};
use crate::order_generator;
use crate::payment_processor::{self, PaymentProcessor};
use crate::shipping_handler::{self, ShippingHandler};

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

/// The shop as `topology` declares it.
///
/// # Errors
/// Where it declares other services, topics or settings than the code has.
pub fn services(topology: &Topology) -> Result<Services, ServicesError> {
    services_with(topology, |service, setting| topology.service(service)?.setting(setting))
}

/// The shop as `topology` declares it, with the settings that the host knows by (service, setting).
///
/// # Errors
/// Where it declares other services, topics or settings than the code has, or the host leaves one out.
pub fn services_with(
    topology: &Topology,
    settings: impl Fn(&str, &str) -> Option<u64>,
) -> Result<Services, ServicesError> {
    Services::new(topology, System::Shop, SHOP, |code| handler(&settings, code.name))
}

fn handler(settings: impl Fn(&str, &str) -> Option<u64>, service: &str) -> Result<Arc<dyn Handler>, ServicesError> {
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
        other => return Err(ServicesError::no_handler(System::Shop, other, SHOP)),
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
) -> Result<Rate, ServicesError> {
    let found = settings(service, setting);
    found.and_then(Rate::from_percent).ok_or_else(|| ServicesError::setting(service, setting, found, "0 to 100"))
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
    pub fn new(topology: &Topology) -> Result<Self, ServicesError> {
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
        let shop = services(&topology).unwrap();
        let groups: Vec<String> = shop.iter().map(|(subscription, _)| subscription.group.clone()).collect();
        let of_shop = topology.services_of(System::Shop).flat_map(|service| &service.consumes);
        let declared: Vec<String> = of_shop.map(|consumption| consumption.group.clone()).collect();
        assert_eq!(groups, declared);
        assert_eq!(groups.len(), 6);
    }

    #[test]
    fn services_topics_and_settings_that_differ_from_the_code_are_refused() {
        let text = include_str!("../../../topology.json");
        let check = |from: &str, to: &str, message: &str| {
            let topology = Topology::parse("t.json", &text.replace(from, to)).unwrap();
            assert_eq!(services(&topology).err().unwrap().to_string(), message);
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
            "services.mailer: the system `shop` has no code for it; it has order_generator, payment_processor, inventory_manager, \
             shipping_handler, notification_handler",
        );
    }

    #[test]
    fn the_hosts_settings_go_before_those_of_the_topology() {
        let topology = Topology::built_in().unwrap();
        let check = |percent, expected: Result<(), &str>| {
            let services = services_with(&topology, |_, _| percent).map(drop);
            assert_eq!(services.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
        };
        check(Some(50), Ok(()));
        let inventory = "services.inventory_manager.settings.available_percent: missing, allowed 0 to 100";
        check(None, Err(inventory));
        check(Some(101), Err("services.inventory_manager.settings.available_percent: found 101, allowed 0 to 100"));
    }

    #[test]
    fn the_rates_are_those_that_requirements_e04_and_e05_ask_for() {
        let rates = Rates::new(&Topology::built_in().unwrap()).unwrap();
        assert_eq!((rates.success.as_f64(), rates.available.as_f64()), (0.90, 0.80));
    }
}
