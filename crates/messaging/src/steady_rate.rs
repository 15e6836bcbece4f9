/// Orders a second, evenly: the first at once, each following one when its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SteadyRate {
    per_second: u32,
}

impl SteadyRate {
    /// So many a second; one is the least.
    pub const fn new(per_second: u32) -> Self {
        Self { per_second: if per_second == 0 { 1 } else { per_second } }
    }

    /// How many are due when `elapsed_us` microseconds have passed.
    pub const fn due(self, elapsed_us: u64) -> u64 {
        1 + elapsed_us.saturating_mul(self.per_second as u64) / 1_000_000
    }

    /// When the `n`-th is due, counted from 0, in microseconds.
    pub const fn due_us(self, n: u64) -> u64 {
        n.saturating_mul(1_000_000) / self.per_second as u64
    }
}

#[cfg(test)]
mod tests {
    use super::SteadyRate;

    #[test]
    fn the_first_is_due_at_once_and_one_more_each_interval() {
        let rate = SteadyRate::new(4);
        for (elapsed_us, due) in [(0, 1), (249_999, 1), (250_000, 2), (1_000_000, 5), (u64::MAX, 18_446_744_073_710)] {
            assert_eq!(rate.due(elapsed_us), due, "{elapsed_us}");
        }
    }

    #[test]
    fn what_is_due_at_a_time_is_due_no_later() {
        for per_second in [0, 1, 3, 7, 1_000_000] {
            let rate = SteadyRate::new(per_second);
            for n in [0, 1, 2, 1_000, 123_457] {
                // The microsecond is cut off: with the next one it is certain.
                assert!(rate.due(rate.due_us(n) + 1) > n, "{n} at {per_second}");
                assert!(rate.due(rate.due_us(n)) >= n, "{n} at {per_second}");
            }
        }
    }
}
