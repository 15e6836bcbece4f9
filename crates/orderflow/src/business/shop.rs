use std::collections::BTreeMap;
use std::sync::Arc;

use ::topology::{System, Topology};
use events::shop::{InventoryResult, Notification, OrderPlaced, OrderShipped, PaymentResult};
use events::{Event, Timestamp, Topic};
use messaging::audit::{Flow, Marks};
use messaging::{Outgoing, Services};
use serde_json::{Value, json};
use shop::order_generator::generate_order_event;
use shop::{Outcomes, Rates, ShopFlow};
use simulation::{Faults, Order, Report, Simulation, broker};

use super::{Business, Outcome, ReadEvent, decoded, event, simulated};
use crate::Error;

/// The shop.
pub(crate) struct Shop {
    services: Services,
    rates: Rates,
}

impl Shop {
    /// The shop as `topology` declares it.
    ///
    /// # Errors
    /// Where that differs from its code.
    pub(crate) fn new(topology: &Topology, name: &str) -> Result<Self, Error> {
        let unfit = |error| Error::Usage(format!("{name}: {error}"));
        let services = shop::services(topology).map_err(unfit)?;
        Ok(Self { services, rates: Rates::new(topology).map_err(unfit)? })
    }
}

impl Business for Shop {
    fn name(&self) -> &'static str {
        "shop"
    }

    fn system(&self) -> System {
        System::Shop
    }

    fn services(&self) -> &Services {
        &self.services
    }

    fn flow(&self) -> Arc<dyn Flow> {
        Arc::new(ShopFlow)
    }

    fn order(&self, seed: u64, n: u64) -> Order {
        let order = generate_order_event(seed, Timestamp::BASE, n);
        Order { record: Outgoing::of(&order), order_id: order.order_id }
    }

    fn read_order(&self, line: &[u8]) -> Result<Order, String> {
        decoded::<OrderPlaced>(line)
    }

    fn reader(&self, topic: Topic) -> Option<ReadEvent> {
        let read: ReadEvent = match topic {
            OrderPlaced::TOPIC => event::<OrderPlaced>,
            PaymentResult::TOPIC => event::<PaymentResult>,
            InventoryResult::TOPIC => event::<InventoryResult>,
            OrderShipped::TOPIC => event::<OrderShipped>,
            Notification::TOPIC => event::<Notification>,
            _ => return None,
        };
        Some(read)
    }

    fn outcomes(&self, tally: &BTreeMap<Marks, u64>) -> Vec<Outcome> {
        let outcomes = Outcomes::of(tally);
        let (paid, available) = (self.rates.success.as_f64(), self.rates.available.as_f64());
        let outcome = |name, orders, configured| Outcome { name, orders, configured: Some(configured) };
        vec![
            outcome("shipped", outcomes.shipped, paid),
            outcome("payment failed", outcomes.payment_failed, 1.0 - paid),
            outcome("inventory available", outcomes.inventory_available, available),
            outcome("inventory short", outcomes.inventory_short, 1.0 - available),
            outcome("oversold", outcomes.oversold, paid * (1.0 - available)),
        ]
    }

    fn document(&self, tally: &BTreeMap<Marks, u64>) -> Value {
        let outcomes = Outcomes::of(tally);
        json!({
            "outcomes": {
                "shipped": outcomes.shipped,
                "payment_failed": outcomes.payment_failed,
                "inventory_available": outcomes.inventory_available,
                "inventory_short": outcomes.inventory_short,
            },
            "oversold": outcomes.oversold,
        })
    }

    fn has_digest(&self) -> bool {
        true
    }

    fn simulate(
        &self,
        topology: &Topology,
        orders: &[Order],
        schedule: u64,
        faults: Faults,
    ) -> Result<(Report, Vec<String>), broker::Error> {
        let system = simulated(self.services.iter(), topology, self);
        let report = Simulation::new(&system, orders).schedule(schedule).faults(faults).run()?;
        Ok((report, Vec::new()))
    }
}
