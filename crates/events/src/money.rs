use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Mul};

/// An amount of money: whole cents inside, a JSON number with two decimals on the wire, so that totals never drift.
///
/// Never negative; at most [`Cents::MAX`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cents(u64);

impl Cents {
    /// 10,000,000,000.00: a number with two decimals up to here is exact in the double that JSON readers use.
    pub const MAX: Self = Self(1_000_000_000_000);

    /// An amount in cents; the highest one allowed for more than that.
    pub const fn new(cents: u64) -> Self {
        if cents > Self::MAX.0 { Self::MAX } else { Self(cents) }
    }

    /// The amount of a JSON number; `None` where it is negative, too large, or finer than a cent.
    pub fn from_decimal(amount: f64) -> Option<Self> {
        let whole = (amount * 100.0).round();
        // A division is rounded to the nearest double, and so was the number that was read: for two decimals they are equal.
        let is_exact = whole / 100.0 == amount;
        ((0.0..=Self::MAX.0 as f64).contains(&whole) && is_exact && amount >= 0.0).then_some(Self(whole as u64))
    }
}

impl Add for Cents {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::new(self.0.saturating_add(other.0))
    }
}

impl Mul<u32> for Cents {
    type Output = Self;
    fn mul(self, quantity: u32) -> Self {
        Self::new(self.0.saturating_mul(quantity.into()))
    }
}

impl Sum for Cents {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self(0), Add::add)
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl fmt::Debug for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_amount_survives_the_wire(cents in 0..=Cents::MAX.0) {
            let written = Cents(cents).to_string();
            prop_assert_eq!(Cents::from_decimal(written.parse().unwrap()), Some(Cents(cents)));
        }
    }

    #[test]
    fn an_amount_finer_than_a_cent_negative_or_too_large_is_refused() {
        for bad in [0.001, 19.999, 19.99009, -0.01, -1.0, 1e10 + 1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Cents::from_decimal(bad), None, "{bad}");
        }
        assert_eq!(Cents::from_decimal(-0.0), Some(Cents(0)));
    }

    #[test]
    fn arithmetic_stops_at_the_highest_amount() {
        assert_eq!(Cents::MAX + Cents(1), Cents::MAX);
        assert_eq!(Cents::MAX * 3, Cents::MAX);
        assert_eq!([Cents(1999), Cents(1)].into_iter().sum::<Cents>().to_string(), "20.00");
    }
}
