use std::fmt::Write as _;
use std::path::PathBuf;

use ::topology::Topology;
use events::Topic;
use messaging::audit::Verdict;
use serde_json::json;
use shop::{Outcomes, Rates};

use super::auditor::Audited;
use super::resources::Cost;
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
    pub(crate) usage: Cost,
    pub(crate) was_interrupted: bool,
}

impl Summary {
    /// How the command ends: a failed audit outweighs an interruption, that one refused input.
    pub(crate) fn status(&self) -> Status {
        if !self.audited.verdict.passed() {
            Status::Fails
        } else if self.was_interrupted {
            Status::Interrupted
        } else if self.rejected > 0 {
            Status::Refused
        } else {
            Status::Holds
        }
    }

    /// Prints the result to stdout.
    pub(crate) fn print(&self, format: Format, topology: &Topology, rates: Rates) -> Result<(), Error> {
        let text = match format {
            Format::Json => self.json(),
            Format::Text => self.text(topology, rates),
        };
        print(&format!("{text}\n"))
    }

    fn outcomes(&self) -> Outcomes {
        Outcomes::of(&self.audited.tally)
    }

    fn orders_per_s(&self) -> f64 {
        self.audited.verdict.ended as f64 / self.usage.elapsed.as_secs_f64().max(1e-6)
    }

    fn cpu_us_per_order(&self) -> f64 {
        self.usage.cpu_us as f64 / self.audited.verdict.accepted.max(1) as f64
    }

    /// Latency at a quantile, in milliseconds.
    fn latency_ms(&self, quantile: f64) -> f64 {
        self.audited.latency.value_at_quantile(quantile) as f64 / 1_000.0
    }

    fn json(&self) -> String {
        let Verdict { accepted, lost, doubled, redelivered, dead_lettered, unfinished, unexpected, .. } =
            self.audited.verdict;
        let outcomes = self.outcomes();
        let records: serde_json::Map<String, serde_json::Value> =
            self.records.iter().map(|(topic, count)| (topic.to_string(), json!(count))).collect();
        let rounded = |value: f64| (value * 100.0).round() / 100.0;
        let document = json!({
            "system": "shop",
            "seed": self.seed,
            "run": self.run,
            "orders": { "accepted": accepted, "rejected": self.rejected },
            "records": records,
            "outcomes": {
                "shipped": outcomes.shipped,
                "payment_failed": outcomes.payment_failed,
                "inventory_available": outcomes.inventory_available,
                "inventory_short": outcomes.inventory_short,
            },
            "oversold": outcomes.oversold,
            "latency_ms": {
                "p50": rounded(self.latency_ms(0.5)),
                "p99": rounded(self.latency_ms(0.99)),
                "max": rounded(self.latency_ms(1.0)),
            },
            "elapsed_s": self.usage.elapsed.as_secs_f64(),
            "orders_per_s": self.orders_per_s().round(),
            "cpu_us_per_order": rounded(self.cpu_us_per_order()),
            "peak_rss_mib": self.usage.peak_rss_mib,
            "digest": format!("{:032x}", self.audited.verdict.digest),
            "audit": {
                "passed": self.audited.verdict.passed(),
                "lost": lost,
                "doubled": doubled,
                "redelivered": redelivered,
                "dead_lettered": dead_lettered,
                "unfinished": unfinished,
                "unexpected": unexpected,
            },
        });
        format!("{document:#}")
    }

    fn text(&self, topology: &Topology, rates: Rates) -> String {
        let verdict = &self.audited.verdict;
        let outcomes = self.outcomes();
        let (paid, available) = (rates.success.as_f64(), rates.available.as_f64());
        let accepted = verdict.accepted;
        let share = |count: u64| count as f64 / accepted.max(1) as f64;
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
        for (topic, count) in
            self.records.iter().filter(|(topic, count)| *count > 0 || !is_dead_letter(topology, *topic))
        {
            row(&mut text, format_args!("  {topic:<44}{:>12}", grouped(*count)));
        }
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|quantile| self.latency_ms(quantile));
        row(&mut text, format_args!("\n  latency      p50 {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms"));
        let (rate, elapsed) = (grouped(self.orders_per_s() as u64), self.usage.elapsed.as_secs_f64());
        row(&mut text, format_args!("  throughput   {rate} orders/s over {elapsed:.2} s"));
        let (cpu, memory) = (self.cpu_us_per_order(), self.usage.peak_rss_mib);
        row(&mut text, format_args!("  cost         {cpu:.1} CPU-us an order, {memory} MiB at most"));
        row(&mut text, format_args!("  digest       {:032x}", verdict.digest));
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
        let _ = write!(text, "\n{verdict}");
        text
    }
}

fn row(text: &mut String, row: std::fmt::Arguments<'_>) {
    // Writing to memory does not fail.
    let _ = writeln!(text, "{row}");
}

fn is_dead_letter(topology: &Topology, topic: Topic) -> bool {
    topology.dead_letter_of(topic.as_str()).is_some()
}
