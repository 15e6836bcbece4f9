use hdrhistogram::{CreationError, Histogram};
use messaging::audit::Trouble;

/// Intervals that are kept; once more are needed, each two neighbours become one.
const MAX_INTERVALS: u64 = 120;

/// How long an interval is at first, in microseconds.
const FIRST_US: u64 = 1_000;

/// Latencies up to ten minutes, to two significant digits.
const MAX_LATENCY_US: u64 = 600_000_000;
const DIGITS: u8 = 2;

/// What a run did when, in intervals of one length, which grows with the run: 1.5 MiB at most, however long it takes.
pub(crate) struct Timeline {
    /// When the first order was accepted, in microseconds of the auditor's clock.
    start_us: Option<u64>,
    interval_us: u64,
    intervals: Vec<Interval>,
    /// The latest moment that was asked for.
    last_us: u64,
    /// One in which nothing happened.
    idle: Interval,
}

/// What happened in one of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Interval {
    /// Orders taken in.
    pub(crate) accepted: u64,
    /// How long the orders took, in microseconds, that came to their end.
    pub(crate) latency: Histogram<u32>,
    pub(crate) trouble: Trouble,
}

impl Timeline {
    pub(crate) fn new() -> Result<Self, CreationError> {
        let latency = Histogram::new_with_bounds(1, MAX_LATENCY_US, DIGITS)?;
        let idle = Interval { accepted: 0, latency, trouble: Trouble::default() };
        Ok(Self { start_us: None, interval_us: FIRST_US, intervals: Vec::new(), last_us: 0, idle })
    }

    /// The interval of a moment; the first one for what is before the first order.
    pub(crate) fn at(&mut self, us: u64) -> &mut Interval {
        let since_us = us.saturating_sub(*self.start_us.get_or_insert(us));
        self.last_us = self.last_us.max(us);
        while since_us / self.interval_us >= MAX_INTERVALS {
            self.widen();
        }
        let index = (since_us / self.interval_us) as usize;
        if index >= self.intervals.len() {
            self.intervals.resize(index + 1, self.idle.clone());
        }
        &mut self.intervals[index]
    }

    /// Makes one interval of each two.
    fn widen(&mut self) {
        self.interval_us *= 2;
        let pairs = self.intervals.chunks(2);
        self.intervals = pairs.map(|pair| pair.iter().fold(self.idle.clone(), Interval::and)).collect();
    }

    /// The same in fewer intervals, as long as orders come to their end in so few of them, or so few in each, that their rates would
    /// be noise.
    pub(crate) fn smooth(mut self) -> Self {
        const FEWEST: usize = 24;
        const ORDERS: u64 = 50;
        let orders: u64 = self.intervals.iter().map(|interval| interval.latency.len()).sum();
        let is_noise = |intervals: &[Interval]| {
            let idle = intervals.iter().filter(|interval| interval.latency.is_empty()).count();
            orders < ORDERS * intervals.len() as u64 || idle > intervals.len() / 10
        };
        while self.intervals.len() >= 2 * FEWEST && is_noise(&self.intervals) {
            self.widen();
        }
        self
    }

    /// How long all orders took, in microseconds.
    pub(crate) fn latency(&self) -> Histogram<u32> {
        self.intervals.iter().fold(self.idle.clone(), Interval::and).latency
    }

    /// From the first order to a moment, in seconds.
    pub(crate) fn seconds(&self, us: u64) -> f64 {
        us.saturating_sub(self.start_us.unwrap_or(us)) as f64 / 1e6
    }

    /// From the first order until something last happened, in seconds.
    pub(crate) fn end_s(&self) -> f64 {
        self.seconds(self.last_us)
    }

    /// Each interval with its beginning and its end, in seconds from the first order; the last one may be shorter.
    pub(crate) fn intervals(&self) -> impl Iterator<Item = (f64, f64, &Interval)> {
        let at_s = |index: usize| index as f64 * self.interval_us as f64 / 1e6;
        let intervals = self.intervals.iter().enumerate();
        intervals.map(move |(index, interval)| (at_s(index), at_s(index + 1).min(self.end_s()), interval))
    }
}

impl Interval {
    fn and(mut self, next: &Self) -> Self {
        self.accepted += next.accepted;
        let _ = self.latency.add(&next.latency); // fails for other bounds only
        self.trouble += next.trouble;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An order a step, each taking as many microseconds as its number.
    fn timeline(orders: u64, step_us: u64) -> Timeline {
        let mut timeline = Timeline::new().unwrap();
        for n in 0..orders {
            let interval = timeline.at(7_000 + n * step_us);
            interval.accepted += 1;
            interval.latency.record(n + 1).unwrap();
            interval.trouble += Trouble { redelivered: 1, ..Trouble::default() };
        }
        timeline
    }

    #[test]
    fn a_long_run_has_no_more_intervals_than_a_short_one_and_their_sums_stay() {
        for (orders, step_us) in [(10, 1), (10_000, 100), (10_000, 60_000_000)] {
            let timeline = timeline(orders, step_us);
            let sums = timeline.intervals().fold((0, 0, 0), |(accepted, ended, redelivered), (_, _, interval)| {
                (
                    accepted + interval.accepted,
                    ended + interval.latency.len(),
                    redelivered + interval.trouble.redelivered,
                )
            });
            assert_eq!(sums, (orders, orders, orders));
            assert!(timeline.intervals().count() as u64 <= MAX_INTERVALS);
            assert_eq!((timeline.latency().len(), timeline.latency().min()), (orders, 1));
        }
    }

    #[test]
    fn an_interval_that_grew_has_what_happened_in_its_time() {
        let timeline = timeline(240, FIRST_US);
        let told: Vec<_> =
            timeline.intervals().map(|(from_s, to_s, interval)| (from_s, to_s, interval.accepted)).collect();
        assert_eq!((told.len(), told[0], told[119]), (120, (0.0, 0.002, 2), (0.238, 0.239, 2)));
    }

    #[test]
    fn what_comes_before_the_first_order_counts_as_of_its_time() {
        let mut timeline = Timeline::new().unwrap();
        timeline.at(5_000).accepted += 1;
        timeline.at(1).accepted += 1;
        assert_eq!((timeline.intervals[0].accepted, timeline.intervals.len()), (2, 1));
    }

    #[test]
    fn so_few_orders_that_their_rates_would_be_noise_are_told_in_wider_intervals() {
        let few = timeline(200, 10_000).smooth();
        assert!((24..48).contains(&few.intervals.len()), "{}", few.intervals.len());
        let many = timeline(100_000, 1);
        let before = many.intervals.len();
        assert_eq!(many.smooth().intervals.len(), before);
    }
}
