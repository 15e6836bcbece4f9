use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ::topology::{System, Topology};
use events::saga::{
    EmailRequested, InventoryRejected, InventoryReleased, InventoryReserved, OrderCompleted, OrderCreated, OrderFailed,
    OrderRefused, OrderValidated, PaymentCompleted, PaymentFailed, PaymentRefunded, PaymentRequested, RefundRequested,
    ReleaseRequested, ReservationRequested,
};
use events::wire::Fields;
use events::{Event, Timestamp, Topic};
use kafka_transport::Pace;
use messaging::audit::{Flow, Marks};
use messaging::store::{EventStore, RowStore};
use messaging::{BatchStep, Clock, NewStep, Outgoing, Services, Subscription};
use order_saga::books::Books;
use order_saga::{Ground, Outcomes, SagaFlow, SagaServices, catalogue};
use prometheus_client::collector::Collector;
use serde_json::{Value, json};
use simulation::{Consumer, Faults, Order, Report, Simulation, Store, broker};

use super::{Business, Outcome, ReadEvent, decoded, event, simulated_topics};
use crate::Error;
use crate::clock::WallClock;
use crate::stores::Stores;
use metrics::SagaMetrics;

mod metrics; // breakers and open sagas

/// The saga.
pub(crate) struct Saga {
    saga: SagaServices,
    stores: Stores,
    longest_wait: Duration,
}

impl Saga {
    /// The saga as `topology` declares it, on these stores.
    ///
    /// # Errors
    /// Where it declares something else than its code has.
    pub(crate) fn new(topology: &Topology, name: &str, stores: Stores) -> Result<Self, Error> {
        Self::with(topology, name, &|service, setting| topology.service(service)?.setting(setting), stores)
    }

    /// The same with other settings, by (service, setting).
    ///
    /// # Errors
    /// Where `topology` declares something else than the saga's code has, or a setting does not serve.
    pub(crate) fn with(
        topology: &Topology,
        name: &str,
        settings: &dyn Fn(&str, &str) -> Option<u64>,
        stores: Stores,
    ) -> Result<Self, Error> {
        let ground = Ground {
            events: Arc::clone(&stores.events),
            rows: Arc::clone(&stores.rows),
            clock: Arc::new(WallClock),
            wait: std::thread::sleep,
        };
        let saga = SagaServices::with(topology, settings, &ground)
            .map_err(|error| Error::Usage(format!("{name}: {error}")))?;
        let unfit = |error| Error::Usage(format!("{name}: {error}"));
        let answer_ms = SagaServices::patience(topology).map_err(unfit)?.retry.longest_ms();
        let backoffs_ms = saga.services.iter().map(|(subscription, _)| subscription.retry.longest_ms());
        let longest_wait = Duration::from_millis(backoffs_ms.fold(answer_ms, u64::max));
        Ok(Self { saga, stores, longest_wait })
    }
}

impl Business for Saga {
    fn name(&self) -> &'static str {
        "saga"
    }

    fn system(&self) -> System {
        System::OrderSaga
    }

    fn services(&self) -> &Services {
        &self.saga.services
    }

    fn flow(&self) -> Arc<dyn Flow> {
        Arc::new(SagaFlow)
    }

    fn order(&self, seed: u64, n: u64) -> Order {
        let order = OrderCreated(catalogue::order(seed, Timestamp::BASE, n));
        Order { record: Outgoing::of(&order), order_id: order.0.order_id }
    }

    fn read_order(&self, line: &[u8]) -> Result<Order, String> {
        decoded::<OrderCreated>(line)
    }

    fn reader(&self, topic: Topic) -> Option<ReadEvent> {
        let read: ReadEvent = match topic {
            OrderCreated::TOPIC => event::<OrderCreated>,
            OrderValidated::TOPIC => event::<OrderValidated>,
            OrderCompleted::TOPIC => event::<OrderCompleted>,
            OrderFailed::TOPIC => {
                |value| by_status(value, &[("failed", event::<OrderFailed>), ("refused", event::<OrderRefused>)])
            }
            PaymentRequested::TOPIC => |value| {
                let (charge, refund): (ReadEvent, ReadEvent) = (event::<PaymentRequested>, event::<RefundRequested>);
                by_status(value, &[("requested", charge), ("refund_requested", refund)])
            },
            PaymentCompleted::TOPIC => event::<PaymentCompleted>,
            PaymentFailed::TOPIC => event::<PaymentFailed>,
            PaymentRefunded::TOPIC => event::<PaymentRefunded>,
            ReservationRequested::TOPIC => |value| {
                let (reserve, release): (ReadEvent, ReadEvent) =
                    (event::<ReservationRequested>, event::<ReleaseRequested>);
                by_status(value, &[("requested", reserve), ("release_requested", release)])
            },
            InventoryReserved::TOPIC => event::<InventoryReserved>,
            InventoryRejected::TOPIC => event::<InventoryRejected>,
            InventoryReleased::TOPIC => event::<InventoryReleased>,
            EmailRequested::TOPIC => event::<EmailRequested>,
            _ => return None,
        };
        Some(read)
    }

    fn outcomes(&self, tally: &BTreeMap<Marks, u64>) -> Vec<Outcome> {
        let outcomes = Outcomes::of(tally);
        let outcome = |name, orders| Outcome { name, orders, configured: None };
        vec![
            outcome("completed", outcomes.completed),
            outcome("failed", outcomes.failed),
            outcome("  payment declined", outcomes.payment_declined),
            outcome("  out of stock", outcomes.out_of_stock),
            outcome("  refunded", outcomes.refunded),
            outcome("  released", outcomes.released),
            outcome("refused", outcomes.refused),
        ]
    }

    fn document(&self, tally: &BTreeMap<Marks, u64>) -> Value {
        let outcomes = Outcomes::of(tally);
        json!({
            "outcomes": {
                "completed": outcomes.completed,
                "failed": outcomes.failed,
                "payment_declined": outcomes.payment_declined,
                "out_of_stock": outcomes.out_of_stock,
                "refunded": outcomes.refunded,
                "released": outcomes.released,
                "refused": outcomes.refused,
            },
        })
    }

    /// Who gets the last piece depends on who comes first.
    fn has_digest(&self) -> bool {
        false
    }

    fn simulate(
        &self,
        topology: &Topology,
        orders: &[Order],
        schedule: u64,
        faults: Faults,
    ) -> Result<(Report, Vec<String>), broker::Error> {
        let topology = Arc::new(topology.clone());
        let store = Arc::new(Store::default());
        let machine = Machine { topology: Arc::clone(&topology), store: Arc::clone(&store) };
        let consumer = |(subscription, new_step): (&Subscription, NewStep)| {
            let (machine, of) = (machine.clone(), subscription.clone());
            Consumer::new(subscription.clone(), move |clock| machine.step(&of, clock).unwrap_or_else(|| new_step()))
        };
        let system = simulation::System {
            topics: simulated_topics(&topology, self),
            consumers: self.saga.services.iter().map(consumer).collect(),
            flow: self.flow(),
            trouble: Some(store.trouble()),
        };
        let report = Simulation::new(&system, orders).schedule(schedule).faults(faults).run()?;
        let wrong = discrepancies(&*store, &*store, report.verdict.dead_lettered);
        Ok((report, wrong.unwrap_or_else(|error| vec![error.to_string()])))
    }

    /// An order is a dozen records in as many topics: in small batches the mock broker would walk over too many of them.
    fn full_pace(&self) -> Pace {
        Pace::STEADY
    }

    fn longest_wait(&self) -> Duration {
        self.longest_wait
    }

    fn is_at_rest(&self) -> Result<bool, Error> {
        Ok(self.stores.events.unfinished().map_err(Error::failed)?.all == 0)
    }

    fn metrics(&self, is_asked: &dyn Fn(&str) -> bool) -> Option<Box<dyn Collector>> {
        let before = self.saga.breakers.iter().filter(|(service, _)| is_asked(service));
        let breakers = before.map(|(_, breaker)| Arc::clone(breaker)).collect();
        Some(Box::new(SagaMetrics::new(breakers, Arc::clone(&self.stores.events))))
    }

    fn discrepancies(&self, dead_lettered: u64) -> Result<Vec<String>, Error> {
        discrepancies(&*self.stores.events, &*self.stores.rows, dead_lettered)
    }
}

/// The event of a topic that carries several: their status tells them apart.
fn by_status(value: &[u8], events: &[(&str, ReadEvent)]) -> Result<Outgoing, String> {
    let read = Fields::read(value, |fields| fields.one_of("status", events)).map_err(|error| error.to_string())?;
    read(value)
}

fn discrepancies(events: &dyn EventStore, rows: &dyn RowStore, dead_lettered: u64) -> Result<Vec<String>, Error> {
    let books = Books::read(events, rows).map_err(Error::failed)?;
    let more = books.wrong.saturating_sub(books.examples.len() as u64);
    let mut told = books.examples;
    told.extend((more > 0).then(|| format!("{more} more")));
    // Only a record that went to a dead letter excuses it.
    let untold = books.untold.saturating_sub(dead_lettered);
    told.extend((untold > 0).then(|| format!("{untold} customers were told nothing")));
    Ok(told)
}

/// What a machine of the simulation starts with: nothing but the store.
#[derive(Clone)]
struct Machine {
    topology: Arc<Topology>,
    store: Arc<Store>,
}

impl Machine {
    fn services(&self, clock: Arc<dyn Clock>) -> Option<SagaServices> {
        let ground = Ground {
            events: Arc::clone(&self.store) as Arc<dyn EventStore>,
            rows: Arc::clone(&self.store) as Arc<dyn RowStore>,
            clock,
            wait: |_| {},
        };
        SagaServices::hurried(&self.topology, &ground).ok()
    }

    fn step(&self, of: &Subscription, clock: Arc<dyn Clock>) -> Option<Box<dyn BatchStep>> {
        let services = self.services(clock)?.services;
        services.iter().find(|(subscription, _)| *subscription == of).map(|(_, new_step)| new_step())
    }
}

#[cfg(test)]
mod tests {
    use events::saga::Payment;
    use events::{Cents, OrderId};

    use super::*;

    #[test]
    fn events_that_share_a_topic_are_told_apart_by_their_status() {
        let payment = Payment {
            order_id: OrderId::parse("7f3a").unwrap(),
            payment_id: "PAY-1".into(),
            amount: Cents::new(1_999),
            payment_method: "card".into(),
            timestamp: Timestamp::BASE,
        };
        let (charge, refund) =
            (Outgoing::of(&PaymentRequested(payment.clone())), Outgoing::of(&RefundRequested(payment)));
        let topology = Topology::built_in().unwrap();
        let saga = Saga::new(&topology, "topology.json", Stores::in_memory()).unwrap();
        let read = saga.reader(charge.topic).unwrap();
        assert_ne!(charge.event_id, refund.event_id);
        assert_eq!([read(&charge.value), read(&refund.value)], [Ok(charge.clone()), Ok(refund)]);
        let other = String::from_utf8(charge.value).unwrap().replacen("requested", "asked", 1);
        let expected = r#"status: found "asked", allowed "requested" or "refund_requested""#;
        assert_eq!(read(other.as_bytes()), Err(expected.to_owned()));
    }
}
