use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use events::Topic;
use kafka_transport::{Span, TopicReader};
use messaging::RUN;

use super::{BATCH, WAIT};
use crate::Error;

/// How far the clocks of those who write records may be apart.
const CLOCKS_APART: Duration = Duration::from_secs(300);

/// Which runs are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// The one of this id.
    Named(String),
    /// The one whose order came last.
    Newest,
    /// Those that began at this time, in milliseconds since 1970, or later.
    Since(i64),
}

impl Which {
    pub(crate) fn of(run: Option<&str>, since: Option<SystemTime>) -> Self {
        let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        match (run, since) {
            (Some(run), _) => Self::Named(run.to_owned()),
            (None, Some(since)) => Self::Since(since.duration_since(UNIX_EPOCH).map_or(0, ms)),
            (None, None) => Self::Newest,
        }
    }

    /// The ids of the runs, in the order in which they began: looked for where orders enter, `limit` of them at most.
    ///
    /// # Errors
    /// Where there is none, there are too many, or the topics cannot be read.
    pub(crate) fn find(&self, reader: &mut TopicReader, entries: &[Topic], limit: u64) -> Result<Vec<String>, Error> {
        let names = || entries.iter().map(|topic| topic.as_str()).collect::<Vec<_>>().join(", ");
        let found = match self {
            Self::Named(run) => vec![run.clone()],
            Self::Newest => newest(reader, entries)?.into_iter().collect(),
            &Self::Since(since_ms) => began_since(reader, entries, since_ms, limit)?,
        };
        if !found.is_empty() {
            return Ok(found);
        }
        Err(Error::Failed(match self {
            Self::Since(_) => {
                format!("no run has begun since then: no such order with the header `{RUN}` in {}", names())
            }
            _ => format!("no run found: no order with the header `{RUN}` in {}", names()),
        }))
    }

    /// The parts of topics in which the runs' records stand.
    ///
    /// # Errors
    /// Where the brokers do not answer or refuse.
    pub(crate) fn parts(&self, reader: &TopicReader, spans: Vec<Span>) -> Result<Vec<Span>, Error> {
        match self {
            Self::Named(_) | Self::Newest => Ok(spans),
            Self::Since(since_ms) => Ok(reader.since(spans, (since_ms - CLOCKS_APART.as_millis() as i64).max(0))?),
        }
    }
}

/// The run of the record with the newest time.
fn newest(reader: &mut TopicReader, entries: &[Topic]) -> Result<Option<String>, Error> {
    let mut newest: Option<(i64, String)> = None;
    each_order(reader, entries, |run, at_ms| match &mut newest {
        Some((newest_ms, _)) if at_ms < *newest_ms => {}
        Some((newest_ms, name)) if name == run => *newest_ms = at_ms,
        _ => newest = Some((at_ms, run.to_owned())),
    })?;
    Ok(newest.map(|(_, run)| run))
}

fn began_since(reader: &mut TopicReader, entries: &[Topic], since_ms: i64, limit: u64) -> Result<Vec<String>, Error> {
    let mut began_ms: BTreeMap<String, i64> = BTreeMap::new();
    each_order(reader, entries, |run, at_ms| {
        if let Some(first_ms) = began_ms.get_mut(run) {
            *first_ms = at_ms.min(*first_ms);
        } else if began_ms.len() as u64 <= limit {
            // One more than allowed is enough to refuse them.
            began_ms.insert(run.to_owned(), at_ms);
        }
    })?;
    if began_ms.len() as u64 > limit {
        return Err(Error::Failed(format!("more than {limit} runs: name one with --run, or raise --max-orders")));
    }
    let mut since: Vec<(i64, String)> =
        began_ms.into_iter().map(|(run, at_ms)| (at_ms, run)).filter(|(at_ms, _)| *at_ms >= since_ms).collect();
    since.sort_unstable();
    Ok(since.into_iter().map(|(_, run)| run).collect())
}

/// Shows the run and the time of each record that takes an order in.
fn each_order(reader: &mut TopicReader, entries: &[Topic], mut each: impl FnMut(&str, i64)) -> Result<(), Error> {
    let spans = reader.spans(entries.iter().copied())?;
    reader.begin(&spans)?;
    while !reader.is_done() {
        reader.read(WAIT, BATCH, |record, at_ms| {
            if let Some(run) = record.headers.last(RUN).and_then(|run| std::str::from_utf8(run).ok()) {
                each(run, at_ms);
            }
        })?;
    }
    Ok(())
}
