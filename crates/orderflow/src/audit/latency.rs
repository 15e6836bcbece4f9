use std::collections::HashMap;

use hdrhistogram::Histogram;
use messaging::audit::OrderKey;

use crate::Error;

/// Two digits of each are told apart.
const DIGITS: u8 = 2;

/// When each order's first and last records were written, by the clocks of those who wrote them. A record that was written again
/// counts: whoever reads the topics saw the order end that late.
#[derive(Debug, Default)]
pub(crate) struct Latency(HashMap<OrderKey, (i64, i64)>);

impl Latency {
    /// A record of an order, written at this time in milliseconds since 1970; a negative one is not known.
    pub(crate) fn see(&mut self, order: OrderKey, at_ms: i64) {
        if at_ms >= 0 {
            let (first, last) = self.0.entry(order).or_insert((at_ms, at_ms));
            (*first, *last) = (at_ms.min(*first), at_ms.max(*last));
        }
    }

    /// How long each order took, in milliseconds.
    ///
    /// # Errors
    /// Where an order took longer than can be told.
    pub(crate) fn histogram(&self) -> Result<Histogram<u64>, Error> {
        let mut histogram = Histogram::new(DIGITS).map_err(Error::failed)?;
        for (first, last) in self.0.values() {
            histogram.record(last.abs_diff(*first)).map_err(Error::failed)?;
        }
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_takes_from_its_first_record_to_its_last_in_whatever_order_they_are_read() {
        let (one, other) = (OrderKey::of(b"one"), OrderKey::of(b"other"));
        let mut latency = Latency::default();
        for (order, at_ms) in [(one, 1_030), (one, 1_000), (other, 5_000), (one, -1), (one, 1_010)] {
            latency.see(order, at_ms);
        }
        let histogram = latency.histogram().unwrap();
        assert_eq!((histogram.len(), histogram.min(), histogram.max()), (2, 0, 30));
    }
}
