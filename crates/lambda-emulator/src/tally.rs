//! What a function has done so far.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::Outcome;
use crate::environment::Usage;

/// The longest duration that is told apart, in microseconds: Lambda's longest timeout.
const MAX_US: u64 = 900_000_000;

/// What a function has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionStatus {
    /// Its name.
    pub function: String,
    /// Invocations that ended.
    pub invocations: u64,
    /// Of them those that failed.
    pub errors: u64,
    /// Events and batches that came again.
    pub retries: u64,
    /// How long half of the invocations took at most, without INIT, to about a hundredth.
    pub p50: Duration,
    /// How long 99 of 100 took at most.
    pub p99: Duration,
    /// The most memory that a process of it held, in MiB.
    pub memory_mib: u64,
}

/// Counts for one function.
pub(crate) struct Tally(Mutex<Counts>);

struct Counts {
    status: FunctionStatus,
    us: Histogram<u64>,
}

impl Tally {
    pub(crate) fn of(function: &str) -> std::io::Result<Self> {
        let us = Histogram::new_with_bounds(1, MAX_US, 2).map_err(std::io::Error::other)?;
        let status = FunctionStatus { function: function.to_owned(), ..FunctionStatus::default() };
        Ok(Self(Mutex::new(Counts { status, us })))
    }

    pub(crate) fn invoked(&self, outcome: &Outcome, usage: Usage) {
        let mut counts = self.lock();
        counts.status.invocations += 1;
        counts.status.errors += u64::from(matches!(outcome, Outcome::Failed { .. }));
        counts.status.memory_mib = counts.status.memory_mib.max(usage.memory_kib.div_ceil(1024));
        counts.us.saturating_record(u64::try_from(usage.duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// An answer was turned into an error.
    pub(crate) fn injected(&self) {
        self.lock().status.errors += 1;
    }

    /// The same comes again.
    pub(crate) fn retried(&self) {
        self.lock().status.retries += 1;
    }

    pub(crate) fn status(&self) -> FunctionStatus {
        let counts = self.lock();
        let at = |quantile| Duration::from_micros(counts.us.value_at_quantile(quantile));
        FunctionStatus { p50: at(0.5), p99: at(0.99), ..counts.status.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_told_by_its_invocations() {
        let tally = Tally::of("f").unwrap();
        assert_eq!(tally.status(), FunctionStatus { function: "f".into(), ..FunctionStatus::default() });
        for ms in 1..=100 {
            let outcome = if ms <= 3 { Outcome::failed("K", "away") } else { Outcome::Answered(Vec::new()) };
            tally.invoked(&outcome, Usage { duration: Duration::from_millis(ms), memory_kib: 1_024 * ms + 1 });
        }
        tally.injected();
        tally.retried();
        let status = tally.status();
        assert_eq!((status.invocations, status.errors, status.retries, status.memory_mib), (100, 4, 1, 101));
        let is_about = |duration: Duration, ms: f64| (duration.as_secs_f64() * 1_000.0 / ms - 1.0).abs() < 0.02;
        assert!(is_about(status.p50, 50.0) && is_about(status.p99, 99.0), "{status:?}");
    }
}
