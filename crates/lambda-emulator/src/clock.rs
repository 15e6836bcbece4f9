//! The time of schedules, which may run faster than the machine's.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use messaging::Clock;

/// Milliseconds since 1970, from now on so many times as fast as the machine's clock.
#[derive(Debug)]
pub struct ScaledClock {
    begun: Instant,
    begun_ms: u64,
    scale: u32,
}

impl ScaledClock {
    /// With a scale of 60 an hour passes in a minute.
    pub fn new(scale: u32) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { begun: Instant::now(), begun_ms: u64::try_from(since.as_millis()).unwrap_or(0), scale }
    }
}

impl Clock for ScaledClock {
    fn now_ms(&self) -> u64 {
        let elapsed_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.begun_ms.saturating_add(elapsed_ms.saturating_mul(self.scale.into()))
    }
}
