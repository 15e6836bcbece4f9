//! A service: what it consumes, what it produces, and what it is allowed.

use std::collections::BTreeMap;
use std::fmt;

/// A service as it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Lower snake_case; also its function, its Kafka user and the start of its groups.
    pub name: String,
    /// The system it belongs to.
    pub system: System,
    /// Where it runs in production.
    pub host: Host,
    /// What it reads, in the file's order, each topic once; empty for a service that only produces.
    pub consumes: Vec<Consumption>,
    /// The topics it writes, in the file's order, each once. Dead letters stand in `consumes`.
    pub produces: Vec<String>,
    /// What it does after a failure that may pass; `None` exactly if it consumes nothing.
    pub retry: Option<Retry>,
    /// 128 to 10240, AWS Lambda's bounds.
    pub memory_mib: u32,
    /// 1 to 840: an event source mapping for Kafka waits 14 minutes at most.
    pub timeout_s: u32,
    /// Its own numbers by name. A host passes them on as environment variables in upper case.
    pub settings: BTreeMap<String, u64>,
}

impl Service {
    /// One of the service's own numbers, such as `success_percent`.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<u64> {
        self.settings.get(name).copied()
    }

    /// The topics for what its groups can never handle, in the order of the groups that have one.
    pub fn dead_letters(&self) -> impl Iterator<Item = &str> {
        self.consumes.iter().filter_map(|consumption| consumption.dead_letter.as_deref())
    }

    /// How the service consumes a topic: what a host looks up for the record in its hands.
    #[must_use]
    pub fn consumption(&self, topic: &str) -> Option<&Consumption> {
        self.consumes.iter().find(|consumption| consumption.topic == topic)
    }
}

/// One consumer group: a service reading a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumption {
    /// The topic it reads.
    pub topic: String,
    /// `SERVICE.TOPIC`, unless the file names another.
    pub group: String,
    /// The topic for records that can never be handled; no other group's. `None` for a group that logs, counts and skips them.
    pub dead_letter: Option<String>,
    /// The most records of one batch, 1 to 10000, AWS Lambda's bound.
    pub batch_records: u32,
}

/// How a record is tried again after a failure that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The first wait, 1 to `backoff_max_ms`.
    pub backoff_min_ms: u64,
    /// The longest wait, at most an hour.
    pub backoff_max_ms: u64,
    /// After so many attempts the service is reported as stuck, 1 to 1000. It goes on trying.
    pub stuck_after_attempts: u32,
}

/// The system a service belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum System {
    /// S1: five services that talk through topics only.
    Shop,
    /// S2: an orchestrated order with compensations.
    OrderSaga,
    /// S3: from a generator into PostgreSQL.
    FoodOrders,
}

impl System {
    pub(crate) const ALL: [Self; 3] = [Self::Shop, Self::OrderSaga, Self::FoodOrders];

    /// The word in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::OrderSaga => "order_saga",
            Self::FoodOrders => "food_orders",
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a service runs in production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// AWS Lambda behind an event source mapping, or on a schedule if it consumes nothing.
    Lambda,
    /// A long-running process: `orderflow work`.
    Worker,
}

impl Host {
    pub(crate) const ALL: [Self; 2] = [Self::Lambda, Self::Worker];

    /// The word in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lambda => "lambda",
            Self::Worker => "worker",
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
