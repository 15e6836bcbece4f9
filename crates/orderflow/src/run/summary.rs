use std::path::PathBuf;

use ::topology::Topology;
use events::Topic;
use serde_json::json;

use super::auditor::Audited;
use crate::business::Business;
use crate::report::{Report, row};
use crate::resources::Cost;
use crate::{Error, Format, Status, grouped, print};

/// The result of a run.
pub(crate) struct Summary {
    pub(crate) seed: Option<u64>,
    pub(crate) run: String,
    pub(crate) rejected: u64,
    /// Where the refused lines are.
    pub(crate) rejects: PathBuf,
    pub(crate) records: Vec<(Topic, u64)>,
    pub(crate) audited: Audited,
    /// What does not add up outside of the records.
    pub(crate) discrepancies: Vec<String>,
    pub(crate) usage: Cost,
    pub(crate) was_interrupted: bool,
    /// When the intake ended by that, by the auditor's clock.
    pub(crate) stopped_us: Option<u64>,
}

impl Summary {
    /// How the command ends: a failed audit outweighs an interruption, that one refused input.
    pub(crate) fn status(&self) -> Status {
        if !self.holds() {
            Status::Fails
        } else if self.was_interrupted {
            Status::Interrupted
        } else if self.rejected > 0 {
            Status::Refused
        } else {
            Status::Holds
        }
    }

    pub(super) fn holds(&self) -> bool {
        self.audited.verdict.passed() && self.discrepancies.is_empty()
    }

    /// Prints the result to stdout.
    pub(crate) fn print(&self, format: Format, topology: &Topology, business: &dyn Business) -> Result<(), Error> {
        let text = match format {
            Format::Json => self.json(business),
            Format::Text => self.text(topology, business),
        };
        print(&text)
    }

    pub(super) fn report<'a>(&'a self, business: &'a dyn Business) -> Report<'a> {
        let Audited { verdict, tally, .. } = &self.audited;
        Report { business, verdict, tally, records: &self.records }
    }

    pub(super) fn orders_per_s(&self) -> f64 {
        self.audited.verdict.ended as f64 / self.usage.elapsed.as_secs_f64().max(1e-6)
    }

    pub(super) fn cpu_us_per_order(&self) -> f64 {
        self.usage.cpu_us as f64 / self.audited.verdict.accepted.max(1) as f64
    }

    /// Latency at a quantile, in milliseconds.
    pub(super) fn latency_ms(&self, quantile: f64) -> f64 {
        self.audited.latency.value_at_quantile(quantile) as f64 / 1_000.0
    }

    fn json(&self, business: &dyn Business) -> String {
        let rounded = |value: f64| (value * 100.0).round() / 100.0;
        let mut document = self.report(business).document();
        if !self.discrepancies.is_empty() {
            document["discrepancies"] = json!(self.discrepancies);
        }
        document["seed"] = json!(self.seed);
        document["run"] = json!(self.run);
        document["orders"]["rejected"] = json!(self.rejected);
        document["latency_ms"] = json!({
            "p50": rounded(self.latency_ms(0.5)),
            "p99": rounded(self.latency_ms(0.99)),
            "max": rounded(self.latency_ms(1.0)),
        });
        document["elapsed_s"] = json!(self.usage.elapsed.as_secs_f64());
        document["orders_per_s"] = json!(self.orders_per_s().round());
        document["cpu_us_per_order"] = json!(rounded(self.cpu_us_per_order()));
        document["peak_rss_mib"] = json!(self.usage.peak_rss_mib);
        format!("{document:#}\n")
    }

    fn text(&self, topology: &Topology, business: &dyn Business) -> String {
        let report = self.report(business);
        let mut text = report.tables(topology);
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|quantile| self.latency_ms(quantile));
        row(&mut text, format_args!("  latency      p50 {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms"));
        let (rate, elapsed) = (grouped(self.orders_per_s() as u64), self.usage.elapsed.as_secs_f64());
        row(&mut text, format_args!("  throughput   {rate} orders/s over {elapsed:.2} s"));
        let (cpu, memory) = (self.cpu_us_per_order(), self.usage.peak_rss_mib);
        row(&mut text, format_args!("  cost         {cpu:.1} CPU-us an order, {memory} MiB at most"));
        report.digest(&mut text);
        if self.rejected > 0 {
            row(
                &mut text,
                format_args!("  rejected     {} input lines, see {}", grouped(self.rejected), self.rejects.display()),
            );
        }
        if self.was_interrupted {
            text.push_str(
                "\n  interrupted: no further orders were taken in; those on their way were brought to their end\n",
            );
        }
        report.verdict(&mut text, self.holds());
        for discrepancy in &self.discrepancies {
            row(&mut text, format_args!("  does not add up: {discrepancy}"));
        }
        text
    }
}
