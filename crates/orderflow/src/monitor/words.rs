use std::time::{Duration, SystemTime};

use super::told::{Breaker, Told};
use super::trend::Trend;
use super::workers::Worker;
use crate::{counted, grouped, shown};

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

/// How long something took, in five columns at most.
pub(crate) fn latency(seconds: Option<f64>) -> String {
    match seconds {
        None => UNKNOWN.to_owned(),
        Some(short) if short < 0.0095 => format!("{:.1}ms", short * 1_000.0),
        Some(short) if short < 0.9995 => format!("{:.0}ms", short * 1_000.0),
        Some(some) if some < 9.95 => format!("{some:.1}s"),
        Some(long) => span(Duration::try_from_secs_f64(long).unwrap_or(Duration::MAX)),
    }
}

/// Whether something is done after failures, in six columns.
pub(crate) fn breaker(state: Option<Breaker>) -> String {
    state.map_or(UNKNOWN, |state| if state == Breaker::HalfOpen { "half" } else { state.as_str() }).to_owned()
}

/// How a worker is, in a line: what it does has lines of its own.
pub(crate) fn worker(worker: &Worker) -> String {
    let Some(Told { groups, functions, stuck, unfinished, .. }) = worker.newest() else {
        return match &worker.silence {
            Some(reason) => format!("NO ANSWER: {}", shown(reason)),
            None => "not asked yet".to_owned(),
        };
    };
    let mut words = Vec::new();
    words.extend(worker.silence.as_ref().map(|reason| format!("NO ANSWER: {}", shown(reason))));
    words.extend((!groups.is_empty()).then(|| counted(groups.len() as u64, "group")));
    words.extend((!functions.is_empty()).then(|| counted(functions.len() as u64, "function")));
    words.extend(stuck.map(|stuck| {
        let of_all = unfinished.map_or_else(String::new, |all| format!(" of {}", grouped(all)));
        format!("sagas stuck {}{of_all}", grouped(stuck))
    }));
    let away = worker.breakers().filter(|(_, state)| *state != Breaker::Closed);
    words.extend(away.map(|(name, state)| format!("{} {}", shown(name), state.as_str())));
    if words.is_empty() { "it does nothing".to_owned() } else { words.join(", ") }
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
    fn a_latency_keeps_its_five_columns() {
        let check = |seconds, expected: &str| assert_eq!(latency(Some(seconds)), expected);
        check(0.0004, "0.4ms");
        check(0.0094, "9.4ms");
        check(0.0096, "10ms");
        check(0.5, "500ms");
        check(0.9996, "1.0s");
        check(9.94, "9.9s");
        check(32.7, "33s");
        check(f64::INFINITY, ">99d");
        assert_eq!(latency(None), "-");
    }

    #[test]
    fn a_worker_is_told_in_a_line_with_what_somebody_should_look_at() {
        let mut known = Worker::at("a:1");
        assert_eq!(worker(&known), "not asked yet");
        known.hear(Duration::ZERO, Err("refused\u{1b}[2J".into()));
        assert_eq!(worker(&known), "NO ANSWER: refused\\u{1b}[2J");
        known.hear(Duration::ZERO, Ok(Told::default()));
        assert_eq!(worker(&known), "it does nothing");
        let outside = [("mailer".to_owned(), Breaker::Closed), ("gateway".to_owned(), Breaker::Open)].into();
        let told = Told { outside, stuck: Some(2), unfinished: Some(1_200), ..Told::default() };
        known.hear(Duration::ZERO, Ok(told));
        assert_eq!(worker(&known), "sagas stuck 2 of 1,200, gateway open");
        known.hear(Duration::ZERO, Err("timeout".into()));
        assert_eq!(worker(&known), "NO ANSWER: timeout, sagas stuck 2 of 1,200, gateway open");
    }

    #[test]
    fn a_course_shows_the_last_rates_by_the_highest_of_them() {
        assert_eq!(course(&[9.0, 0.0, 1.0, 4.0, 8.0], 4), "▁▂▅█");
        assert_eq!(course(&[0.0, 0.0], 4), "▁▁");
        assert_eq!(course(&[], 4), "");
    }
}
