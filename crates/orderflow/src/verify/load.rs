use std::time::{Duration, Instant};

use serde_json::json;
use shop::order_generator;

use super::diary::Diary;
use crate::tool::{Interruptions, Stop};
use crate::{grouped, lambda, tell};

/// Orders of one invocation: about a second of the function's time.
const BATCH: u64 = 500;

/// So many invocations may fail one after the other; a function that crashes now and then is no reason to give up.
const MAX_FAILURES: u32 = 20;
const PAUSE: Duration = Duration::from_secs(1);

/// What is to be placed, as one run.
pub(super) struct Load {
    run: String,
    orders: u64,
    duration: Option<Duration>,
}

/// What was placed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Placed {
    /// As the function has answered. Those of an invocation that failed may stand in Kafka besides.
    pub(super) orders: u64,
    pub(super) invocations: u64,
    pub(super) failed: u64,
}

impl Load {
    pub(super) fn new(orders: u64, duration: Option<Duration>) -> Self {
        Self { run: format!("verify-{}", uuid::Uuid::now_v7()), orders, duration }
    }

    pub(super) fn run(&self) -> &str {
        &self.run
    }

    /// Invokes until all are placed.
    ///
    /// # Errors
    /// Where invocations fail again and again, or the operator interrupts.
    pub(super) fn place(&self, region: &str, diary: &mut Diary, interruptions: &Interruptions) -> Result<Placed, Stop> {
        let (begun, mut placed, mut failures) = (Instant::now(), Placed::default(), 0);
        while placed.orders < self.orders {
            let wait = self.due(placed.orders).saturating_sub(begun.elapsed());
            interruptions.pause(wait)?;
            let orders = self.batch().min(self.orders - placed.orders);
            let payload = json!({"orders": orders, "run": self.run});
            placed.invocations += 1;
            match lambda::invoke_on_aws(region, order_generator::NAME, &payload) {
                Ok(answer) => {
                    placed.orders += answer["orders"].as_u64().unwrap_or(0);
                    failures = 0;
                    diary.placed(placed.orders);
                    tell(&format!("{} of {} orders placed", grouped(placed.orders), grouped(self.orders)));
                }
                Err(error) => {
                    (placed.failed, failures) = (placed.failed + 1, failures + 1);
                    tell(&error.to_string());
                    diary.failed(error.to_string());
                    if failures == MAX_FAILURES {
                        return Err(error.into());
                    }
                    interruptions.pause(PAUSE)?;
                }
            }
        }
        Ok(placed)
    }

    /// Small enough that a slow load is an even one.
    fn batch(&self) -> u64 {
        let Some(duration) = self.duration.filter(|duration| !duration.is_zero()) else { return BATCH };
        let a_second = self.orders as f64 / duration.as_secs_f64();
        BATCH.min((a_second * 5.0).ceil() as u64).max(1)
    }

    /// When so many have to be placed.
    fn due(&self, placed: u64) -> Duration {
        self.duration.unwrap_or_default().mul_f64(placed as f64 / self.orders as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_load_comes_in_small_batches_and_at_its_time() {
        let load = Load::new(36_000, Some(Duration::from_secs(3_600)));
        assert_eq!((load.batch(), load.due(0), load.due(18_000)), (50, Duration::ZERO, Duration::from_secs(1_800)));
        let load = Load::new(10, Some(Duration::from_secs(3_600)));
        assert_eq!(load.batch(), 1);
        let load = Load::new(36_000, None);
        assert_eq!((load.batch(), load.due(18_000)), (BATCH, Duration::ZERO));
    }
}
