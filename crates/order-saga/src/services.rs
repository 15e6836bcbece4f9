use std::sync::Arc;
use std::time::Duration;

use events::Event;
use events::saga::{
    EmailRequested, InventoryRejected, InventoryReleased, InventoryReserved, OrderCompleted, OrderCreated, OrderFailed,
    OrderValidated, PaymentCompleted, PaymentFailed, PaymentRefunded, PaymentRequested, ReservationRequested,
};
use messaging::store::{EventStore, RowStore};
use messaging::{BreakerPolicy, CircuitBreaker, Clock, Code, Rate, RetryPolicy, Services, ServicesError};
use topology::{System, Topology};

use crate::catalogue;
use crate::inventory_service::{self, InventoryService};
use crate::notification_service::{self, NotificationService};
use crate::order_orchestrator::{self, Limits, OrderOrchestrator};
use crate::order_service::{self, OrderService};
use crate::outside::Weather;
use crate::outside::gateway::SimulatedGateway;
use crate::outside::mailer::SimulatedMailer;
use crate::payment_service::{self, PaymentService};
use crate::saga::Patience;

/// Share of payments that the gateway grants, in percent.
const SUCCESS: &str = "success_percent";
/// Share of products that are in stock at first, in percent.
const STOCKED: &str = "stocked_percent";
/// How many pieces of each of those there are.
const PIECES: &str = "stock_pieces";
/// The wait for an answer: the first one, and the longest.
const ANSWER_MIN: &str = "answer_min_ms";
const ANSWER_MAX: &str = "answer_max_ms";
/// How often a participant is asked for its part before that is given up.
const ASKS: &str = "asks";
/// After how many requests an undoing that does not succeed counts as stuck, and how many such sagas stop the intake.
const STUCK_AFTER: &str = "stuck_after_asks";
const STUCK_LIMIT: &str = "stuck_limit";
/// How a service outside behaves: see [`Weather`] and [`BreakerPolicy`].
const FAILURE: &str = "outside_failure_percent";
const LATENCY: &str = "outside_latency_ms";
const OUTAGE_EVERY: &str = "outside_outage_every_s";
const OUTAGE: &str = "outside_outage_s";
const OPENS_AFTER: &str = "breaker_opens_after";
const OPEN: &str = "breaker_open_ms";

const SAGA: &[Code] = &[
    Code {
        name: order_service::NAME,
        reads: &[OrderCreated::TOPIC],
        writes: &[OrderCreated::TOPIC, OrderValidated::TOPIC, OrderFailed::TOPIC],
        settings: &[],
    },
    Code {
        name: payment_service::NAME,
        reads: &[PaymentRequested::TOPIC],
        writes: &[PaymentCompleted::TOPIC, PaymentFailed::TOPIC, PaymentRefunded::TOPIC],
        settings: &[SUCCESS, FAILURE, LATENCY, OUTAGE_EVERY, OUTAGE, OPENS_AFTER, OPEN],
    },
    Code {
        name: inventory_service::NAME,
        reads: &[ReservationRequested::TOPIC],
        writes: &[InventoryReserved::TOPIC, InventoryRejected::TOPIC, InventoryReleased::TOPIC],
        settings: &[STOCKED, PIECES],
    },
    Code {
        name: notification_service::NAME,
        reads: &[EmailRequested::TOPIC],
        writes: &[],
        settings: &[FAILURE, LATENCY, OUTAGE_EVERY, OUTAGE, OPENS_AFTER, OPEN],
    },
    Code {
        name: order_orchestrator::NAME,
        reads: &[
            OrderValidated::TOPIC,
            PaymentCompleted::TOPIC,
            PaymentFailed::TOPIC,
            PaymentRefunded::TOPIC,
            InventoryReserved::TOPIC,
            InventoryRejected::TOPIC,
            InventoryReleased::TOPIC,
        ],
        writes: &[
            PaymentRequested::TOPIC,
            ReservationRequested::TOPIC,
            EmailRequested::TOPIC,
            OrderCompleted::TOPIC,
            OrderFailed::TOPIC,
        ],
        settings: &[ANSWER_MIN, ANSWER_MAX, ASKS, STUCK_AFTER, STUCK_LIMIT],
    },
];

/// What the services stand on, and their host provides.
#[derive(Clone)]
pub struct Ground {
    /// Where the sagas are.
    pub events: Arc<dyn EventStore>,
    /// Where stock is, what each order's id stands for, and what the simulated services outside know.
    pub rows: Arc<dyn RowStore>,
    /// The time for waits and breakers, in milliseconds since 1970.
    pub clock: Arc<dyn Clock>,
    /// How the latency of a service outside passes.
    pub wait: fn(Duration),
}

/// The saga's services, and what else its host shows.
pub struct SagaServices {
    /// What a host runs.
    pub services: Services,
    /// The breakers before the services outside, each with the service whose calls it guards.
    pub breakers: Vec<(&'static str, Arc<CircuitBreaker>)>,
}

impl SagaServices {
    /// The saga as `topology` declares it.
    ///
    /// # Errors
    /// Where it declares other services, topics or settings than the code has.
    pub fn new(topology: &Topology, ground: &Ground) -> Result<Self, ServicesError> {
        Self::with(topology, &|service, setting| topology.service(service)?.setting(setting), ground)
    }

    /// For sagas whose whole life is some seconds, in virtual time: scarce stock, services outside that fail at times, waits that are
    /// over soon. All else is as `topology` declares it.
    ///
    /// # Errors
    /// As [`SagaServices::new`].
    pub fn hurried(topology: &Topology, ground: &Ground) -> Result<Self, ServicesError> {
        let settings = |service: &str, setting: &str| match setting {
            STOCKED => Some(90),
            PIECES => Some(5),
            FAILURE => Some(5),
            OUTAGE_EVERY => Some(20),
            OUTAGE => Some(2),
            ANSWER_MIN => Some(4_000),
            ANSWER_MAX => Some(20_000),
            ASKS => Some(3),
            _ => topology.service(service)?.setting(setting),
        };
        Self::with(topology, &settings, ground)
    }

    /// How long the orchestrator waits, as `topology` sets it.
    ///
    /// # Errors
    /// Where a setting is missing or does not serve.
    pub fn patience(topology: &Topology) -> Result<Patience, ServicesError> {
        let find = |service: &str, setting: &str| topology.service(service)?.setting(setting);
        Settings { find: &find, service: order_orchestrator::NAME }.patience()
    }

    /// The saga as `topology` declares it, with the settings that the host knows by (service, setting).
    ///
    /// # Errors
    /// Where it declares other services, topics or settings than the code has, or the host leaves one out.
    pub fn with(
        topology: &Topology,
        settings: &dyn Fn(&str, &str) -> Option<u64>,
        ground: &Ground,
    ) -> Result<Self, ServicesError> {
        let Ground { events, rows, clock, wait } = ground;
        let mut breakers = Vec::new();
        let mut guard = |settings: &Settings<'_>, outside| {
            let breaker = Arc::new(CircuitBreaker::new(outside, settings.breaker()?, Arc::clone(clock)));
            breakers.push((settings.service, Arc::clone(&breaker)));
            Ok::<_, ServicesError>(breaker)
        };
        let services = Services::new(topology, System::OrderSaga, SAGA, |code| {
            let settings = Settings { find: settings, service: code.name };
            Ok(match code.name {
                order_service::NAME => Arc::new(OrderService { rows: Arc::clone(rows), is_known: catalogue::is_known }),
                payment_service::NAME => {
                    let (success_rate, weather) = (settings.rate(SUCCESS)?, settings.weather()?);
                    let (rows, clock) = (Arc::clone(rows), Arc::clone(clock));
                    let gateway = Arc::new(SimulatedGateway::new(rows, success_rate, weather, clock, *wait));
                    Arc::new(PaymentService { gateway, breaker: guard(&settings, "payment gateway")? })
                }
                inventory_service::NAME => {
                    let (stocked, pieces) = (settings.rate(STOCKED)?, settings.number(PIECES, "0 to 4294967295")?);
                    let opening = Arc::new(move |product: &str| catalogue::opening_level(product, stocked, pieces));
                    Arc::new(InventoryService { rows: Arc::clone(rows), opening })
                }
                notification_service::NAME => {
                    let (rows, clock) = (Arc::clone(rows), Arc::clone(clock));
                    let mailer = Arc::new(SimulatedMailer::new(rows, settings.weather()?, clock, *wait));
                    Arc::new(NotificationService { mailer, breaker: guard(&settings, "mailer")? })
                }
                order_orchestrator::NAME => {
                    let limits =
                        Limits { patience: settings.patience()?, stuck: settings.value(STUCK_LIMIT, "1 or more")? };
                    Arc::new(OrderOrchestrator::new(Arc::clone(events), Arc::clone(clock), limits))
                }
                other => return Err(ServicesError::no_handler(System::OrderSaga, other, SAGA)),
            })
        })?;
        Ok(Self { services, breakers })
    }
}

/// A service's settings.
struct Settings<'a> {
    find: &'a dyn Fn(&str, &str) -> Option<u64>,
    service: &'static str,
}

impl Settings<'_> {
    fn take<T>(
        &self,
        setting: &'static str,
        allowed: &'static str,
        convert: impl FnOnce(u64) -> Option<T>,
    ) -> Result<T, ServicesError> {
        let found = (self.find)(self.service, setting);
        found.and_then(convert).ok_or_else(|| ServicesError::setting(self.service, setting, found, allowed))
    }

    fn value(&self, setting: &'static str, allowed: &'static str) -> Result<u64, ServicesError> {
        self.take(setting, allowed, |value| (value > 0).then_some(value))
    }

    fn number(&self, setting: &'static str, allowed: &'static str) -> Result<u32, ServicesError> {
        self.take(setting, allowed, |value| u32::try_from(value).ok())
    }

    fn rate(&self, setting: &'static str) -> Result<Rate, ServicesError> {
        self.take(setting, "0 to 100", Rate::from_percent)
    }

    /// A time, perhaps none.
    fn time_ms(&self, setting: &'static str, unit_ms: u64) -> Result<u64, ServicesError> {
        self.take(setting, "0 to a day", |value| value.checked_mul(unit_ms).filter(|ms| *ms <= 86_400_000))
    }

    fn weather(&self) -> Result<Weather, ServicesError> {
        Ok(Weather {
            failure_rate: self.rate(FAILURE)?,
            latency_ms: self.time_ms(LATENCY, 1)?,
            outage_every_ms: self.time_ms(OUTAGE_EVERY, 1_000)?,
            outage_ms: self.time_ms(OUTAGE, 1_000)?,
        })
    }

    fn breaker(&self) -> Result<BreakerPolicy, ServicesError> {
        let positive = |value| u32::try_from(value).ok().filter(|number| *number > 0);
        let opens_after = self.take(OPENS_AFTER, "1 to 4294967295", positive)?;
        Ok(BreakerPolicy { opens_after, open_ms: self.time_ms(OPEN, 1)? })
    }

    fn patience(&self) -> Result<Patience, ServicesError> {
        let positive = |value| u32::try_from(value).ok().filter(|number| *number > 0);
        let min_ms = self.value(ANSWER_MIN, "1 or more")?;
        let stuck_after = self.take(STUCK_AFTER, "1 to 4294967295", positive)?;
        let policy = |max_ms| RetryPolicy::try_new(min_ms, max_ms, stuck_after);
        let retry = self.take(ANSWER_MAX, "answer_min_ms or more", policy)?;
        Ok(Patience { retry, asks: self.take(ASKS, "1 to 4294967295", positive)? })
    }
}

#[cfg(test)]
mod tests {
    use messaging::store::{MemoryEvents, MemoryRows};

    use super::*;
    use crate::still::Still;

    fn services(text: &str) -> Result<SagaServices, String> {
        let (events, rows) = (Arc::new(MemoryEvents::default()), Arc::new(MemoryRows::default()));
        let ground = Ground { events, rows, clock: Arc::new(Still), wait: |_| {} };
        SagaServices::new(&Topology::parse("t.json", text).unwrap(), &ground).map_err(|error| error.to_string())
    }

    const TOPOLOGY: &str = include_str!("../../../topology.json");

    #[test]
    fn the_saga_has_a_handler_for_each_group_that_topology_declares_and_a_breaker_before_each_service_outside() {
        let saga = services(TOPOLOGY).unwrap();
        let groups: Vec<&str> = saga.services.iter().map(|(subscription, _)| subscription.group.as_str()).collect();
        assert_eq!(groups.len(), 11);
        assert!(groups.contains(&"order_orchestrator.orders.validated"), "{groups:?}");
        let breakers: Vec<_> = saga.breakers.iter().map(|(service, breaker)| (*service, breaker.name())).collect();
        assert_eq!(breakers, [("notification_service", "mailer"), ("payment_service", "payment gateway")]);
    }

    #[test]
    fn settings_without_sense_are_refused_by_name() {
        let check = |from: &str, to: &str, message: &str| {
            assert_eq!(services(&TOPOLOGY.replacen(from, to, 1)).err().as_deref(), Some(message), "{to}");
        };
        let of = |setting: &str| format!("services.{setting}");
        check(
            r#""answer_max_ms": 60000"#,
            r#""answer_max_ms": 10"#,
            &of("order_orchestrator.settings.answer_max_ms: found 10, allowed answer_min_ms or more"),
        );
        check(
            r#""stuck_limit": 1000"#,
            r#""stuck_limit": 0"#,
            &of("order_orchestrator.settings.stuck_limit: found 0, allowed 1 or more"),
        );
        check(
            r#""breaker_opens_after": 5"#,
            r#""breaker_opens_after": 0"#,
            &of("payment_service.settings.breaker_opens_after: found 0, allowed 1 to 4294967295"),
        );
        check(
            r#""outside_outage_s": 0"#,
            r#""outside_outage_s": 86401"#,
            &of("payment_service.settings.outside_outage_s: found 86401, allowed 0 to a day"),
        );
        check(
            r#""stocked_percent": 98, "#,
            "",
            &of("inventory_service.settings.stocked_percent: missing, allowed 0 to 100"),
        );
    }
}
