//! What `run` and `audit` tell alike: outcomes, records by topic, the verdict.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ::topology::Topology;
use events::Topic;
use messaging::audit::{Marks, Verdict};
use serde_json::{Value, json};
use shop::{Outcomes, Rates};

use crate::grouped;

/// What an audit found of one run.
pub(crate) struct Report<'a> {
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
        let outcomes = Outcomes::of(self.tally);
        let records: serde_json::Map<String, Value> =
            self.records.iter().map(|(topic, count)| (topic.to_string(), json!(count))).collect();
        json!({
            "system": "shop",
            "orders": { "accepted": accepted },
            "records": records,
            "outcomes": {
                "shipped": outcomes.shipped,
                "payment_failed": outcomes.payment_failed,
                "inventory_available": outcomes.inventory_available,
                "inventory_short": outcomes.inventory_short,
            },
            "oversold": outcomes.oversold,
            "digest": format!("{digest:032x}"),
            "audit": {
                "passed": self.verdict.passed(),
                "lost": lost,
                "doubled": doubled,
                "redelivered": redelivered,
                "dead_lettered": dead_lettered,
                "unfinished": unfinished,
                "unexpected": unexpected,
            },
        })
    }

    /// For a person: outcomes beside the shares that `topology.json` sets, and records by topic.
    pub(crate) fn tables(&self, topology: &Topology, rates: Rates) -> String {
        let outcomes = Outcomes::of(self.tally);
        let (paid, available) = (rates.success.as_f64(), rates.available.as_f64());
        let share = |count: u64| count as f64 / self.verdict.accepted.max(1) as f64;
        let mut text = String::from("  outcome                  orders     share   configured\n");
        for (name, count, configured) in [
            ("shipped", outcomes.shipped, paid),
            ("payment failed", outcomes.payment_failed, 1.0 - paid),
            ("inventory available", outcomes.inventory_available, available),
            ("inventory short", outcomes.inventory_short, 1.0 - available),
            ("oversold", outcomes.oversold, paid * (1.0 - available)),
        ] {
            let (share, configured) = (100.0 * share(count), 100.0 * configured);
            row(&mut text, format_args!("  {name:<20}{:>11}{share:>8.1} %{configured:>10.1} %", grouped(count)));
        }
        text.push_str("\n  topic                                            records\n");
        let is_dead_letter = |topic: Topic| topology.dead_letter_of(topic.as_str()).is_some();
        for (topic, count) in self.records.iter().filter(|(topic, count)| *count > 0 || !is_dead_letter(*topic)) {
            row(&mut text, format_args!("  {topic:<44}{:>12}", grouped(*count)));
        }
        text.push('\n');
        text
    }

    /// The digest, as a row among the host's own.
    pub(crate) fn digest(&self, text: &mut String) {
        row(text, format_args!("  digest       {:032x}", self.verdict.digest));
    }
}

/// Adds a row to a text.
pub(crate) fn row(text: &mut String, row: std::fmt::Arguments<'_>) {
    // Writing to memory does not fail.
    let _ = writeln!(text, "{row}");
}
