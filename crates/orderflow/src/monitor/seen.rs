use std::time::{Duration, SystemTime};

use super::sample::{Sample, Watched};
use super::trend::History;
use super::watch::News;
use super::workers::Worker;

/// What was heard of a cluster so far.
pub(crate) struct Seen {
    /// Where it is.
    pub(crate) address: String,
    pub(crate) watched: Watched,
    pub(crate) interval: Duration,
    pub(crate) history: History,
    /// Since when it is looked at.
    pub(crate) since: SystemTime,
    /// When it answered last.
    pub(crate) answered_at: SystemTime,
    pub(crate) away: Option<Away>,
    /// Those that are asked, too.
    pub(crate) workers: Vec<Worker>,
}

/// A cluster that does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Away {
    pub(crate) since: SystemTime,
    /// The last that was said.
    pub(crate) reason: String,
}

impl Seen {
    /// With the first answer; these workers will be asked.
    pub(crate) fn new(address: &str, watched: Watched, interval: Duration, first: Sample, workers: &[String]) -> Self {
        let now = SystemTime::now();
        let mut history = History::default();
        history.add(first);
        let workers = workers.iter().map(|address| Worker::at(address)).collect();
        Self {
            address: address.to_owned(),
            watched,
            interval,
            history,
            since: now,
            answered_at: now,
            away: None,
            workers,
        }
    }

    pub(crate) fn hear(&mut self, news: News) {
        match news {
            News::Answered(sample) => {
                self.history.add(*sample);
                (self.answered_at, self.away) = (SystemTime::now(), None);
            }
            News::Away(asked_at, reason) => {
                let since = self.away.as_ref().map_or(asked_at, |away| away.since);
                self.away = Some(Away { since, reason });
            }
            News::Workers(at, answers) => {
                self.workers.iter_mut().zip(answers).for_each(|(worker, answer)| worker.hear(at, answer));
            }
        }
    }

    /// How long it has said nothing, where that is longer than its answers take; before it counts as away.
    pub(crate) fn silent_for(&self, now: SystemTime) -> Option<Duration> {
        let silence = now.duration_since(self.answered_at).unwrap_or_default();
        (self.away.is_none() && silence > self.interval + Duration::from_secs(3)).then_some(silence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_away_since_the_first_question_without_an_answer_until_the_next_answer() {
        let mut seen = Seen::new("a:1", Watched::default(), Duration::from_secs(2), Sample::default(), &[]);
        let at = |second| SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        seen.hear(News::Away(at(100), "refused".into()));
        seen.hear(News::Away(at(110), "timed out".into()));
        assert_eq!(seen.away, Some(Away { since: at(100), reason: "timed out".into() }));
        seen.hear(News::Answered(Box::default()));
        assert_eq!(seen.away, None);
    }

    #[test]
    fn a_silence_is_told_before_the_cluster_counts_as_away() {
        let mut seen = Seen::new("a:1", Watched::default(), Duration::from_secs(2), Sample::default(), &[]);
        let after = |seen: &Seen, second| seen.silent_for(seen.answered_at + Duration::from_secs(second));
        assert_eq!((after(&seen, 5), after(&seen, 6)), (None, Some(Duration::from_secs(6))));
        seen.hear(News::Away(seen.answered_at, "refused".into()));
        assert_eq!(after(&seen, 6), None);
    }
}
