use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use messaging::store::{EventStore, Unfinished};
use messaging::{Breaker, CircuitBreaker};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::metrics::saga;

/// How often the store is asked, however often somebody looks.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// What the saga shows beside what its groups count; read whenever somebody looks.
pub(super) struct SagaMetrics {
    breakers: Vec<Arc<CircuitBreaker>>,
    events: Arc<dyn EventStore>,
    /// What it answered last, and when; `None` also where it was away.
    known: Mutex<Option<(Instant, Option<Unfinished>)>>,
    /// Held while it is asked. Nobody else waits for that: they show what it answered last.
    asking: Mutex<()>,
}

impl SagaMetrics {
    /// Of a host with these breakers before the services outside.
    pub(super) fn new(breakers: Vec<Arc<CircuitBreaker>>, events: Arc<dyn EventStore>) -> Self {
        Self { breakers, events, known: Mutex::default(), asking: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Option<(Instant, Option<Unfinished>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many sagas have not ended; `None` while the store is away.
    fn unfinished(&self) -> Option<Unfinished> {
        let is_old = self.known().is_none_or(|(asked, _)| asked.elapsed() >= ASK_EVERY);
        let asking = self.asking.try_lock();
        if is_old && !matches!(asking, Err(TryLockError::WouldBlock)) {
            let unfinished = self.events.unfinished().ok();
            *self.known() = Some((Instant::now(), unfinished));
        }
        self.known().and_then(|(_, unfinished)| unfinished)
    }
}

impl fmt::Debug for SagaMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SagaMetrics").finish_non_exhaustive()
    }
}

impl Collector for SagaMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let metric = saga::CIRCUIT_BREAKER;
        let mut family = encoder.encode_descriptor(metric.family, metric.help, None, MetricType::Gauge)?;
        for breaker in &self.breakers {
            let state = match breaker.state() {
                Breaker::Closed => 0,
                Breaker::Open => 1,
                Breaker::HalfOpen => 2_i64,
            };
            let labels = [("outside", breaker.name())];
            ConstGauge::new(state).encode(family.encode_family(&labels)?)?;
        }
        let Some(Unfinished { all, stuck }) = self.unfinished() else { return Ok(()) };
        for (metric, count) in [(saga::UNFINISHED, all), (saga::STUCK, stuck)] {
            let count = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
            count.encode(encoder.encode_descriptor(metric.family, metric.help, None, MetricType::Gauge)?)?;
        }
        Ok(())
    }
}
