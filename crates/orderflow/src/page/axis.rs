//! Ticks, and where a value is between two ends.

use crate::grouped;

/// An axis between two values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    from: f64,
    to: f64,
    scale: Scale,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    Linear,
    Logarithmic,
}

impl Axis {
    /// From zero to the first round number that has room for `most`.
    pub(super) fn from_zero(most: f64) -> Self {
        let most = if most > 0.0 { most } else { 1.0 };
        let step = step(most, 4.0);
        Self { from: 0.0, to: (most / step - 1e-9).ceil() * step, scale: Scale::Linear }
    }

    /// From zero to exactly there.
    pub(super) fn to(end: f64) -> Self {
        Self { from: 0.0, to: if end > 0.0 { end } else { 1.0 }, scale: Scale::Linear }
    }

    /// With as much room for each doubling, from what is above zero.
    pub(super) fn logarithmic(least: f64, most: f64) -> Self {
        let least = if least > 0.0 { least } else { 1e-3 };
        let most = most.max(least * 1.5);
        Self { from: least / 1.05, to: most * 1.05, scale: Scale::Logarithmic }
    }

    /// 0.0 to 1.0, whatever is given.
    pub(super) fn place(self, value: f64) -> f64 {
        let Self { from, to, scale } = self;
        let place = match scale {
            Scale::Linear => (value - from) / (to - from),
            Scale::Logarithmic => (value.max(from) / from).ln() / (to / from).ln(),
        };
        place.clamp(0.0, 1.0)
    }

    /// The round values on it, so many or a few more.
    pub(super) fn ticks(self, wanted: u32) -> Vec<f64> {
        let Self { from, to, scale } = self;
        if scale == Scale::Linear {
            let step = step(to - from, f64::from(wanted));
            let count = ((to - from) / step + 1e-9) as u32;
            return (0..=count).map(|n| from + f64::from(n) * step).collect();
        }
        let decades = (from.log10().floor() as i32)..=(to.log10().ceil() as i32);
        let of_each = |digits: &[f64]| -> Vec<f64> {
            let values = decades.clone().flat_map(|decade| digits.iter().map(move |digit| digit * 10_f64.powi(decade)));
            values.filter(|value| (from..=to).contains(value)).collect()
        };
        let sets: [&[f64]; 4] = [&[1.0], &[1.0, 3.0], &[1.0, 2.0, 5.0], &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]];
        let enough = sets.iter().map(|digits| of_each(digits)).find(|ticks| ticks.len() >= 3);
        enough.unwrap_or_else(|| of_each(sets[3]))
    }
}

/// The round step of which about so many go into a length.
fn step(length: f64, wanted: f64) -> f64 {
    let rough = length / wanted;
    let decade = 10_f64.powf(rough.log10().floor());
    let digit = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|digit| digit * decade >= rough * 0.999);
    digit.unwrap_or(10.0) * decade
}

/// A number with as many digits as are worth reading.
pub(crate) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
        magnitude if magnitude >= 100.0 => return grouped(value.round() as u64),
        magnitude if magnitude >= 10.0 => 1,
        magnitude if magnitude >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    if decimals == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

/// What times up to this many seconds are told in: how many of it a second has, and its name.
pub(super) fn unit_of_time(seconds: f64) -> (f64, &'static str) {
    match seconds {
        short if short < 2.0 => (1_000.0, "ms"),
        some if some < 180.0 => (1.0, "s"),
        long if long < 3.0 * 3_600.0 => (1.0 / 60.0, "min"),
        _ => (1.0 / 3_600.0, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within_the_axis() {
        assert_eq!(Axis::from_zero(114_909.0).ticks(4), [0.0, 50_000.0, 100_000.0, 150_000.0]);
        assert_eq!(Axis::from_zero(0.0).ticks(4), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(Axis::to(174.0).ticks(5), [0.0, 50.0, 100.0, 150.0]);
        assert_eq!(Axis::logarithmic(3.0, 2_000.0).ticks(5), [10.0, 100.0, 1_000.0]);
        assert_eq!(Axis::logarithmic(12.0, 66.0).ticks(5), [15.0, 20.0, 30.0, 40.0, 50.0, 60.0]);
    }

    #[test]
    fn every_value_has_a_place_on_it() {
        for axis in [Axis::from_zero(10.0), Axis::to(0.0), Axis::logarithmic(0.0, 0.0), Axis::logarithmic(1.0, 1e9)] {
            for value in [-1.0, 0.0, 1e-9, 5.0, 1e12] {
                assert!((0.0..=1.0).contains(&axis.place(value)), "{value} on {axis:?}");
            }
        }
    }

    #[test]
    fn numbers_have_the_digits_that_are_worth_reading() {
        for (value, text) in
            [(0.0, "0"), (0.0123, "0.012"), (1.5, "1.5"), (12.34, "12.3"), (20.0, "20"), (114_909.4, "114,909")]
        {
            assert_eq!(number(value), text);
        }
    }
}
