//! Orders that end in a table: what stands in their topic and what stands there, compared. Whoever wrote them, and in whatever run.

use std::collections::BTreeMap;

use ::topology::Topology;
use food_orders::{Comparison, FoodFlow};
use kafka_transport::{Span, TopicReader};
use messaging::audit::Drained;
use messaging::store::OrderTable;
use serde_json::json;

use super::conclusion::tell_redelivered;
use super::groups::{Groups, Reached};
use super::{Args, Flow};
use crate::business::{Business, read_table};
use crate::report::{Report, row};
use crate::resources::Meter;
use crate::{Error, Format, Status, counted, grouped, print, tell};

/// Waits until the group is done with what stands in the topic, reads topic and table, judges, prints.
///
/// # Errors
/// Where an option is none of this audit's, or brokers or database do not answer or refuse.
pub(super) fn execute(
    args: &Args,
    topology: &Topology,
    business: &dyn Business,
    table: &dyn OrderTable,
) -> Result<Status, Error> {
    let of_runs =
        [("--run", args.run.is_some()), ("--since", args.since.is_some()), ("--orders", args.orders.is_some())];
    if let Some((option, _)) = of_runs.iter().find(|(_, is_given)| *is_given) {
        let name = business.name();
        return Err(Error::Usage(format!("{option}: not for {name}, whose whole topic is held beside the table")));
    }
    let meter = Meter::start();
    let connection = args.brokers.connection()?;
    let flow = Flow::new(topology, business);
    let mut reader = TopicReader::connect(&connection)?;
    let groups = Groups::connect(&connection, &reader, &flow)?;
    let entries = flow.entries();
    // Orders may go on being placed: what stands now is waited for, and nothing that comes.
    let spans = reader.spans(entries.iter().copied())?;
    let reached = groups.reach(&spans, args.wait)?;
    let mut comparison = Comparison::default();
    let mut records = 0;
    let check = |comparison: &Comparison| match comparison.orders() as u64 > args.max_orders {
        true => Err(Error::Failed(format!("more than {} orders: raise --max-orders", args.max_orders))),
        false => Ok(()),
    };
    spans.iter().filter(|span| span.from > 0).for_each(|span| comparison.shortened(span.partition));
    reader.read_all(&spans, |record, _| {
        records += 1;
        comparison.record(record.partition, record.value);
        check(&comparison)
    })?;
    read_table(table, |row| {
        comparison.row(row);
        check(&comparison)
    })?;
    // The record of a row was written before the row.
    let ends = reader.spans(entries.iter().copied())?;
    let later: Vec<Span> = spans.iter().zip(ends).map(|(read, now)| Span { from: read.to, ..now }).collect();
    reader.read_all(&later, |record, _| {
        comparison.later(record.value);
        Ok::<_, Error>(())
    })?;
    let verdict = comparison.verdict(if reached.is_drained() { Drained::Yes } else { Drained::No });
    let is_redelivered = args.no_redeliveries && verdict.redelivered > 0;
    let passed = verdict.passed() && reached.is_drained() && !is_redelivered;
    let tally = BTreeMap::from([(FoodFlow::ENDED, verdict.ended)]);
    let records: Vec<_> = entries.into_iter().map(|topic| (topic, records)).collect();
    let report = Report { business, verdict: &verdict, tally: &tally, records: &records };
    let judged = Judged { report, comparison: &comparison, reached: &reached, peak_rss_mib: meter.read().peak_rss_mib };
    print(&match args.format {
        Format::Json => judged.json(passed),
        Format::Text => judged.text(topology, passed),
    })?;
    if !reached.is_drained() {
        tell(&format!("error: not as far as its topic was when the audit began: {}", reached.behind()));
    }
    if is_redelivered {
        tell_redelivered(verdict.redelivered);
    }
    Ok(if passed { Status::Holds } else { Status::Fails })
}

struct Judged<'a> {
    report: Report<'a>,
    comparison: &'a Comparison,
    reached: &'a Reached,
    peak_rss_mib: u64,
}

impl Judged<'_> {
    fn json(&self, passed: bool) -> String {
        let mut document = self.report.document();
        document["audit"]["passed"] = json!(passed);
        document["skipped"] = json!(self.comparison.invalid());
        document["lag"] = self.reached.lag_by_group();
        document["peak_rss_mib"] = json!(self.peak_rss_mib);
        format!("{document:#}\n")
    }

    fn text(&self, topology: &Topology, passed: bool) -> String {
        let mut text = self.report.tables(topology);
        let invalid = self.comparison.invalid();
        let reasons: Vec<String> =
            invalid.iter().map(|(field, records)| format!("{field} {}", grouped(*records))).collect();
        let reasons = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join(", ")) };
        row(&mut text, format_args!("  skipped      {}{reasons}", counted(invalid.values().sum(), "record")));
        row(&mut text, format_args!("  lag          {}", counted(self.reached.lag(), "record")));
        row(&mut text, format_args!("  memory       {} MiB at most", self.peak_rss_mib));
        self.report.digest(&mut text);
        self.report.verdict(&mut text, passed);
        text
    }
}
