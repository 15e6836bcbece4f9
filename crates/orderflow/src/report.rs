//! What `run` and `audit` tell alike: outcomes, records by topic, the verdict.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ::topology::Topology;
use events::Topic;
use messaging::audit::{Marks, Verdict};
use serde_json::{Value, json};

use crate::business::{Business, Outcome};
use crate::grouped;

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
        let share = |count: u64| count as f64 / self.verdict.accepted.max(1) as f64;
        let outcomes = self.business.outcomes(self.tally);
        let is_configured = outcomes.iter().any(|outcome| outcome.configured.is_some());
        let configured = if is_configured { "   configured" } else { "" };
        let mut text = format!("  outcome                  orders     share{configured}\n");
        for Outcome { name, orders, configured } in outcomes {
            let configured =
                configured.map_or_else(String::new, |configured| format!("{:>10.1} %", 100.0 * configured));
            let (share, orders) = (100.0 * share(orders), grouped(orders));
            row(&mut text, format_args!("  {name:<20}{orders:>11}{share:>8.1} %{configured}"));
        }
        text.push_str("\n  topic                                            records\n");
        let is_dead_letter = |topic: Topic| topology.dead_letter_of(topic.as_str()).is_some();
        for (topic, count) in self.records.iter().filter(|(topic, count)| *count > 0 || !is_dead_letter(*topic)) {
            row(&mut text, format_args!("  {topic:<44}{:>12}", grouped(*count)));
        }
        text.push('\n');
        text
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

/// Adds a row to a text.
pub(crate) fn row(text: &mut String, row: std::fmt::Arguments<'_>) {
    // Writing to memory does not fail.
    let _ = writeln!(text, "{row}");
}
