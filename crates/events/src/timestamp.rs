use std::fmt;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::format_description::well_known::iso8601::{Config, EncodedConfig, Iso8601, TimePrecision};

/// A moment: milliseconds since 1970 inside, RFC 3339 in UTC with milliseconds on the wire (`2026-01-01T00:00:00.000Z`).
///
/// From 1970 to the end of the year 9999. Anything finer than a millisecond is dropped when it is read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// RFC 3339 with exactly three decimals: the well-known format writes as many as it needs.
const MILLISECONDS: EncodedConfig = Config::DEFAULT
    .set_time_precision(TimePrecision::Second { decimal_digits: core::num::NonZeroU8::new(3) })
    .set_year_is_six_digits(false)
    .encode();

impl Timestamp {
    const MAX_MS: i64 = 253_402_300_799_999;

    /// The base time of `run`, `generate` and `simulate`, 2026-01-01T00:00:00.000Z: one constant, so that a seed alone fixes every byte.
    pub const BASE: Self = Self(1_767_225_600_000);

    /// A moment in milliseconds since 1970; `None` outside the years 1970 to 9999.
    pub fn from_ms(ms: i64) -> Option<Self> {
        (0..=Self::MAX_MS).contains(&ms).then_some(Self(ms))
    }

    /// Milliseconds since 1970.
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// The moment `ms` milliseconds later, the last one of the year 9999 at most.
    pub fn plus_ms(self, ms: u64) -> Self {
        let ms = i64::try_from(ms).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(ms).min(Self::MAX_MS))
    }

    /// Reads RFC 3339; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let ms = moment.unix_timestamp_nanos().div_euclid(1_000_000);
        Self::from_ms(i64::try_from(ms).ok()?)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment =
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).map_err(|_| fmt::Error)?;
        f.write_str(&moment.format(&Iso8601::<MILLISECONDS>).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Timestamp {
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
        fn a_moment_survives_the_wire(ms in 0..=Timestamp::MAX_MS) {
            let moment = Timestamp(ms);
            prop_assert_eq!(Timestamp::parse(&moment.to_string()), Some(moment));
        }
    }

    #[test]
    fn milliseconds_are_always_written() {
        assert_eq!(Timestamp::BASE.to_string(), "2026-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::BASE.plus_ms(120).to_string(), "2026-01-01T00:00:00.120Z");
    }

    #[test]
    fn other_offsets_are_read_as_the_same_moment() {
        assert_eq!(Timestamp::parse("2026-01-01T02:00:00.0009+02:00"), Some(Timestamp::BASE));
    }

    #[test]
    fn what_is_not_rfc_3339_or_out_of_range_is_refused() {
        for bad in ["", "2026-01-01", "2026-01-01 00:00", "2026-13-01T00:00:00Z", "1969-12-31T23:59:59Z", "now"] {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn time_stops_at_the_end_of_its_range() {
        assert_eq!(Timestamp::BASE.plus_ms(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }
}
