use events::OrderId;
use food_orders::food_producer::{self, RETRY};
use messaging::{Draw, Outgoing};

/// A batch of records until the brokers have confirmed it. Time is passed in, in milliseconds since its producer began.
pub(super) struct Delivery {
    records: Vec<Outgoing>,
    /// Writes of it that failed.
    failures: u32,
    /// Until when it waits before it is written again; `None` while it is under way.
    waits_until_ms: Option<u64>,
}

impl Delivery {
    /// A batch that has been written.
    pub(super) fn of(records: Vec<Outgoing>) -> Self {
        Self { records, failures: 0, waits_until_ms: None }
    }

    pub(super) fn records(&self) -> &[Outgoing] {
        &self.records
    }

    pub(super) fn into_records(self) -> Vec<Outgoing> {
        self.records
    }

    /// Whether nothing is under way: it waits to be written again.
    pub(super) fn waits(&self) -> bool {
        self.waits_until_ms.is_some()
    }

    /// Whether it is to be written again now. Said once: from then on it is under way.
    pub(super) fn is_due(&mut self, now_ms: u64) -> bool {
        self.waits_until_ms.take_if(|until_ms| *until_ms <= now_ms).is_some()
    }

    /// Takes in that a write failed, which another one may mend or not. The number of the retry that follows; `None` where none does.
    pub(super) fn failed(&mut self, may_pass: bool, run: &OrderId, now_ms: u64) -> Option<u32> {
        self.failures += 1;
        if !may_pass || RETRY.is_stuck(self.failures) {
            return None;
        }
        let draw = Draw::of(run, food_producer::NAME, "retry", self.failures);
        self.waits_until_ms = Some(now_ms + RETRY.delay_ms(self.failures, draw));
        Some(self.failures)
    }
}

#[cfg(test)]
mod tests {
    use events::Timestamp;

    use super::*;

    fn run() -> OrderId {
        OrderId::parse("0199-7").unwrap()
    }

    fn delivery() -> Delivery {
        Delivery::of(vec![food_producer::draw(&run(), 1, Timestamp::BASE)])
    }

    #[test]
    fn n06_a_batch_under_way_is_not_written_again() {
        let mut delivery = delivery();
        assert!(!delivery.waits() && !delivery.is_due(u64::MAX));
    }

    #[test]
    fn n06_a_write_that_failed_is_done_again_once_its_wait_is_over_and_only_once() {
        let mut delivery = delivery();
        assert_eq!(delivery.failed(true, &run(), 5_000), Some(1));
        assert!(delivery.waits() && !delivery.is_due(5_999));
        assert!(delivery.is_due(6_000), "the first wait is a second");
        assert!(!delivery.waits() && !delivery.is_due(6_001));
        assert_eq!(delivery.into_records(), vec![food_producer::draw(&run(), 1, Timestamp::BASE)], "all of it");
    }

    #[test]
    fn n06_three_retries_follow_with_longer_waits_and_no_fourth() {
        let mut delivery = delivery();
        for (retry, at_least_ms, at_most_ms) in [(1, 1_000, 1_000), (2, 1_000, 2_000), (3, 2_000, 4_000)] {
            assert_eq!(delivery.failed(true, &run(), 0), Some(retry));
            assert!(!delivery.is_due(at_least_ms - 1) && delivery.is_due(at_most_ms), "retry {retry}");
        }
        assert_eq!(delivery.failed(true, &run(), 0), None);
        assert!(!delivery.is_due(u64::MAX));
    }

    #[test]
    fn n06_what_no_other_write_mends_is_not_done_again() {
        let mut delivery = delivery();
        assert_eq!(delivery.failed(false, &run(), 0), None);
        assert!(!delivery.waits());
    }
}
