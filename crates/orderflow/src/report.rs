//! What `run` and `audit` tell alike: outcomes, records by topic, the verdict.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ::topology::Topology;
use events::Topic;
use messaging::audit::{Marks, Verdict};
use serde_json::{Value, json};

use crate::business::{Business, Outcome};
use crate::page::{Column, Part, Row, Table};
use crate::share::Share;
use crate::{counted, grouped};

/// What an audit found of one run.
pub(crate) struct Report<'a> {
    pub(crate) business: &'a dyn Business,
    pub(crate) verdict: &'a Verdict,
    pub(crate) tally: &'a BTreeMap<Marks, u64>,
    /// Records by topic.
    pub(crate) records: &'a [(Topic, u64)],
}

impl Report<'_> {
    /// For a program: an object, to which its host adds what it knows beside.
    pub(crate) fn document(&self) -> Value {
        let Verdict { accepted, lost, doubled, redelivered, dead_lettered, unfinished, unexpected, digest, .. } =
            *self.verdict;
        let records: serde_json::Map<String, Value> =
            self.records.iter().map(|(topic, count)| (topic.to_string(), json!(count))).collect();
        let mut document = json!({
            "system": self.business.name(),
            "orders": { "accepted": accepted },
            "records": records,
            "digest": self.business.has_digest().then(|| format!("{digest:032x}")),
            "audit": {
                "passed": self.verdict.passed(),
                "lost": lost,
                "doubled": doubled,
                "redelivered": redelivered,
                "dead_lettered": dead_lettered,
                "unfinished": unfinished,
                "unexpected": unexpected,
            },
        });
        if let (Some(document), Value::Object(own)) = (document.as_object_mut(), self.business.document(self.tally)) {
            document.extend(own);
        }
        document
    }

    /// For a person: outcomes beside the shares that `topology.json` sets, and records by topic.
    pub(crate) fn tables(&self, topology: &Topology) -> String {
        let outcomes = self.shares();
        let is_configured = outcomes.iter().any(|outcome| outcome.configured.is_some());
        let configured = if is_configured { "   configured" } else { "" };
        let mut text = format!("  outcome                  orders     share{configured}\n");
        for outcome in outcomes {
            let configured =
                outcome.configured.map_or_else(String::new, |configured| format!("{:>10.1} %", 100.0 * configured));
            let (name, orders, share) = (outcome.name, grouped(outcome.count), 100.0 * outcome.share());
            row(&mut text, format_args!("  {name:<20}{orders:>11}{share:>8.1} %{configured}"));
        }
        text.push_str("\n  topic                                            records\n");
        for (topic, count) in self.topics(topology) {
            row(&mut text, format_args!("  {topic:<44}{:>12}", grouped(count)));
        }
        text.push('\n');
        text
    }

    /// The outcomes, of all orders that were accepted.
    pub(crate) fn shares(&self) -> Vec<Share> {
        let (of, given_up) = (self.verdict.accepted, self.verdict.dead_lettered);
        let share = |Outcome { name, orders, configured }| Share { name, count: orders, of, given_up, configured };
        self.business.outcomes(self.tally).into_iter().map(share).collect()
    }

    /// Records by topic; of dead letters those that there are.
    pub(crate) fn topics(&self, topology: &Topology) -> impl Iterator<Item = (Topic, u64)> {
        let is_dead_letter = |topic: Topic| topology.dead_letter_of(topic.as_str()).is_some();
        self.records.iter().copied().filter(move |&(topic, count)| count > 0 || !is_dead_letter(topic))
    }

    /// The verdict, as the last row: whether it holds is the host's word.
    pub(crate) fn verdict(&self, text: &mut String, holds: bool) {
        row(text, format_args!("\n{}", self.verdict.told(holds, self.business.given_up())));
    }

    /// The digest, as a row among the host's own.
    pub(crate) fn digest(&self, text: &mut String) {
        if self.business.has_digest() {
            row(text, format_args!("  digest       {:032x}", self.verdict.digest));
        }
    }
}

/// What an audit's document comes to, as a sentence. `given_up` is what became of orders that nothing further is expected of.
pub(crate) fn sentence(document: &Value, given_up: &str) -> String {
    let count = |pointer: &str| document.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let (accepted, gone) = (count("/orders/accepted"), count("/audit/dead_lettered"));
    let orders = counted(accepted, "accepted order");
    let faults =
        ["lost", "doubled", "unfinished", "unexpected"].map(|fault| (count(&format!("/audit/{fault}")), fault));
    let faults: Vec<String> = faults
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, fault)| format!("{} {fault}", grouped(*count)))
        .collect();
    if !faults.is_empty() {
        return format!("Of {orders} not every one came to exactly one end: {}.", faults.join(", "));
    }
    match gone {
        _ if accepted == 0 => "No order was taken in.".into(),
        0 => format!("Each of {orders} came to exactly one end: none was lost, none was doubled."),
        gone => format!(
            "Each of {orders} came to exactly one end, or was {given_up} ({}): none was lost, none was doubled.",
            grouped(gone)
        ),
    }
}

/// Outcomes as bars, with how to read them.
pub(crate) fn shares(shares: Vec<Share>) -> Vec<Part> {
    let text = "A bar is a share of the accepted orders, the mark on it what topology.json configures. Chance explains what is \
                within four standard deviations of that.";
    let is_configured = shares.iter().any(|share| share.configured.is_some());
    [Part::Shares(shares)].into_iter().chain(is_configured.then(|| Part::Text(text.into()))).collect()
}

/// What an audit counted, by its document, with what its words mean.
pub(crate) fn counts(document: &Value, given_up: &str) -> Table {
    let orders_given_up = "orders of which a record was given up: nothing further is expected of them";
    let rows = [
        ("accepted", "/orders/accepted", "any", "orders that were taken in"),
        (given_up, "/audit/dead_lettered", "any", orders_given_up),
        ("lost", "/audit/lost", "none", "orders without their end, and given-up records without a dead letter"),
        ("unfinished", "/audit/unfinished", "none", "the same, while records were still on their way"),
        ("doubled", "/audit/doubled", "none", "records that stand again with other bytes, second ends of an order"),
        ("unexpected", "/audit/unexpected", "none", "records of orders that nobody took in"),
        ("redelivered", "/audit/redelivered", "any", "records that stand again with equal bytes: at least once"),
    ];
    let rows = rows.map(|(word, pointer, allowed, meaning)| {
        let count = document.pointer(pointer).and_then(Value::as_u64);
        let cells = vec![word.into(), count.map_or("unknown".into(), grouped), allowed.into(), meaning.into()];
        Row { cells, is_fault: allowed == "none" && count.is_some_and(|count| count > 0) }
    });
    let columns =
        vec![Column::Words("Word"), Column::Numbers("Count"), Column::Words("Allowed"), Column::Words("Means")];
    Table { columns, rows: rows.into() }
}

/// Adds a row to a text.
pub(crate) fn row(text: &mut String, row: std::fmt::Arguments<'_>) {
    // Writing to memory does not fail.
    let _ = writeln!(text, "{row}");
}
