use std::collections::BTreeMap;
use std::sync::Arc;

use events::Topic;
use hdrhistogram::Histogram;
use kafka_transport::{Span, TopicReader};
use messaging::audit::{self, Audit, Drained, Marks, OrderKey, Told, Verdict};
use messaging::{RUN, Record};

use super::groups::Reached;
use super::latency::Latency;
use super::order_file::OrderFile;
use super::runs::Which;
use super::{BATCH, Flow, WAIT};
use crate::Error;

/// Reads all topics once and keeps an audit for each run.
pub(crate) struct Judge<'a> {
    flow: &'a Flow,
    reached: &'a Reached,
    max_orders: u64,
    orders: Option<&'a mut OrderFile>,
    /// In the order in which the runs began.
    runs: Vec<Run>,
    /// Where each run stands among them.
    places: BTreeMap<String, usize>,
}

struct Run {
    id: String,
    audit: Audit<Arc<dyn audit::Flow>>,
    records: BTreeMap<Topic, u64>,
    latency: Latency,
}

/// What was found of a run.
pub(crate) struct JudgedRun {
    pub(crate) run: String,
    pub(crate) verdict: Verdict,
    pub(crate) tally: BTreeMap<Marks, u64>,
    pub(crate) records: Vec<(Topic, u64)>,
    /// From an order's first record to its last, in milliseconds.
    pub(crate) latency_ms: Histogram<u64>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(
        flow: &'a Flow,
        runs: Vec<String>,
        reached: &'a Reached,
        max_orders: u64,
        orders: Option<&'a mut OrderFile>,
    ) -> Self {
        let places = runs.iter().cloned().zip(0..).collect();
        let begin = |id| Run {
            id,
            audit: Audit::new(Arc::clone(&flow.means), max_orders as usize),
            records: flow.topics.iter().map(|&topic| (topic, 0)).collect(),
            latency: Latency::default(),
        };
        Self { flow, reached, max_orders, orders, runs: runs.into_iter().map(begin).collect(), places }
    }

    /// Reads where orders enter first: the audit hears of an order before it hears of what follows. Then the dead letters: an
    /// order that was given up has no end, whatever else stands of it.
    ///
    /// # Errors
    /// Where the topics cannot be read, or there are more orders than there may be.
    pub(crate) fn read(&mut self, reader: &mut TopicReader, which: &Which) -> Result<(), Error> {
        let reading = &self.flow.reading;
        let rank = |span: &Span| match span.topic {
            topic if reading.takes_in(topic) => 0,
            topic if reading.is_dead_letter(topic) => 1,
            _ => 2,
        };
        for wanted in 0..=2 {
            let spans = self.reached.spans.iter().copied().filter(|span| rank(span) == wanted).collect();
            reader.begin(&which.parts(reader, spans)?)?;
            while !reader.is_done() {
                let mut result = Ok(());
                reader.read(WAIT, BATCH, |record, at_ms| {
                    if result.is_ok() {
                        result = self.take(record, at_ms);
                    }
                })?;
                result?;
                self.check_orders()?;
            }
        }
        Ok(())
    }

    fn take(&mut self, record: &Record<'_>, at_ms: i64) -> Result<(), Error> {
        let id = record.headers.last(RUN).and_then(|run| std::str::from_utf8(run).ok());
        let Some(&place) = id.and_then(|id| self.places.get(id)) else { return Ok(()) };
        let Run { audit, records, latency, .. } = &mut self.runs[place];
        // What became of a dead letter later is no record of its order.
        if !self.flow.reading.is_settlement(record) {
            *records.entry(record.topic).or_default() += 1;
            if let Some(order_id) = self.flow.means.order_id(record.topic, record.key, record.value) {
                latency.see(OrderKey::of(&order_id), at_ms);
            }
        }
        if let Some(orders) = self.orders.as_deref_mut().filter(|_| self.flow.reading.takes_in(record.topic)) {
            orders.add(record)?;
        }
        let mut result = Ok(());
        self.flow.reading.read(record, &mut |told| {
            let observation = match told {
                Told::Now(observation) => observation,
                Told::OnceCommitted(group, handled) => {
                    let has_committed = self.reached.has_committed(&group.group, record.partition, record.offset);
                    if !has_committed || audit.was_given_up(&group.group, record) {
                        return;
                    }
                    handled
                }
            };
            if let Err(error) = audit.observe(observation) {
                result = Err(refused(error));
            }
        });
        result
    }

    /// The limit is for all runs together; each audit knows its own orders only.
    fn check_orders(&self) -> Result<(), Error> {
        let accepted: u64 = self.runs.iter().map(|run| run.audit.accepted()).sum();
        if accepted > self.max_orders {
            return Err(refused(audit::Error::TooManyOrders(self.max_orders as usize)));
        }
        Ok(())
    }

    /// The verdicts.
    ///
    /// # Errors
    /// Where a run has no order: somebody named it, and it is not there.
    pub(crate) fn conclude(self) -> Result<Vec<JudgedRun>, Error> {
        let state = if self.reached.is_drained() { Drained::Yes } else { Drained::No };
        let judge = |Run { id, audit, records, latency }: Run| {
            if audit.accepted() == 0 {
                return Err(Error::Failed(format!("run {id}: none of its orders stands where orders enter")));
            }
            let (verdict, tally) = (audit.verdict(state), audit.tally());
            let (records, latency_ms) = (records.into_iter().collect(), latency.histogram()?);
            Ok(JudgedRun { run: id, verdict, tally, records, latency_ms })
        };
        self.runs.into_iter().map(judge).collect()
    }
}

fn refused(error: audit::Error) -> Error {
    Error::Failed(format!("{error}, or raise --max-orders"))
}
