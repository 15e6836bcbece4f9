use events::Timestamp;
use serde_json::{Map, Value, json};

use super::diary::Diary;
use super::functions::Functions;
use super::load::Placed;
use crate::console;
use crate::grouped;
use crate::report::row;
use crate::share::Share;

/// What a run through a deployment showed.
pub(super) struct Report {
    pub(super) run: String,
    pub(super) began: Timestamp,
    /// Where the deployment is.
    pub(super) region: String,
    /// What does the same again.
    pub(super) command: String,
    pub(super) asked: u64,
    pub(super) placed: Placed,
    /// From the first invocation until the audit passed, in seconds.
    pub(super) took_s: f64,
    pub(super) diary: Diary,
    /// As `orderflow audit --format json` prints it.
    pub(super) audited: Value,
    pub(super) outcomes: Vec<Share>,
    pub(super) functions: Functions,
    /// In dollars, of everything that was there meanwhile.
    pub(super) cost: f64,
    /// What does not hold.
    pub(super) problems: Vec<String>,
}

impl Report {
    pub(super) fn holds(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn count(&self, name: &str) -> u64 {
        self.audited["audit"][name].as_u64().unwrap_or(0)
    }

    pub(super) fn accepted(&self) -> u64 {
        self.audited["orders"]["accepted"].as_u64().unwrap_or(0)
    }

    /// For a person.
    pub(super) fn text(&self) -> String {
        let mut text = format!("run {}\n", self.run);
        let took = self.took_s;
        let Placed { invocations, failed, .. } = self.placed;
        row(
            &mut text,
            format_args!(
                "  {} orders through the functions in {took:.0} s; {invocations} invocations placed them, {failed} failed\n",
                grouped(self.accepted())
            ),
        );
        text.push_str("  outcome                  orders     share   configured\n");
        for outcome in &self.outcomes {
            let (name, count) = (outcome.name.replace('_', " "), grouped(outcome.count));
            row(
                &mut text,
                format_args!(
                    "  {name:<20}{count:>11}{:>8.1} %{:>10.1} %",
                    100.0 * outcome.share(),
                    100.0 * outcome.configured.unwrap_or_default()
                ),
            );
        }
        row(
            &mut text,
            format_args!("  {:<20}{:>11}", "oversold", grouped(self.audited["oversold"].as_u64().unwrap_or(0))),
        );
        text.push_str("\n  function               invocations  errors  cold starts    p50 ms    p99 ms  memory MB\n");
        for function in self.functions.iter() {
            row(
                &mut text,
                format_args!(
                    "  {:<22}{:>12}{:>8}{:>13}{:>10.1}{:>10.1}{:>11}",
                    function.name,
                    grouped(function.invocations),
                    function.errors,
                    function.cold_starts,
                    function.duration_ms(0.5),
                    function.duration_ms(0.99),
                    function.memory_mb
                ),
            );
        }
        let ms = |name: &str| self.audited["latency_ms"][name].as_u64().unwrap_or(0);
        row(
            &mut text,
            format_args!(
                "\n  latency      p50 {} ms, p99 {} ms, max {} ms, from an order's first record to its last",
                ms("p50"),
                ms("p99"),
                ms("max")
            ),
        );
        row(&mut text, format_args!("  digest       {}", self.audited["digest"].as_str().unwrap_or_default()));
        row(&mut text, format_args!("  cost         about {:.3} dollars while it ran", self.cost));
        let verdict = if console::passed(&self.audited) { "passed" } else { "FAILED" };
        row(
            &mut text,
            format_args!(
                "\naudit {verdict}: {} accepted, {} dead-lettered; {} lost, {} doubled, {} unfinished, {} unexpected; {} redelivered",
                grouped(self.accepted()),
                self.count("dead_lettered"),
                self.count("lost"),
                self.count("doubled"),
                self.count("unfinished"),
                self.count("unexpected"),
                self.count("redelivered")
            ),
        );
        for problem in &self.problems {
            row(&mut text, format_args!("error: {problem}"));
        }
        text
    }

    /// For a program.
    pub(super) fn document(&self) -> Value {
        let functions: Map<String, Value> =
            self.functions.iter().map(|function| (function.name.clone(), function.document())).collect();
        let outcomes: Map<String, Value> = self
            .outcomes
            .iter()
            .map(|outcome| {
                (
                    outcome.name.to_owned(),
                    json!({"orders": outcome.count, "share": outcome.share(), "configured": outcome.configured}),
                )
            })
            .collect();
        let Placed { orders, invocations, failed } = self.placed;
        json!({
            "run": self.run,
            "holds": self.holds(),
            "problems": self.problems,
            "load": {"asked": self.asked, "placed": orders, "invocations": invocations, "failed": failed},
            "seconds": self.took_s,
            "outcomes": outcomes,
            "functions": functions,
            "dollars": self.cost,
            "audited": self.audited,
        })
    }
}
