use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use events::Timestamp;
use messaging::Clock;

/// The clock of one member's machine: virtual time, and how far the clock is off.
#[derive(Debug, Default)]
pub(crate) struct MachineClock {
    true_ms: AtomicU64,
    off_by_ms: AtomicI64,
}

impl MachineClock {
    pub(crate) fn set(&self, true_ms: u64) {
        self.true_ms.store(true_ms, Ordering::Relaxed);
    }

    pub(crate) fn jump(&self, by_ms: i64) {
        self.off_by_ms.fetch_add(by_ms, Ordering::Relaxed);
    }
}

impl Clock for MachineClock {
    fn now_ms(&self) -> u64 {
        let base = Timestamp::BASE.as_ms().unsigned_abs();
        let right = base.saturating_add(self.true_ms.load(Ordering::Relaxed));
        right.saturating_add_signed(self.off_by_ms.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumped_stays_off_and_still_runs() {
        let clock = MachineClock::default();
        let start_ms = clock.now_ms();
        clock.set(100);
        clock.jump(-40);
        assert_eq!(clock.now_ms(), start_ms + 60);
        clock.set(200);
        assert_eq!(clock.now_ms(), start_ms + 160);
        clock.jump(i64::MIN / 2);
        assert_eq!(clock.now_ms(), 0);
    }
}
