use std::time::Duration;

use events::Topic;
use kafka_transport::{Log, Span};

use super::sample::{Group, Sample};
use crate::audit::lag;

/// How far back a rate or a trend looks. Two samples are looked at even where they are further apart.
pub(super) const WINDOW: Duration = Duration::from_secs(10);

/// Samples that are kept: the courses of rates are drawn from them.
pub(super) const KEPT: usize = 121;

/// The last samples of a cluster, the newest last.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(Vec<Sample>);

/// How a group stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standing {
    /// Records a second that are written to its topic.
    pub(crate) in_per_s: Option<f64>,
    /// Records that it is not done with; `None` where its topic is not there.
    pub(crate) lag: Option<u64>,
    pub(crate) trend: Option<Trend>,
    pub(crate) dead_letters: Option<u64>,
    pub(crate) dead_letters_per_s: Option<f64>,
    pub(crate) members: Option<u64>,
    pub(crate) partitions: Vec<Part>,
}

/// How a group stands on one partition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) log: Log,
    pub(crate) committed: Option<i64>,
    /// `None` while the partition has no leader.
    pub(crate) lag: Option<u64>,
}

/// Where a lag goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Trend {
    /// There will be none so long from now, if it goes on as it did.
    Draining(Duration),
    Steady,
    Growing,
}

impl Trend {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Draining(_) => "draining",
            Self::Steady => "steady",
            Self::Growing => "growing",
        }
    }

    pub(crate) const fn zero_in(self) -> Option<Duration> {
        match self {
            Self::Draining(zero_in) => Some(zero_in),
            Self::Steady | Self::Growing => None,
        }
    }
}

impl History {
    pub(crate) fn add(&mut self, sample: Sample) {
        if self.0.len() == KEPT {
            self.0.remove(0);
        }
        self.0.push(sample);
    }

    /// Whether there is one alone, of which no rate follows.
    pub(crate) const fn is_first(&self) -> bool {
        self.0.len() == 1
    }

    pub(crate) fn newest(&self) -> Option<&Sample> {
        self.0.last()
    }

    /// Records a second that were written to a topic of late; `None` where that cannot be said.
    pub(crate) fn rate(&self, topic: Topic) -> Option<f64> {
        rate(self.window(), topic)
    }

    /// The same of each of its partitions.
    pub(crate) fn rate_of_each(&self, topic: Topic) -> Vec<f64> {
        let partitions = self.partitions(topic).unwrap_or(0);
        let of_one = |partition: usize| {
            rate_of(self.window(), topic, |logs| logs.get(partition).map_or(&[][..], std::slice::from_ref))
        };
        (0..partitions).map_while(of_one).collect()
    }

    /// The same from sample to sample, for as long as they are kept.
    pub(crate) fn rates(&self, topic: Topic) -> Vec<f64> {
        self.0.windows(2).map(|pair| rate(pair, topic).unwrap_or_default()).collect()
    }

    /// The records that stand in a topic; `None` where it is not there.
    pub(crate) fn records(&self, topic: Topic) -> Option<u64> {
        let logs = self.newest()?.logs.get(topic.as_str())?;
        Some(logs.iter().flatten().map(|log| u64::try_from(log.end - log.start).unwrap_or(0)).sum())
    }

    pub(crate) fn partitions(&self, topic: Topic) -> Option<usize> {
        Some(self.newest()?.logs.get(topic.as_str())?.len())
    }

    pub(crate) fn standing(&self, group: &Group) -> Standing {
        let partitions = self.newest().map(|sample| parts(sample, group)).unwrap_or_default();
        Standing {
            in_per_s: self.rate(group.topic),
            lag: self.newest().and_then(|sample| total(sample, group)),
            trend: self.trend(group),
            dead_letters: group.dead_letters.and_then(|topic| self.records(topic)),
            dead_letters_per_s: group.dead_letters.and_then(|topic| self.rate(topic)),
            members: self.newest().and_then(|sample| sample.members_of(&group.name)),
            partitions,
        }
    }

    /// Where the lag goes, by what it was at both ends of the window.
    fn trend(&self, group: &Group) -> Option<Trend> {
        let samples = self.window();
        // What a topic held before it was made anew says nothing of what it holds now.
        let begin = samples.windows(2).rposition(|pair| is_remade(&pair[0], &pair[1], group.topic));
        let samples = &samples[begin.map_or(0, |index| index + 1)..];
        let (first, last) = (samples.first()?, samples.last()?);
        let (before, now) = (total(first, group)? as f64, total(last, group)? as f64);
        let elapsed = seconds(first, last)?;
        let change = now - before;
        // What comes within a second is always under way: fetched, and not yet committed.
        let under_way = rate(samples, group.topic)?;
        Some(match change {
            _ if now == 0.0 || change.abs() <= under_way => Trend::Steady,
            drained if drained < 0.0 => {
                Trend::Draining(Duration::try_from_secs_f64(now * elapsed / -drained).unwrap_or(Duration::MAX))
            }
            _ => Trend::Growing,
        })
    }

    fn window(&self) -> &[Sample] {
        let Some(newest) = self.newest() else { return &[] };
        let is_late = |sample: &Sample| newest.at.saturating_sub(sample.at) <= WINDOW;
        let begin = self.0.partition_point(|sample| !is_late(sample));
        &self.0[begin.min(self.0.len().saturating_sub(2))..]
    }
}

/// Records a second from the first of the samples to the last.
fn rate(samples: &[Sample], topic: Topic) -> Option<f64> {
    rate_of(samples, topic, |logs| logs)
}

/// The same of some of its partitions.
fn rate_of(samples: &[Sample], topic: Topic, of: impl Fn(&[Log]) -> &[Log]) -> Option<f64> {
    let (mut records, mut elapsed) = (0, 0.0);
    for pair in samples.windows(2) {
        let logs = |sample: &'_ Sample| sample.logs.get(topic.as_str()).map(|logs| of(logs).to_vec());
        // Where the topic was not there, or time stood still, nothing is known of what was written.
        if let (Some(before), Some(now), Some(time)) = (logs(&pair[0]), logs(&pair[1]), seconds(&pair[0], &pair[1])) {
            records += written(&before, &now);
            elapsed += time;
        }
    }
    (elapsed > 0.0).then(|| records as f64 / elapsed)
}

/// The time between two samples; `None` where there is none.
fn seconds(before: &Sample, now: &Sample) -> Option<f64> {
    let elapsed = now.at.saturating_sub(before.at).as_secs_f64();
    (elapsed > 0.0).then_some(elapsed)
}

/// The records that were written between two looks at the logs of a topic.
fn written(before: &[Log], now: &[Log]) -> u64 {
    let of_one = |(partition, log): (usize, &Log)| {
        let end = log.as_ref()?.end;
        let before = match before.get(partition) {
            Some(None) => return None, // without a leader nothing is written
            Some(Some(before)) if before.end <= end => before.end,
            // A log that was made anew, or is new, begins at 0.
            Some(Some(_)) | None => 0,
        };
        u64::try_from(end - before).ok()
    };
    now.iter().enumerate().filter_map(of_one).sum()
}

fn is_remade(before: &Sample, now: &Sample, topic: Topic) -> bool {
    let logs = |sample: &'_ Sample| sample.logs.get(topic.as_str()).cloned().unwrap_or_default();
    let (before, now) = (logs(before), logs(now));
    before.iter().flatten().zip(now.iter().flatten()).any(|(before, now)| now.end < before.end)
        || before.is_empty() != now.is_empty()
}

/// How a group stands on each partition of its topic; without offsets where the user may not see them.
fn parts(sample: &Sample, group: &Group) -> Vec<Part> {
    let logs = sample.logs.get(group.topic.as_str()).map_or(&[][..], Vec::as_slice);
    let committed = sample.committed.get(&group.name);
    let part = |(partition, log): (usize, &Log)| {
        let span = log.as_ref().map(|log| Span {
            topic: group.topic,
            partition: partition as i32,
            from: log.start,
            to: log.end,
        });
        Part {
            log: log.clone(),
            committed: committed.and_then(|committed| committed.get(partition).copied().flatten()),
            lag: committed.and_then(|committed| Some(lag(&span?, committed))),
        }
    };
    logs.iter().enumerate().map(part).collect()
}

/// The records that a group is not done with; `None` where its topic is not there, or the user may not see the group.
pub(super) fn total(sample: &Sample, group: &Group) -> Option<u64> {
    sample.logs.get(group.topic.as_str())?;
    sample.committed.get(&group.name)?;
    Some(parts(sample, group).iter().filter_map(|part| part.lag).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: Topic = Topic::new("orders");

    fn group() -> Group {
        Group { name: "s.orders".into(), service: "s".into(), topic: ORDERS, dead_letters: Some(Topic::new("dead")) }
    }

    /// At a second, the logs of the topic, and what the group has committed of each partition.
    fn at(second: u64, logs: &[(i64, i64)], committed: &[Option<i64>]) -> Sample {
        Sample {
            at: Duration::from_secs(second),
            brokers: 1,
            logs: [("orders".to_owned(), logs.iter().map(|&(start, end)| Some(start..end)).collect())].into(),
            committed: [("s.orders".to_owned(), committed.to_vec())].into(),
            members: None,
            refusal: None,
        }
    }

    fn history(samples: impl IntoIterator<Item = Sample>) -> History {
        let mut history = History::default();
        samples.into_iter().for_each(|sample| history.add(sample));
        history
    }

    fn trend(samples: impl IntoIterator<Item = Sample>) -> Option<Trend> {
        history(samples).standing(&group()).trend
    }

    #[test]
    fn a_rate_is_what_was_written_to_all_partitions_in_the_last_ten_seconds() {
        let samples =
            [at(0, &[(0, 0), (0, 0)], &[]), at(5, &[(0, 500), (0, 0)], &[]), at(10, &[(0, 510), (0, 10)], &[])];
        assert_eq!(history(samples.clone()).rate(ORDERS), Some(52.0));
        assert_eq!(history(samples.clone()).rates(ORDERS), [100.0, 4.0]);
        assert_eq!(history(samples.clone()).rate_of_each(ORDERS), [51.0, 1.0]);
        let later = at(15, &[(0, 515), (0, 15)], &[]);
        assert_eq!(history(samples.into_iter().chain([later])).rate(ORDERS), Some(3.0));
    }

    #[test]
    fn two_samples_are_enough_however_far_apart_and_one_is_not() {
        assert_eq!(history([at(0, &[(0, 0)], &[]), at(60, &[(0, 120)], &[])]).rate(ORDERS), Some(2.0));
        assert_eq!(history([at(0, &[(0, 0)], &[])]).rate(ORDERS), None);
        assert_eq!(history([]).rate(ORDERS), None);
        assert_eq!(trend([at(0, &[(0, 7)], &[])]), None);
    }

    #[test]
    fn where_the_clock_stands_still_there_is_no_rate_and_no_trend() {
        let samples = [at(3, &[(0, 0)], &[Some(0)]), at(3, &[(0, 9)], &[Some(0)])];
        assert_eq!(history(samples.clone()).rate(ORDERS), None);
        assert_eq!(trend(samples), None);
    }

    #[test]
    fn a_topic_that_was_emptied_holds_nothing_and_nothing_was_written() {
        let history = history([at(0, &[(0, 100)], &[None]), at(2, &[(100, 100)], &[None])]);
        assert_eq!((history.rate(ORDERS), history.records(ORDERS)), (Some(0.0), Some(0)));
        assert_eq!((history.standing(&group()).lag, history.standing(&group()).trend), (Some(0), Some(Trend::Steady)));
    }

    #[test]
    fn a_topic_that_was_made_anew_counts_from_its_beginning_and_its_past_is_no_trend() {
        let remade = [at(0, &[(0, 1_000)], &[Some(0)]), at(2, &[(0, 8)], &[None])];
        assert_eq!(history(remade.clone()).rate(ORDERS), Some(4.0));
        assert_eq!(trend(remade.clone()), None);
        let onwards = remade.into_iter().chain([at(4, &[(0, 8)], &[Some(4)])]);
        assert_eq!(trend(onwards), Some(Trend::Draining(Duration::from_secs(2))));
    }

    #[test]
    fn a_partition_that_is_new_counts_and_one_without_a_leader_does_not() {
        let mut samples = [at(0, &[(0, 10)], &[]), at(1, &[(0, 10), (0, 5)], &[]), at(2, &[(0, 10), (0, 5)], &[])];
        assert_eq!(history(samples.clone()).rate(ORDERS), Some(2.5));
        samples[2].logs.insert("orders".into(), vec![Some(0..20), None]);
        let history = history(samples);
        assert_eq!((history.rate(ORDERS), history.records(ORDERS)), (Some(7.5), Some(20)));
        assert_eq!(history.standing(&group()).partitions[1], Part { log: None, committed: None, lag: None });
    }

    #[test]
    fn a_topic_that_is_not_there_has_neither_rate_nor_lag_and_one_that_comes_has_both() {
        let absent = Sample { at: Duration::from_secs(1), ..Sample::default() };
        let history = history([absent.clone(), Sample { at: Duration::from_secs(2), ..absent }]);
        let standing = history.standing(&group());
        assert_eq!((standing.in_per_s, standing.lag, standing.trend), (None, None, None));
        assert_eq!((standing.dead_letters, history.partitions(ORDERS)), (None, None));
    }

    #[test]
    fn a_group_without_offsets_lags_by_all_that_stands() {
        let standing = history([at(0, &[(5, 25), (0, 10)], &[None, Some(4)])]).standing(&group());
        assert_eq!(standing.lag, Some(26));
        assert_eq!(standing.partitions[0], Part { log: Some(5..25), committed: None, lag: Some(20) });
        assert_eq!(standing.partitions[1], Part { log: Some(0..10), committed: Some(4), lag: Some(6) });
        assert_eq!(history([at(0, &[(0, 3)], &[])]).standing(&group()).lag, Some(3));
    }

    #[test]
    fn how_far_a_group_that_the_user_may_not_see_is_behind_is_not_known() {
        let hidden = Sample { committed: [].into(), ..at(0, &[(0, 3)], &[]) };
        let standing = history([hidden]).standing(&group());
        assert_eq!(standing.lag, None);
        assert_eq!(standing.partitions, [Part { log: Some(0..3), committed: None, lag: None }]);
    }

    #[test]
    fn a_lag_drains_stays_or_grows() {
        let check = |before: i64, now: i64, expected| {
            let samples = [at(0, &[(0, 1_000)], &[Some(1_000 - before)]), at(10, &[(0, 1_000)], &[Some(1_000 - now)])];
            assert_eq!(trend(samples), Some(expected), "from {before} to {now}");
        };
        check(0, 0, Trend::Steady);
        check(700, 700, Trend::Steady);
        check(700, 0, Trend::Steady);
        check(700, 600, Trend::Draining(Duration::from_secs(60)));
        check(2, 1, Trend::Draining(Duration::from_secs(10)));
        check(700, 900, Trend::Growing);
    }

    #[test]
    fn what_comes_within_a_second_is_under_way_and_no_trend() {
        // 100 records a second come, and the group is done with all but the last.
        let check = |lag: i64, expected| {
            let samples = [at(0, &[(0, 0)], &[Some(0)]), at(10, &[(0, 1_000)], &[Some(1_000 - lag)])];
            assert_eq!(trend(samples), Some(expected), "{lag}");
        };
        check(100, Trend::Steady);
        check(101, Trend::Growing);
    }

    #[test]
    fn dead_letters_are_those_that_stand_and_their_rate_those_that_came() {
        let with = |second, log: std::ops::Range<i64>| {
            let mut sample = at(second, &[(0, 0)], &[]);
            sample.logs.insert("dead".into(), vec![Some(log)]);
            sample
        };
        let standing = history([with(0, 2..5), with(2, 2..6)]).standing(&group());
        assert_eq!((standing.dead_letters, standing.dead_letters_per_s), (Some(4), Some(0.5)));
    }

    #[test]
    fn members_are_those_that_the_brokers_name_and_unknown_where_they_cannot_say() {
        let mut sample = at(0, &[(0, 0)], &[]);
        let members = |sample: &Sample| history([sample.clone()]).standing(&group()).members;
        assert_eq!(members(&sample), None);
        sample.members = Some([].into());
        assert_eq!(members(&sample), Some(0));
        sample.members = Some([("s.orders".to_owned(), 3)].into());
        assert_eq!(members(&sample), Some(3));
        (sample.refusal, sample.committed) = (Some("may not DESCRIBE".into()), [].into());
        assert_eq!(members(&sample), None);
    }

    #[test]
    fn no_more_samples_are_kept_than_are_drawn() {
        let history = history((0..500).map(|second| at(second, &[(0, 0)], &[])));
        assert_eq!((history.0.len(), history.rates(ORDERS).len()), (KEPT, KEPT - 1));
    }
}
