use crate::Draw;

/// How long a partition waits before the next attempt, and when its service counts as stuck.
///
/// The wait doubles with each attempt up to its cap. Its upper half is spread by a draw, so that partitions do not retry
/// in step for long; the first wait is the least one. There is no last attempt: a record that another attempt may save is never given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    backoff_min_ms: u64,
    backoff_max_ms: u64,
    stuck_after_attempts: u32,
}

impl RetryPolicy {
    /// A policy; `None` unless 1 <= `backoff_min_ms` <= `backoff_max_ms` and `stuck_after_attempts` >= 1.
    pub const fn try_new(backoff_min_ms: u64, backoff_max_ms: u64, stuck_after_attempts: u32) -> Option<Self> {
        if backoff_min_ms < 1 || backoff_max_ms < backoff_min_ms || stuck_after_attempts < 1 {
            return None;
        }
        Some(Self { backoff_min_ms, backoff_max_ms, stuck_after_attempts })
    }

    /// The wait after the `attempt`-th failure (1 for the first) in milliseconds, within the policy's bounds.
    pub fn delay_ms(&self, attempt: u32, draw: Draw) -> u64 {
        let doublings = attempt.saturating_sub(1).min(63);
        let full = self.backoff_min_ms.saturating_mul(1 << doublings).min(self.backoff_max_ms);
        let least = (full / 2).max(self.backoff_min_ms);
        least + draw.scale(full - least + 1).min(full - least)
    }

    /// The longest wait in milliseconds.
    pub const fn longest_ms(&self) -> u64 {
        self.backoff_max_ms
    }

    /// Whether somebody should look: this many attempts in a row failed.
    pub fn is_stuck(&self, attempt: u32) -> bool {
        attempt >= self.stuck_after_attempts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policies() -> impl Strategy<Value = RetryPolicy> {
        (1..10_000u64, 0..1_000_000u64).prop_map(|(min, more)| RetryPolicy::try_new(min, min + more, 5).unwrap())
    }

    proptest! {
        #[test]
        fn backoff_stays_within_its_bounds(policy in policies(), attempt in 1..=200u32, bits: u64) {
            let delay_ms = policy.delay_ms(attempt, Draw::from_bits(bits));
            prop_assert!((policy.backoff_min_ms..=policy.backoff_max_ms).contains(&delay_ms));
        }

        #[test]
        fn backoff_grows_to_its_cap(policy in policies()) {
            let longest = policy.delay_ms(64, Draw::from_bits(u64::MAX));
            prop_assert_eq!(longest, policy.backoff_max_ms);
        }
    }

    #[test]
    fn backoff_doubles_and_its_upper_half_is_spread_by_the_draw() {
        let policy = RetryPolicy::try_new(100, 450, 5).unwrap();
        for (attempt, least_ms, most_ms) in [(1, 100, 100), (2, 100, 200), (3, 200, 400), (4, 225, 450), (99, 225, 450)]
        {
            let bounds = [0, u64::MAX].map(|bits| policy.delay_ms(attempt, Draw::from_bits(bits)));
            assert_eq!(bounds, [least_ms, most_ms], "attempt {attempt}");
        }
    }

    #[test]
    fn a_policy_is_stuck_from_its_number_of_attempts_on() {
        let policy = RetryPolicy::try_new(1, 1, 3).unwrap();
        assert_eq!([1, 2, 3, 4].map(|attempt| policy.is_stuck(attempt)), [false, false, true, true]);
    }

    #[test]
    fn a_policy_without_sense_is_refused() {
        assert_eq!(RetryPolicy::try_new(0, 10, 1), None);
        assert_eq!(RetryPolicy::try_new(11, 10, 1), None);
        assert_eq!(RetryPolicy::try_new(10, 10, 0), None);
    }
}
