use ::topology::Topology;
use serde_json::json;

use super::groups::Reached;
use super::judge::JudgedRun;
use crate::business::Business;
use crate::report::{Report, row};
use crate::{Error, Format, Status, grouped, print, tell};

/// What an order takes in the audit's memory, in bytes, before it is closed: its id, its records, its times, its place
/// in maps that grow.
const ORDER_BYTES: u64 = 350;

/// All verdicts, and what they rest on.
pub(crate) struct Conclusion {
    pub(crate) runs: Vec<JudgedRun>,
    pub(crate) reached: Reached,
    /// What does not add up outside of the records.
    pub(crate) discrepancies: Vec<String>,
    /// Whether a record that stands twice is a fault.
    pub(crate) no_redeliveries: bool,
    pub(crate) peak_rss_mib: u64,
}

impl Conclusion {
    /// Prints the verdicts to stdout, and to stderr why they do not hold beyond what they say.
    ///
    /// # Errors
    /// Where stdout cannot be written to.
    pub(crate) fn print(&self, format: Format, topology: &Topology, business: &dyn Business) -> Result<Status, Error> {
        for run in &self.runs {
            print(&match format {
                Format::Json => self.json(run, business),
                Format::Text => self.text(run, topology, business),
            })?;
        }
        if !self.reached.is_drained() {
            tell(&format!("error: not at the end of their topics when the wait was over: {}", self.reached.behind()));
        }
        let redelivered: u64 = self.runs.iter().map(|run| run.verdict.redelivered).sum();
        if self.no_redeliveries && redelivered > 0 {
            tell_redelivered(redelivered);
        }
        self.discrepancies.iter().for_each(|discrepancy| tell(&format!("error: does not add up: {discrepancy}")));
        let holds = self.runs.iter().all(|run| self.holds(run));
        if !holds {
            self.hint();
        }
        Ok(if holds { Status::Holds } else { Status::Fails })
    }

    /// What has been deleted cannot be judged.
    fn hint(&self) {
        let older: Vec<String> = self
            .reached
            .spans
            .iter()
            .filter(|span| span.from > 0)
            .map(|span| format!("{}-{}@{}", span.topic, span.partition, span.from))
            .collect();
        if !older.is_empty() {
            tell(&format!(
                "hint: these begin after records that were deleted, which may be what is missing: {}",
                older.join(", ")
            ));
        }
    }

    fn holds(&self, run: &JudgedRun) -> bool {
        let is_redelivered = self.no_redeliveries && run.verdict.redelivered > 0;
        run.verdict.passed() && self.reached.is_drained() && !is_redelivered && self.discrepancies.is_empty()
    }

    fn json(&self, run: &JudgedRun, business: &dyn Business) -> String {
        let mut document = report(run, business).document();
        document["run"] = json!(run.run);
        document["audit"]["passed"] = json!(self.holds(run));
        document["lag"] = self.reached.lag_by_group();
        let [p50, p99, max] = latency_ms(run);
        document["latency_ms"] = json!({"p50": p50, "p99": p99, "max": max});
        document["peak_rss_mib"] = json!(self.peak_rss_mib);
        document["bytes_per_order"] = json!(ORDER_BYTES);
        format!("{document:#}\n")
    }

    fn text(&self, run: &JudgedRun, topology: &Topology, business: &dyn Business) -> String {
        let report = report(run, business);
        let mut text = format!("run {}\n", run.run);
        text.push_str(&report.tables(topology));
        let lag = self.reached.lag();
        row(&mut text, format_args!("  lag          {} records, {} groups", grouped(lag), self.reached.groups.len()));
        let [p50, p99, max] = latency_ms(run);
        row(
            &mut text,
            format_args!(
                "  latency      p50 {p50} ms, p99 {p99} ms, max {max} ms, from an order's first record to its last"
            ),
        );
        let memory = self.peak_rss_mib;
        row(&mut text, format_args!("  memory       {memory} MiB at most, about {ORDER_BYTES} bytes an order"));
        report.digest(&mut text);
        report.verdict(&mut text, self.holds(run));
        text
    }
}

/// Says why an audit fails that allows no redeliveries.
pub(crate) fn tell_redelivered(records: u64) {
    tell(&format!("error: {records} records stand again, and --no-redeliveries allows none"));
}

fn latency_ms(run: &JudgedRun) -> [u64; 3] {
    [0.5, 0.99, 1.0].map(|quantile| run.latency_ms.value_at_quantile(quantile))
}

fn report<'a>(run: &'a JudgedRun, business: &'a dyn Business) -> Report<'a> {
    Report { business, verdict: &run.verdict, tally: &run.tally, records: &run.records }
}
