//! What workers were heard to do of late.

use std::time::Duration;

use super::told::{Breaker, Calls, Counts, Told};
use super::trend::{KEPT, WINDOW};

/// A worker, or an emulator, that is asked what it does.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    /// Where it listens.
    pub(crate) address: String,
    /// The last of what it told, the newest last, each with how long after the monitor's start.
    told: Vec<(Duration, Told)>,
    /// Why it does not answer, if it does not.
    pub(crate) silence: Option<String>,
}

/// What a group does in one worker.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Doing<'w> {
    pub(crate) service: &'w str,
    pub(crate) topic: &'w str,
    /// All of it since the worker's start.
    pub(crate) counts: &'w Counts,
    /// Records a second, over the last ten seconds; `None` where it has told but once.
    pub(crate) handled_per_s: Option<f64>,
    pub(crate) retried_per_s: Option<f64>,
    pub(crate) failed_per_s: Option<f64>,
    pub(crate) given_up_per_s: Option<f64>,
    /// How long half of these batches took at most, in seconds; `None` where there was none.
    pub(crate) p50_s: Option<f64>,
    pub(crate) p99_s: Option<f64>,
    /// The same from answer to answer, 0 where there was no batch.
    pub(crate) p99s_s: Vec<f64>,
}

/// What a function does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Called<'w> {
    pub(crate) function: &'w str,
    /// All of it since the emulator's start.
    pub(crate) calls: &'w Calls,
    pub(crate) invocations_per_s: Option<f64>,
    pub(crate) errors_per_s: Option<f64>,
    pub(crate) retries_per_s: Option<f64>,
}

impl Doing<'_> {
    /// Records that come again, because a handler asked for it or a write failed.
    pub(crate) fn again_per_s(&self) -> Option<f64> {
        Some(self.retried_per_s? + self.failed_per_s?)
    }
}

impl Worker {
    /// One that was not asked yet.
    pub(crate) fn at(address: &str) -> Self {
        Self { address: address.to_owned(), told: Vec::new(), silence: None }
    }

    /// What came of a question, so long after the monitor's start.
    pub(crate) fn hear(&mut self, at: Duration, answer: Result<Told, String>) {
        match answer {
            Ok(told) => {
                if self.told.len() == KEPT {
                    self.told.remove(0);
                }
                self.told.push((at, told));
                self.silence = None;
            }
            Err(reason) => self.silence = Some(reason),
        }
    }

    /// What it told last.
    pub(crate) fn newest(&self) -> Option<&Told> {
        self.told.last().map(|(_, told)| told)
    }

    /// Whether something outside is not called, or a partition waits.
    pub(crate) fn breakers(&self) -> impl Iterator<Item = (&str, Breaker)> {
        self.newest().into_iter().flat_map(|told| &told.outside).map(|(name, state)| (name.as_str(), *state))
    }

    /// Its groups.
    pub(crate) fn groups<'w>(&'w self) -> Vec<Doing<'w>> {
        let Some((_, newest)) = self.told.last() else { return Vec::new() };
        let window = self.window();
        let doing = |(key, counts): (&'w (String, String), &'w Counts)| {
            let rate = |count: fn(&Counts) -> f64| per_s(window, |told| told.groups.get(key).map(count));
            let batches = |first: &Told, last: &Told| {
                let (first, last) = (first.groups.get(key), last.groups.get(key));
                between(first.map_or(&[], |counts| &counts.batches), last.map_or(&[], |counts| &counts.batches))
            };
            let of_late = match window {
                [(_, first), .., (_, last)] => batches(first, last),
                _ => Vec::new(),
            };
            let p99s = self.told.windows(2).map(|pair| quantile(&batches(&pair[0].1, &pair[1].1), 0.99).unwrap_or(0.0));
            Doing {
                service: &key.0,
                topic: &key.1,
                counts,
                handled_per_s: rate(|counts| counts.handled),
                retried_per_s: rate(|counts| counts.retried),
                failed_per_s: rate(|counts| counts.failed),
                given_up_per_s: rate(|counts| counts.given_up),
                p50_s: quantile(&of_late, 0.5),
                p99_s: quantile(&of_late, 0.99),
                p99s_s: p99s.collect(),
            }
        };
        newest.groups.iter().map(doing).collect()
    }

    /// Its functions, where it is an emulator.
    pub(crate) fn functions<'w>(&'w self) -> Vec<Called<'w>> {
        let Some((_, newest)) = self.told.last() else { return Vec::new() };
        let called = |(function, calls): (&'w String, &'w Calls)| {
            let rate = |count: fn(&Calls) -> f64| per_s(self.window(), |told| told.functions.get(function).map(count));
            Called {
                function,
                calls,
                invocations_per_s: rate(|calls| calls.invocations),
                errors_per_s: rate(|calls| calls.errors),
                retries_per_s: rate(|calls| calls.retries),
            }
        };
        newest.functions.iter().map(called).collect()
    }

    fn window(&self) -> &[(Duration, Told)] {
        let Some((newest, _)) = self.told.last() else { return &[] };
        let begin = self.told.partition_point(|(at, _)| newest.saturating_sub(*at) > WINDOW);
        &self.told[begin.min(self.told.len().saturating_sub(2))..]
    }
}

/// How much a count grew in a second. A worker that began anew counts from 0.
fn per_s(told: &[(Duration, Told)], count: impl Fn(&Told) -> Option<f64>) -> Option<f64> {
    let [(first, _), .., (last, _)] = told else { return None };
    let elapsed = last.saturating_sub(*first).as_secs_f64();
    let grown = told.windows(2).map(|pair| {
        let (before, now) = (count(&pair[0].1).unwrap_or(0.0), count(&pair[1].1).unwrap_or(0.0));
        if now >= before { now - before } else { now }
    });
    (elapsed > 0.0).then(|| grown.sum::<f64>() / elapsed)
}

/// The batches that came between two answers, by how long they took at most.
fn between(before: &[(f64, f64)], now: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let is_anew = before.iter().zip(now).any(|((_, before), (_, now))| now < before);
    let before = |index: usize| if is_anew { 0.0 } else { before.get(index).map_or(0.0, |(_, count)| *count) };
    now.iter().enumerate().map(|(index, (seconds, count))| (*seconds, count - before(index))).collect()
}

/// What this share of them took at most: within its bucket as if they were spread evenly, as Prometheus has it.
fn quantile(batches: &[(f64, f64)], share: f64) -> Option<f64> {
    let all = batches.last().map(|(_, count)| *count).filter(|&all| all > 0.0)?;
    let (mut from_s, mut below) = (0.0, 0.0);
    for &(to_s, count) in batches {
        if count >= all * share {
            let is_open = to_s.is_infinite() || count <= below;
            return Some(if is_open {
                from_s
            } else {
                from_s + (to_s - from_s) * (all * share - below) / (count - below)
            });
        }
        (from_s, below) = (to_s, count);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(handled: f64, batches: &[(f64, f64)]) -> Told {
        let counts = Counts { handled, retried: handled / 10.0, batches: batches.to_vec(), ..Counts::default() };
        Told { groups: [(("pay".to_owned(), "orders".to_owned()), counts)].into(), ..Told::default() }
    }

    fn worker(answers: impl IntoIterator<Item = (u64, Told)>) -> Worker {
        let mut worker = Worker::at("a:1");
        answers.into_iter().for_each(|(second, told)| worker.hear(Duration::from_secs(second), Ok(told)));
        worker
    }

    #[test]
    fn rates_are_those_of_the_last_ten_seconds() {
        let worker =
            worker([(0, told(0.0, &[])), (20, told(100.0, &[])), (25, told(400.0, &[])), (30, told(500.0, &[]))]);
        let groups = worker.groups();
        assert_eq!((groups[0].service, groups[0].topic, groups.len()), ("pay", "orders", 1));
        assert_eq!((groups[0].handled_per_s, groups[0].retried_per_s), (Some(40.0), Some(4.0)));
    }

    #[test]
    fn one_answer_is_no_rate_and_none_is_no_group() {
        assert_eq!(worker([]).groups(), []);
        let worker = worker([(3, told(7.0, &[(1.0, 7.0)]))]);
        let groups = worker.groups();
        assert_eq!((groups[0].handled_per_s, groups[0].p99_s, groups[0].counts.handled), (None, None, 7.0));
    }

    #[test]
    fn a_worker_that_began_anew_counts_from_its_beginning() {
        let worker = worker([(0, told(900.0, &[(1.0, 90.0)])), (10, told(50.0, &[(1.0, 5.0)]))]);
        let groups = worker.groups();
        assert_eq!((groups[0].handled_per_s, groups[0].p50_s), (Some(5.0), Some(0.5)));
    }

    #[test]
    fn a_quantile_is_that_of_the_batches_that_came_meanwhile() {
        let check = |batches: &[(f64, f64)], share, expected: Option<f64>| {
            assert_eq!(quantile(batches, share), expected, "{batches:?} {share}");
        };
        check(&[], 0.5, None);
        check(&[(1.0, 0.0), (f64::INFINITY, 0.0)], 0.5, None);
        check(&[(1.0, 10.0), (2.0, 20.0), (f64::INFINITY, 20.0)], 0.5, Some(1.0));
        check(&[(1.0, 10.0), (2.0, 20.0), (f64::INFINITY, 20.0)], 0.75, Some(1.5));
        check(&[(1.0, 0.0), (f64::INFINITY, 5.0)], 0.99, Some(1.0)); // longer than anything that is told apart
        assert_eq!(between(&[(1.0, 4.0), (2.0, 9.0)], &[(1.0, 6.0), (2.0, 15.0)]), [(1.0, 2.0), (2.0, 6.0)]);
        assert_eq!(between(&[(1.0, 4.0)], &[(1.0, 3.0)]), [(1.0, 3.0)]);
    }

    #[test]
    fn who_is_silent_is_told_and_what_it_said_stays_until_it_speaks_again() {
        let mut worker = worker([(0, told(0.0, &[])), (2, told(10.0, &[]))]);
        worker.hear(Duration::from_secs(4), Err("refused".into()));
        assert_eq!((worker.silence.as_deref(), worker.groups().len()), (Some("refused"), 1));
        worker.hear(Duration::from_secs(6), Ok(told(10.0, &[])));
        assert_eq!(worker.silence, None);
    }

    #[test]
    fn no_more_answers_are_kept_than_are_drawn() {
        let worker = worker((0..500).map(|second| (second, told(0.0, &[]))));
        assert_eq!((worker.told.len(), worker.groups()[0].p99s_s.len()), (KEPT, KEPT - 1));
    }

    #[test]
    fn functions_have_rates_too() {
        let told = |invocations| Told {
            functions: [("pay".to_owned(), Calls { invocations, errors: invocations / 2.0, ..Calls::default() })]
                .into(),
            ..Told::default()
        };
        let worker = worker([(0, told(0.0)), (10, told(40.0))]);
        let functions = worker.functions();
        assert_eq!((functions[0].function, functions[0].invocations_per_s), ("pay", Some(4.0)));
        assert_eq!((functions[0].errors_per_s, functions[0].calls.invocations), (Some(2.0), 40.0));
    }
}
