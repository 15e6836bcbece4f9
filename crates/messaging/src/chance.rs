//! Outcomes that look like chance, and are a pure function: a redelivery, a replay or another partition count decides alike.

use std::fmt;
use std::str::FromStr;

use events::{OrderId, hash64_of};

/// A number in [0, 1), uniform over orders, that depends on nothing but what it was drawn for.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Draw(f64);

impl Draw {
    /// The draw for one decision of a service about an order: the upper 53 bits of
    /// xxh3_64(order id 0x1F service 0x1F decision 0x1F attempt), as a fraction.
    ///
    /// `attempt` is the business attempt, 1 for the first; a redelivery never changes it.
    pub fn of(order_id: &OrderId, service: &str, decision: &str, attempt: u32) -> Self {
        Self::of_parts(order_id.as_str(), service, decision, attempt)
    }

    /// The draw that spreads retries: by where the record stands, so that two partitions do not wait in step.
    pub(crate) fn for_backoff(group: &str, partition: i32, offset: i64, attempt: u32) -> Self {
        Self::of_parts(group, &partition.to_string(), &offset.to_string(), attempt)
    }

    fn of_parts(first: &str, second: &str, third: &str, attempt: u32) -> Self {
        // Nearly every attempt is the first: it need not be formatted.
        let later = if attempt == 1 { String::new() } else { attempt.to_string() };
        let attempt = if attempt == 1 { "1" } else { &later };
        Self::from_bits(hash64_of(&[first, second, third, attempt]))
    }

    /// The draw whose upper 53 bits are those of `bits`: lets a test choose it.
    pub fn from_bits(bits: u64) -> Self {
        Self((bits >> 11) as f64 / (1_u64 << 53) as f64)
    }

    /// The draw's share of `range`, rounded down.
    pub fn scale(self, range: u64) -> u64 {
        (self.0 * range as f64) as u64
    }
}

/// A share of cases, 0 to 1; on a command line `5%`, `0.25%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Rate(f64);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent = text.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
        let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
        percent.map(|percent| Self(percent / 100.0)).ok_or_else(|| format!("found {text:?}, allowed 0% to 100%"))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", (self.0 * 1e6).round() / 1e4) // four decimals: a share is no exact fraction
    }
}

impl Rate {
    /// A share in percent; `None` above 100.
    pub fn from_percent(percent: u64) -> Option<Self> {
        (percent <= 100).then_some(Self(percent as f64 / 100.0))
    }

    /// Whether the case with this draw belongs to the share: never at rate 0, always at rate 1.
    pub fn includes(self, draw: Draw) -> bool {
        draw.0 < self.0
    }

    /// The share as a number from 0 to 1.
    pub fn as_f64(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(id: &str) -> OrderId {
        OrderId::parse(id).unwrap()
    }

    #[test]
    fn a_draw_depends_on_each_of_its_four_parts_and_on_nothing_else() {
        let draw = Draw::of(&order("7f3a"), "payment_processor", "payment", 1);
        assert_eq!(draw, Draw::of(&order("7f3a"), "payment_processor", "payment", 1));
        assert_ne!(draw, Draw::of(&order("7f3b"), "payment_processor", "payment", 1));
        assert_ne!(draw, Draw::of(&order("7f3a"), "inventory_manager", "payment", 1));
        assert_ne!(draw, Draw::of(&order("7f3a"), "payment_processor", "delay", 1));
        assert_ne!(draw, Draw::of(&order("7f3a"), "payment_processor", "payment", 2));
    }

    #[test]
    fn the_scheme_is_written_down_because_every_digest_depends_on_it() {
        let draw = Draw::of(&order("7f3a"), "payment_processor", "payment", 1);
        assert_eq!(format!("{:.6}", draw.0), "0.403569");
    }

    #[test]
    fn rate_zero_includes_nothing_and_rate_one_everything() {
        let (never, always) = (Rate::from_percent(0).unwrap(), Rate::from_percent(100).unwrap());
        for draw in [Draw::from_bits(0), Draw::from_bits(u64::MAX)] {
            assert!(!never.includes(draw));
            assert!(always.includes(draw));
        }
        assert_eq!(Rate::from_percent(101), None);
    }

    #[test]
    fn a_rate_is_read_as_it_is_written() {
        for text in ["0%", "0.0001%", "2.5%", "5%", "33.3333%", "100%"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for text in ["", "5", "%", "-1%", "100.1%", "nan%", "five%"] {
            assert_eq!(text.parse::<Rate>().unwrap_err(), format!("found {text:?}, allowed 0% to 100%"));
        }
        assert_eq!("90%".parse(), Ok(Rate::from_percent(90).unwrap()));
    }
}
