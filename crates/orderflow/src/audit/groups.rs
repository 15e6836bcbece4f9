use std::thread;
use std::time::{Duration, Instant};

use events::Topic;
use kafka_transport::{Connection, GroupOffsets, Span, TopicReader};
use serde_json::{Value, json};

use super::Flow;
use crate::{Error, counted, tell};

/// How often the groups are asked while they are waited for, and how often a person is told.
const ASK_EVERY: Duration = Duration::from_millis(200);
const TELL_EVERY: Duration = Duration::from_secs(5);

/// The consumer groups of a flow, looked at from outside.
pub(crate) struct Groups {
    groups: Vec<(Group, GroupOffsets)>,
    topics: Vec<Topic>,
}

#[derive(Clone)]
struct Group {
    name: String,
    topic: Topic,
    partitions: u32,
}

/// How far everything was when it was last looked at.
pub(crate) struct Reached {
    /// What stood in the topics after the groups were asked: whatever they had handled by then shows. Or what was to be reached.
    pub(crate) spans: Vec<Span>,
    pub(crate) groups: Vec<Progress>,
    /// Whether no timer has anything more to say.
    is_at_rest: bool,
}

/// How far a group was.
pub(crate) struct Progress {
    pub(crate) group: String,
    pub(crate) topic: Topic,
    /// The first offset of each partition that it was not done with; `None` where it has committed none.
    committed: Vec<Option<i64>>,
    /// The records that it was not done with.
    pub(crate) lag: u64,
}

impl Groups {
    pub(crate) fn connect(connection: &Connection, reader: &TopicReader, flow: &Flow) -> Result<Self, Error> {
        let connect = |subscription: &messaging::Subscription| {
            let (name, topic) = (subscription.group.clone(), subscription.topic);
            let partitions = reader.spans([topic])?.len() as u32;
            let offsets = GroupOffsets::of(connection, &name)?;
            Ok((Group { name, topic, partitions }, offsets))
        };
        let groups = flow.subscriptions.iter().map(connect).collect::<Result<_, Error>>()?;
        Ok(Self { groups, topics: flow.topics.clone() })
    }

    /// Waits until each group is done with its topic and nothing more is awaited, up to `limit`.
    pub(crate) fn wait(
        &self,
        reader: &TopicReader,
        limit: Duration,
        is_at_rest: impl Fn() -> Result<bool, Error>,
    ) -> Result<Reached, Error> {
        self.wait_for(|| Ok(reader.spans(self.topics.iter().copied())?), limit, is_at_rest)
    }

    /// Waits until each group is done with these parts of its topic, up to `limit`: what is written from now on is not waited for.
    pub(crate) fn reach(&self, spans: &[Span], limit: Duration) -> Result<Reached, Error> {
        self.wait_for(|| Ok(spans.to_vec()), limit, || Ok(true))
    }

    fn wait_for(
        &self,
        spans: impl Fn() -> Result<Vec<Span>, Error>,
        limit: Duration,
        is_at_rest: impl Fn() -> Result<bool, Error>,
    ) -> Result<Reached, Error> {
        let started = Instant::now();
        let mut told = started;
        loop {
            // Asked first: what a timer says from then on stands in the topics that are looked at.
            let is_at_rest = is_at_rest()?;
            let reached = Reached { is_at_rest, ..self.look(&spans)? };
            let waited = started.elapsed();
            if reached.is_drained() || waited >= limit {
                return Ok(reached);
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                tell(&format!("waiting for {}", reached.behind()));
            }
            thread::sleep(ASK_EVERY.min(limit - waited));
        }
    }

    /// The groups first: what they write stands before they commit, so that a group that is at the end of its topic has
    /// nothing more to come from what stood there.
    fn look(&self, spans: &impl Fn() -> Result<Vec<Span>, Error>) -> Result<Reached, Error> {
        let committed = |(group, offsets): &(Group, GroupOffsets)| {
            Ok((group.clone(), offsets.committed(group.topic.as_str(), group.partitions)?))
        };
        let committed = self.groups.iter().map(committed).collect::<Result<Vec<_>, Error>>()?;
        let spans = spans()?;
        let groups = committed.into_iter().map(|(Group { name, topic, .. }, committed)| {
            let lag = spans.iter().filter(|span| span.topic == topic).map(|span| lag(span, &committed)).sum();
            Progress { group: name, topic, committed, lag }
        });
        Ok(Reached { groups: groups.collect(), spans, is_at_rest: true })
    }
}

/// The records of a partition that a group is not done with.
pub(crate) fn lag(span: &Span, committed: &[Option<i64>]) -> u64 {
    let committed = committed.get(span.partition as usize).copied().flatten().unwrap_or(span.from);
    u64::try_from(span.to - committed.max(span.from)).unwrap_or(0)
}

impl Reached {
    pub(crate) fn is_drained(&self) -> bool {
        self.is_at_rest && self.groups.iter().all(|group| group.lag == 0)
    }

    /// The records that all groups together are not done with.
    pub(crate) fn lag(&self) -> u64 {
        self.groups.iter().map(|group| group.lag).sum()
    }

    /// The same for a program, group by group.
    pub(crate) fn lag_by_group(&self) -> Value {
        self.groups.iter().map(|group| (group.group.clone(), json!(group.lag))).collect()
    }

    /// Whether a group is done with a record.
    pub(crate) fn has_committed(&self, group: &str, partition: i32, offset: i64) -> bool {
        let group = self.groups.iter().find(|known| known.group == group);
        let committed = group.and_then(|group| *group.committed.get(partition as usize)?);
        committed.is_some_and(|committed| offset < committed)
    }

    /// The groups that lag, and by how much, in words.
    pub(crate) fn behind(&self) -> String {
        let behind = self.groups.iter().filter(|group| group.lag > 0);
        let words = |group: &Progress| format!("{} ({} of {})", group.group, counted(group.lag, "record"), group.topic);
        let timers = (!self.is_at_rest).then(|| "sagas that have not ended".to_owned());
        behind.map(words).chain(timers).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_lags_by_what_stands_and_is_not_committed() {
        let check = |committed: Option<i64>, from, to, expected| {
            let span = Span { topic: Topic::new("orders"), partition: 1, from, to };
            assert_eq!(lag(&span, &[Some(7), committed]), expected, "{committed:?} of {from}..{to}");
        };
        check(None, 0, 0, 0);
        check(None, 0, 5, 5);
        check(Some(3), 0, 5, 2);
        check(Some(5), 0, 5, 0);
        check(Some(3), 4, 9, 5); // what was deleted is missed by nobody
        check(Some(9), 0, 5, 0); // a topic that was made anew
    }
}
