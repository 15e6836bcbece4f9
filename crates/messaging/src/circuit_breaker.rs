use std::sync::{Arc, Mutex, PoisonError};

use crate::{Breaker, Clock, Failure};

/// Spares something outside that fails: after some failures in a row nobody calls it for a while, then one call tries.
///
/// Its state is what [`CircuitBreaker::state`] says, for the metrics. Whoever is refused meanwhile answers [`Failure::Retry`], so that
/// the record comes again: nothing is given up.
pub struct CircuitBreaker {
    name: &'static str,
    policy: BreakerPolicy,
    clock: Arc<dyn Clock>,
    circuit: Mutex<Circuit>,
}

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures in a row that open it, 1 or more.
    pub opens_after: u32,
    /// How long it stays open before one call tries, in milliseconds.
    pub open_ms: u64,
}

#[derive(Clone, Copy, Debug)]
enum Circuit {
    /// So many failures in a row.
    Closed(u32),
    /// Nobody calls; since then.
    Open(u64),
    /// One call tries; since then.
    HalfOpen(u64),
}

impl CircuitBreaker {
    /// A closed one.
    ///
    /// - `name`: what it spares, for the reason that a refused caller gets.
    pub fn new(name: &'static str, policy: BreakerPolicy, clock: Arc<dyn Clock>) -> Self {
        Self { name, policy, clock, circuit: Mutex::new(Circuit::Closed(0)) }
    }

    /// What it spares.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Calls what it spares, or refuses to.
    ///
    /// # Errors
    /// [`Failure::Retry`] where the call failed, and where there was none because too many have.
    pub fn call<T, E: std::fmt::Display>(&self, call: impl FnOnce() -> Result<T, E>) -> Result<T, Failure> {
        self.admit()?;
        // Not locked meanwhile: other threads call at the same time.
        let result = call();
        let mut circuit = self.circuit.lock().unwrap_or_else(PoisonError::into_inner);
        match &result {
            Ok(_) => *circuit = Circuit::Closed(0),
            Err(_) => {
                *circuit = match *circuit {
                    Circuit::Closed(failures) if failures + 1 < self.policy.opens_after => {
                        Circuit::Closed(failures + 1)
                    }
                    _ => Circuit::Open(self.clock.now_ms()),
                };
            }
        }
        result.map_err(|error| Failure::Retry(format!("{}: {error}", self.name)))
    }

    fn admit(&self) -> Result<(), Failure> {
        let now_ms = self.clock.now_ms();
        let mut circuit = self.circuit.lock().unwrap_or_else(PoisonError::into_inner);
        let (Circuit::Open(since_ms) | Circuit::HalfOpen(since_ms)) = *circuit else { return Ok(()) };
        if self.is_over(since_ms, now_ms) {
            // A trial that never came back is as good as one that failed: after the same wait another one tries.
            *circuit = Circuit::HalfOpen(now_ms);
            return Ok(());
        }
        Err(Failure::Retry(format!("{}: not called, because the last calls failed", self.name)))
    }

    /// A clock that went back would keep it open: trying early costs one call, waiting on could cost hours.
    fn is_over(&self, since_ms: u64, now_ms: u64) -> bool {
        now_ms < since_ms || now_ms - since_ms >= self.policy.open_ms
    }

    /// Whether it lets callers through.
    pub fn state(&self) -> Breaker {
        match *self.circuit.lock().unwrap_or_else(PoisonError::into_inner) {
            Circuit::Closed(_) => Breaker::Closed,
            Circuit::Open(since_ms) if !self.is_over(since_ms, self.clock.now_ms()) => Breaker::Open,
            Circuit::Open(_) | Circuit::HalfOpen(_) => Breaker::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[derive(Default)]
    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn now_ms(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn breaker() -> (CircuitBreaker, Arc<Hand>) {
        let clock = Arc::new(Hand(AtomicU64::new(10_000)));
        let policy = BreakerPolicy { opens_after: 3, open_ms: 1_000 };
        (CircuitBreaker::new("gateway", policy, Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    fn fails(breaker: &CircuitBreaker) -> String {
        breaker.call(|| Err::<(), _>("timed out")).unwrap_err().to_string()
    }

    const REFUSED: &str = "gateway: not called, because the last calls failed";

    #[test]
    fn it_opens_after_so_many_failures_in_a_row_and_then_calls_nothing() {
        let (breaker, _) = breaker();
        for _ in 0..2 {
            assert_eq!(fails(&breaker), "gateway: timed out");
        }
        assert_eq!(breaker.call(|| Ok::<_, &str>(7)), Ok(7));
        for _ in 0..3 {
            assert_eq!((breaker.state(), fails(&breaker).as_str()), (Breaker::Closed, "gateway: timed out"));
        }
        assert_eq!(breaker.state(), Breaker::Open);
        let mut calls = 0;
        let refused = breaker.call(|| {
            calls += 1;
            Ok::<_, &str>(())
        });
        assert_eq!((calls, refused), (0, Err(Failure::Retry(REFUSED.into()))));
    }

    #[test]
    fn after_its_wait_one_call_tries_and_decides() {
        let (breaker, clock) = breaker();
        (0..3).for_each(|_| drop(fails(&breaker)));
        clock.0.store(10_999, Ordering::Relaxed);
        assert_eq!(fails(&breaker), REFUSED);
        clock.0.store(11_000, Ordering::Relaxed);
        assert_eq!(breaker.state(), Breaker::HalfOpen);
        let others = breaker.call(|| {
            assert_eq!(breaker.state(), Breaker::HalfOpen);
            Err::<(), _>(fails(&breaker)) // who comes meanwhile
        });
        assert_eq!(others, Err(Failure::Retry(format!("gateway: {REFUSED}"))));
        assert_eq!(breaker.state(), Breaker::Open, "the trial failed");
        clock.0.store(12_000, Ordering::Relaxed);
        assert_eq!(breaker.call(|| Ok::<_, &str>(())), Ok(()));
        assert_eq!(breaker.state(), Breaker::Closed);
    }

    #[test]
    fn a_trial_that_never_came_back_or_a_clock_that_went_back_does_not_keep_it_open() {
        let (breaker, clock) = breaker();
        (0..3).for_each(|_| drop(fails(&breaker)));
        clock.0.store(11_000, Ordering::Relaxed);
        breaker.admit().unwrap();
        assert_eq!(fails(&breaker), REFUSED);
        clock.0.store(12_000, Ordering::Relaxed);
        assert_eq!(fails(&breaker), "gateway: timed out");
        clock.0.store(500, Ordering::Relaxed);
        assert_eq!(breaker.call(|| Ok::<_, &str>(())), Ok(()));
    }
}
