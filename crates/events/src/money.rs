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

/// An amount as somebody states it, before anybody has looked whether it makes sense: of either sign.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignedCents(i64);

impl SignedCents {
    /// An amount in cents; the highest or lowest one allowed for more or less than that.
    pub const fn new(cents: i64) -> Self {
        let highest = Cents::MAX.0 as i64;
        Self(if cents > highest {
            highest
        } else if cents < -highest {
            -highest
        } else {
            cents
        })
    }

    /// The amount of a JSON number; `None` where it is too large, or finer than a cent.
    pub fn from_decimal(amount: f64) -> Option<Self> {
        let size = Cents::from_decimal(amount.abs())?.0 as i64; // at most Cents::MAX
        Some(Self(if amount < 0.0 { -size } else { size }))
    }

    /// The amount, where it is none below nothing.
    pub fn to_cents(self) -> Option<Cents> {
        u64::try_from(self.0).ok().map(Cents::new)
    }
}

impl From<Cents> for SignedCents {
    fn from(amount: Cents) -> Self {
        Self(amount.0 as i64) // at most Cents::MAX
    }
}

impl fmt::Display for SignedCents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", Cents(self.0.unsigned_abs()))
    }
}

impl fmt::Debug for SignedCents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
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
    fn a_signed_amount_survives_the_wire_and_is_an_amount_where_it_is_not_negative() {
        for (cents, written) in [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (-123_456, "-1234.56")] {
            let amount = SignedCents::new(cents);
            assert_eq!(amount.to_string(), written);
            assert_eq!(SignedCents::from_decimal(written.parse().unwrap()), Some(amount), "{written}");
            assert_eq!(amount.to_cents(), u64::try_from(cents).ok().map(Cents::new), "{written}");
        }
        assert_eq!(SignedCents::new(i64::MIN).to_string(), "-10000000000.00");
        assert_eq!(SignedCents::new(i64::MAX), SignedCents::from(Cents::MAX));
        for bad in [0.001, -19.999, 1e10 + 1.0, -1e10 - 1.0, f64::NAN] {
            assert_eq!(SignedCents::from_decimal(bad), None, "{bad}");
        }
    }

    #[test]
    fn arithmetic_stops_at_the_highest_amount() {
        assert_eq!(Cents::MAX + Cents(1), Cents::MAX);
        assert_eq!(Cents::MAX * 3, Cents::MAX);
        assert_eq!([Cents(1999), Cents(1)].into_iter().sum::<Cents>().to_string(), "20.00");
    }
}
