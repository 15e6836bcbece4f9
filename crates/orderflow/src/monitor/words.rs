use std::time::{Duration, SystemTime};

use super::trend::Trend;
use crate::grouped;

/// What stands where something is not known.
pub(crate) const UNKNOWN: &str = "-";

/// A number in `width` columns at most, from 4 on: in thousands or millions where it is longer.
pub(crate) fn number(number: u64, width: usize) -> String {
    let mut number = number;
    for unit in ["", "k", "M", "G", "T"] {
        let text = format!("{}{unit}", grouped(number));
        if text.len() <= width {
            return text;
        }
        number /= 1_000;
    }
    format!("{}P", grouped(number))
}

/// The same of what may not be known.
pub(crate) fn perhaps(known: Option<u64>, width: usize) -> String {
    known.map_or_else(|| UNKNOWN.to_owned(), |known| number(known, width))
}

/// Records a second; a few of them with a decimal, so that one in five seconds is not none.
pub(crate) fn rate(per_s: Option<f64>) -> String {
    match per_s {
        None => UNKNOWN.to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(few) if few < 9.95 => format!("{few:.1}"),
        Some(many) => number(many.round() as u64, 7),
    }
}

/// Where a lag goes.
pub(crate) fn trend(trend: Option<Trend>) -> String {
    trend.map_or(UNKNOWN, Trend::as_str).to_owned()
}

/// How long it takes until nothing is left, in its largest unit.
pub(crate) fn zero_in(trend: Option<Trend>) -> String {
    trend.and_then(Trend::zero_in).map_or_else(String::new, span)
}

/// A duration in its largest unit, rounded up: what is not over takes another second.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0));
    match seconds {
        0..100 => format!("{seconds}s"),
        100..6_000 => format!("{}m", seconds.div_ceil(60)),
        6_000..345_600 => format!("{}h", seconds.div_ceil(3_600)),
        345_600..8_640_000 => format!("{}d", seconds.div_ceil(86_400)),
        _ => ">99d".to_owned(),
    }
}

/// A course of rates in `width` columns, the latest last, its highest as high as a line is.
pub(crate) fn course(rates: &[f64], width: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let rates = &rates[rates.len().saturating_sub(width)..];
    let highest = rates.iter().copied().fold(0.0, f64::max);
    let bar = |rate: &f64| {
        let share = if highest > 0.0 { rate / highest } else { 0.0 };
        BARS[((share * 7.0).ceil() as usize).min(7)]
    };
    rates.iter().map(bar).collect()
}

/// A time of the day.
pub(crate) fn time(at: SystemTime) -> String {
    let at = humantime::format_rfc3339_seconds(at).to_string();
    at.get(11..19).map_or_else(|| at.clone(), |time| format!("{time} UTC"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_its_column() {
        let check = |given, width, expected: &str| assert_eq!(number(given, width), expected);
        check(999_999, 7, "999,999");
        check(1_234_567, 7, "1,234k");
        check(1_234_567, 9, "1,234,567");
        check(9_999, 5, "9,999");
        check(12_345, 5, "12k");
        check(u64::MAX, 5, "18,446P");
        assert_eq!((perhaps(None, 5), perhaps(Some(7), 5)), ("-".into(), "7".into()));
    }

    #[test]
    fn a_few_records_a_second_have_a_decimal() {
        let check = |per_s, expected: &str| assert_eq!(rate(per_s), expected);
        check(None, "-");
        check(Some(0.0), "0");
        check(Some(0.2), "0.2");
        check(Some(9.94), "9.9");
        check(Some(9.96), "10");
        check(Some(114_909.3), "114,909");
    }

    #[test]
    fn a_time_to_zero_is_told_in_its_largest_unit() {
        let check = |seconds, expected: &str| {
            assert_eq!(zero_in(Some(Trend::Draining(Duration::from_millis(seconds)))), expected);
        };
        check(1, "1s");
        check(99_000, "99s");
        check(101_000, "2m");
        check(7_200_000, "2h");
        check(864_000_000, "10d");
        check(u64::MAX, ">99d");
        assert_eq!((zero_in(Some(Trend::Growing)), zero_in(None)), (String::new(), String::new()));
    }

    #[test]
    fn a_course_shows_the_last_rates_by_the_highest_of_them() {
        assert_eq!(course(&[9.0, 0.0, 1.0, 4.0, 8.0], 4), "▁▂▅█");
        assert_eq!(course(&[0.0, 0.0], 4), "▁▁");
        assert_eq!(course(&[], 4), "");
    }
}
