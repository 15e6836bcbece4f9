use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use events::Topic;
use messaging::{Answer, Follows, Outgoing, Record, Subscription, TraceContext};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use topology::Topology;

use crate::exporter::Exporter;
use crate::queue::Queue;
use crate::span::{Did, Failure, FailureKind};
use crate::{Settings, Span};

/// As much of a key or a reason as is told.
const MAX_TEXT_CHARS: usize = 256;

/// Spans of a process, from their beginning until they are exported or dropped. A clone speaks of the same.
#[derive(Clone)]
pub struct Traces(Arc<Inner>);

struct Inner {
    settings: Settings,
    seed: u64,
    begun: AtomicU64,
    /// Who writes a topic first of all: the service of what enters there.
    writers: BTreeMap<&'static str, Arc<str>>,
    queue: Arc<Queue>,
    outcomes: Outcomes,
}

/// What became of spans.
#[derive(Clone)]
pub(crate) struct Outcomes {
    family: Family<[(&'static str, &'static str); 1], Counter>,
    pub(crate) exported: Counter,
    pub(crate) dropped: Counter,
}

impl Outcomes {
    fn new() -> Self {
        let family = Family::<[(&'static str, &'static str); 1], Counter>::default();
        let of = |outcome| family.get_or_create_owned(&[("outcome", outcome)]);
        let (exported, dropped) = (of("exported"), of("dropped"));
        Self { family, exported, dropped }
    }
}

impl Traces {
    /// Begins to export, on a thread of its own. Span ids are drawn from `seed`: two processes must not have the same.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(settings: Settings, topology: &Topology, seed: u64) -> std::io::Result<Self> {
        let (queue, outcomes) = (Arc::<Queue>::default(), Outcomes::new());
        let exporter = Exporter::new(settings.url.clone(), Arc::clone(&queue), outcomes.clone(), seed);
        std::thread::Builder::new().name("otlp".into()).spawn(move || exporter.run())?;
        let mut writers = BTreeMap::new();
        for service in topology.services() {
            for topic in &service.produces {
                let writer = || Arc::from(service.name.as_str());
                writers.entry(Topic::named(topic).as_str()).or_insert_with(writer);
            }
        }
        Ok(Self(Arc::new(Inner { settings, seed, begun: AtomicU64::new(0), writers, queue, outcomes })))
    }

    /// Counts what becomes of spans in a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "orderflow_trace_spans",
            "Spans by what became of them: exported, or dropped because the endpoint did not take them or too many waited",
            self.0.outcomes.family.clone(),
        );
    }

    /// The span of a record that a group has answered: `follows` as what follows from it has to have it, and the span, for [`Traces::end`]. There is
    /// none where nobody keeps this trace, and what follows is as it was then.
    pub fn answered<'a>(
        &self,
        group: &Arc<Subscription>,
        record: &Record<'a>,
        follows: Follows<'a>,
        answer: &Answer,
        begins: SystemTime,
    ) -> (Follows<'a>, Option<Span>) {
        let own = self.next_id();
        let context = match follows.span {
            Some(parent) => Some(parent.with_span(own)).filter(|context| context.is_sampled()),
            None => {
                let Record { topic, partition, offset, key, .. } = record;
                let place = || Cow::Owned(format!("{topic}-{partition}@{offset}").into_bytes());
                let key = key.map_or_else(place, Cow::Borrowed);
                self.beginning(TraceContext::of_order(follows.run, &key, own))
            }
        };
        let Some(context) = context else { return (follows, None) };
        let failure = match answer {
            Answer::Handled => None,
            Answer::Rejected(reason) if group.dead_letter.is_none() => Some((FailureKind::Skipped, reason)),
            Answer::Rejected(reason) => Some((FailureKind::DeadLettered, reason)),
            Answer::Retried(reason) => Some((FailureKind::Retried, reason)),
        };
        let Record { partition, offset, .. } = *record;
        let is_tombstone = record.value.is_none();
        let span = Span {
            context,
            parent: follows.span.map(TraceContext::span_id),
            did: Did::Process { group: Arc::clone(group), partition, offset, is_tombstone },
            key: record.key.map(text),
            event_id: follows.cause.map(text),
            begins,
            ends: begins,
            failure: failure.map(|(kind, reason)| Failure { kind, reason: text(reason.as_bytes()) }),
        };
        (Follows { span: Some(context), ..follows }, Some(span))
    }

    /// Tells spans of records whose batch has come to its end now: all that follows from them is confirmed, or it `failed` for this reason, and
    /// they come again.
    pub fn end(&self, mut spans: Vec<Span>, ends: SystemTime, failed: Option<&str>) {
        for span in &mut spans {
            span.ends = ends.max(span.begins); // a clock may be set back
            let is_retried = span.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::Retried);
            if let Some(reason) = failed
                && !is_retried
            {
                let (kind, reason) = (FailureKind::NotConfirmed, text(reason.as_bytes()));
                span.failure = Some(Failure { kind, reason });
            }
        }
        self.tell(spans);
    }

    /// Tells a span of a record that follows from no record and is written now, by whoever writes its topic; with `follows` as that record has to
    /// have it.
    pub fn entered<'a>(&self, record: &Outgoing, follows: Follows<'a>, now: SystemTime) -> Follows<'a> {
        let context = TraceContext::of_order(follows.run, &record.key, self.next_id());
        let Some(context) = self.beginning(context) else { return follows };
        let topic = record.topic;
        let service = self.0.writers.get(topic.as_str()).map_or_else(|| Arc::from("orderflow"), Arc::clone);
        self.tell(vec![Span {
            context,
            parent: None,
            did: Did::Send { service, topic },
            key: Some(text(&record.key)),
            event_id: Some(record.event_id.to_string()),
            begins: now,
            ends: now,
            failure: None,
        }]);
        Follows { span: Some(context), ..follows }
    }

    /// Waits until what was told is exported or dropped; no longer than `within`, and not for an endpoint that is away. For who is stopped or
    /// frozen next.
    pub fn flush(&self, within: Duration) {
        let open = self.0.queue.flush(within);
        if open > 0 {
            let status = "spans_left";
            tracing::debug!(order_id = "", event_type = "", service = "", status, open, "spans are not exported yet");
        }
    }

    /// A trace that begins here, where it is one of those that are kept.
    fn beginning(&self, context: TraceContext) -> Option<TraceContext> {
        self.0.settings.keeps(context).then_some(context)
    }

    fn tell(&self, spans: Vec<Span>) {
        if !spans.is_empty() {
            let dropped = self.0.queue.put(spans);
            self.0.outcomes.dropped.inc_by(dropped as u64);
        }
    }

    /// SplitMix64: a process never has an id twice, and another seed has other ids.
    fn next_id(&self) -> NonZeroU64 {
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
        let n = self.0.begun.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let mut id = self.0.seed.wrapping_add(n.wrapping_mul(GOLDEN));
        id = (id ^ id >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        id = (id ^ id >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        NonZeroU64::new(id ^ id >> 31).unwrap_or(NonZeroU64::MIN)
    }
}

/// [`Traces::entered`] where there are traces; else `follows` as it is, and nobody asks for the time.
pub fn entered<'a>(
    traces: Option<&Traces>,
    record: &Outgoing,
    follows: Follows<'a>,
    now: fn() -> SystemTime,
) -> Follows<'a> {
    traces.map_or(follows, |traces| traces.entered(record, follows, now()))
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "traces to {}", self.0.settings.url)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Bytes as text, shortened.
fn text(bytes: &[u8]) -> String {
    // Four bytes a character at most: what is behind them is not looked at.
    let bytes = &bytes[..bytes.len().min(4 * MAX_TEXT_CHARS)];
    String::from_utf8_lossy(bytes).chars().take(MAX_TEXT_CHARS).collect()
}
