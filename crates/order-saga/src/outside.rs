//! Services outside, simulated: the payment gateway and the mailer, with their failures.
//!
//! Both know what they have done by an idempotency key, and judge by it: whoever asks twice is answered twice and served once. What
//! they know is in rows, as theirs would be in a database of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use events::OrderId;
use messaging::store::StoreError;
use messaging::{Clock, Draw, Rate};

pub mod gateway; // charges and refunds
pub mod mailer; // sends e-mails

/// A service outside did not answer, or not in time. What it was asked for may have been done all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// It is out of order for a while.
    #[error("out of order")]
    Outage,
    /// The call never arrived.
    #[error("the call failed")]
    CallLost,
    /// The call arrived, and its answer did not.
    #[error("the answer was lost")]
    AnswerLost,
    /// What it keeps its knowledge in is away.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How badly a service outside behaves.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Share of calls that fail: of those, one half before and one half after they took effect.
    pub failure_rate: Rate,
    /// How long a call takes, in milliseconds.
    pub latency_ms: u64,
    /// How often an outage begins, in milliseconds of the clock; never at 0.
    pub outage_every_ms: u64,
    /// How long it lasts.
    pub outage_ms: u64,
}

/// Lets calls through as the weather is.
pub(crate) struct Way {
    name: &'static str,
    weather: Weather,
    clock: Arc<dyn Clock>,
    /// Waits so long: a host's work.
    wait: fn(Duration),
    calls: AtomicU64,
}

impl Way {
    pub(crate) fn new(name: &'static str, weather: Weather, clock: Arc<dyn Clock>, wait: fn(Duration)) -> Self {
        Self { name, weather, clock, wait, calls: AtomicU64::new(0) }
    }

    /// Calls about an order.
    pub(crate) fn call<T>(
        &self,
        order_id: &OrderId,
        call: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, Unreachable> {
        let Weather { failure_rate, latency_ms, outage_every_ms, outage_ms } = self.weather;
        if latency_ms > 0 {
            (self.wait)(Duration::from_millis(latency_ms));
        }
        if outage_every_ms > 0 && self.clock.now_ms() % outage_every_ms < outage_ms {
            return Err(Unreachable::Outage);
        }
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let draw = |decision: &str| Draw::of(order_id, self.name, &format!("{decision} {number}"), 1);
        if failure_rate.as_f64() == 0.0 || !failure_rate.includes(draw("call")) {
            return Ok(call()?);
        }
        if draw("loss").scale(2) == 0 {
            return Err(Unreachable::CallLost);
        }
        call()?;
        Err(Unreachable::AnswerLost)
    }
}
