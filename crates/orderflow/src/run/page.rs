use ::topology::Topology;
use events::Timestamp;

use super::summary::Summary;
use super::timeline::{Interval, Timeline};
use crate::business::Business;
use crate::page::{
    Column, Course, Figure, Incident, Incidents, Line, Page, Part, Row, Section, Spread, Stroke, Table, number,
};
use crate::report::{counts, sentence, shares};
use crate::{counted, grouped, shown};

/// What a page tells of a run beside its result.
pub(crate) struct Occasion {
    pub(crate) began: Timestamp,
    /// Where Kafka was.
    pub(crate) place: String,
    /// Orders a second that were asked for.
    pub(crate) rate: Option<u32>,
    /// What does the same again.
    pub(crate) command: String,
}

impl Summary {
    /// The result as a page.
    pub(crate) fn page(&self, occasion: &Occasion, topology: &Topology, business: &dyn Business) -> Page {
        let verdict = &self.audited.verdict;
        let figure = |value, unit, name| Figure { value, unit, name };
        let has_latency = !self.audited.latency.is_empty();
        let latency = |quantile| if has_latency { number(self.latency_ms(quantile)) } else { "–".into() };
        Page {
            origin: format!("orderflow run {}", business.name()),
            title: counted(verdict.accepted, "order"),
            holds: self.holds(),
            verdict: self.sentences(business),
            figures: vec![
                figure(grouped(verdict.ended), "", "orders came to their end"),
                figure(grouped(self.orders_per_s() as u64), "/s", "throughput, orders"),
                figure(latency(0.5), "ms", "half took at most"),
                figure(latency(0.99), "ms", "99 % took at most"),
            ],
            facts: self.facts(occasion, business),
            sections: vec![
                Section { heading: "What became of the orders", parts: shares(self.report(business).shares()) },
                Section { heading: "How long they took", parts: self.latencies() },
                Section { heading: "What happened when", parts: self.course() },
                self.audit(business),
                Section { heading: "Records by topic", parts: vec![self.topics(topology, business)] },
                Section { heading: "What it cost", parts: self.costs() },
                Section { heading: "The same again", parts: self.again(occasion) },
            ],
        }
    }

    fn sentences(&self, business: &dyn Business) -> Vec<String> {
        let mut sentences = vec![sentence(&self.report(business).document(), business.given_up())];
        if !self.discrepancies.is_empty() {
            sentences.push("What was kept outside of the records does not add up.".into());
        }
        if self.was_interrupted {
            sentences.push(
                "The operator interrupted it: no further orders were taken in, those on their way were brought to their end."
                    .into(),
            );
        }
        if self.rejected > 0 {
            let were = if self.rejected == 1 { "was" } else { "were" };
            let (lines, rejects) = (counted(self.rejected, "input line"), self.rejects.display().to_string());
            sentences.push(format!("Besides, {lines} {were} refused, see {}.", shown(&rejects)));
        }
        sentences
    }

    fn facts(&self, occasion: &Occasion, business: &dyn Business) -> Vec<(&'static str, String)> {
        let rate = occasion.rate.map_or("as fast as they went".into(), |rate| {
            format!("{} a second asked for", counted(rate.into(), "order"))
        });
        let mut facts = vec![
            ("Run", self.run.clone()),
            ("Seed", self.seed.map_or("none: the orders came from the input".into(), |seed| seed.to_string())),
            ("Began", occasion.began.to_string()),
            ("Took", format!("{} s", number(self.usage.elapsed.as_secs_f64()))),
            ("Kafka", occasion.place.clone()),
            ("Rate", rate),
            ("System", business.name().into()),
            ("Program", format!("orderflow {}", env!("CARGO_PKG_VERSION"))),
        ];
        if business.has_digest() {
            facts.push(("Digest", format!("{:032x}", self.audited.verdict.digest)));
        }
        facts
    }

    fn latencies(&self) -> Vec<Part> {
        let Some(spread) = Spread::of(&self.audited.latency) else { return vec![none_ended()] };
        let quantiles = [("half", 0.5), ("90 %", 0.9), ("99 %", 0.99), ("99.9 %", 0.999), ("all", 1.0)];
        let columns = quantiles.map(|(name, _)| Column::Numbers(name));
        let columns = [Column::Words("Of the orders")].into_iter().chain(columns).collect();
        let values = quantiles.map(|(_, quantile)| number(self.latency_ms(quantile)));
        let row = Row::of(["took at most, ms".to_owned()].into_iter().chain(values));
        vec![
            Part::Spread(spread),
            Part::Table(Table { columns, rows: vec![row] }),
            Part::Text(
                "From hand-over to Kafka, or at a rate from when the order was due, until its last record was seen."
                    .into(),
            ),
        ]
    }

    fn course(&self) -> Vec<Part> {
        let timeline = &self.audited.timeline;
        let incidents = incidents(timeline, self.stopped_us);
        let strikes = incidents.moments();
        let throughput = Course {
            title: "Throughput",
            unit: "orders a second",
            end_s: timeline.end_s(),
            is_logarithmic: false,
            lines: vec![
                line("came to their end", Stroke::Main, timeline, |interval| interval.latency.len()),
                line("were taken in", Stroke::Beside, timeline, |interval| interval.accepted),
            ],
            strikes: strikes.clone(),
            in_words: format!(
                "Throughput over time: {} orders a second came to their end on average",
                grouped(self.orders_per_s() as u64)
            ),
        };
        let latency = Course {
            title: "Latency",
            unit: "ms, of the orders that came to their end at a time",
            end_s: timeline.end_s(),
            is_logarithmic: true,
            lines: vec![quantile("p99", Stroke::Beside, timeline, 0.99), quantile("p50", Stroke::Main, timeline, 0.5)],
            strikes,
            in_words: format!(
                "Latency over time: p50 {} ms, p99 {} ms over all",
                number(self.latency_ms(0.5)),
                number(self.latency_ms(0.99))
            ),
        };
        let is_quiet = self.audited.verdict.passed() && !self.was_interrupted;
        let trouble = match (incidents.rows.is_empty(), is_quiet) {
            (false, _) => Some(Part::Incidents(incidents)),
            (true, true) => Some(Part::Text("No record was given up or redelivered.".into())),
            (true, false) => None, // what is missing at the end was so at no moment
        };
        let mut parts = vec![Part::Course(throughput)];
        if !self.audited.latency.is_empty() {
            parts.push(Part::Course(latency));
        }
        parts.extend(trouble);
        parts
    }

    fn audit(&self, business: &dyn Business) -> Section {
        let mut parts = vec![Part::Table(counts(&self.report(business).document(), business.given_up()))];
        if !self.audited.verdict.examples.is_empty() {
            parts.push(Part::Text("Some of what is missing, each with what was seen of it:".into()));
            parts.push(Part::Faults(self.audited.verdict.examples.clone()));
        }
        if !self.discrepancies.is_empty() {
            parts.push(Part::Text("What does not add up outside of the records:".into()));
            parts.push(Part::Faults(self.discrepancies.clone()));
        }
        Section { heading: "What the audit found", parts }
    }

    fn topics(&self, topology: &Topology, business: &dyn Business) -> Part {
        let rows = self
            .report(business)
            .topics(topology)
            .map(|(topic, count)| Row::of([topic.to_string(), grouped(count)]))
            .collect();
        Part::Table(Table { columns: vec![Column::Words("Topic"), Column::Numbers("Records")], rows })
    }

    fn again(&self, occasion: &Occasion) -> Vec<Part> {
        let mut parts = vec![Part::Command(occasion.command.clone())];
        if self.was_interrupted && self.seed.is_some() {
            let accepted = self.audited.verdict.accepted;
            parts.push(Part::Text(format!("With --orders {accepted} it ends where the operator ended this one.")));
        }
        parts
    }

    fn costs(&self) -> Vec<Part> {
        let rows = [
            ("CPU time an order, µs", number(self.cpu_us_per_order())),
            ("CPU time, s", number(self.usage.cpu_us as f64 / 1e6)),
            ("Memory at most, MiB", grouped(self.usage.peak_rss_mib)),
        ];
        let rows = rows.map(|(name, value)| Row::of([name.to_owned(), value])).into();
        vec![
            Part::Table(Table { columns: vec![Column::Words("Of this process"), Column::Numbers("took")], rows }),
            Part::Text(
                "Of all its threads: services, clients of Kafka, the audit, and Kafka itself where that is embedded."
                    .into(),
            ),
        ]
    }
}

fn none_ended() -> Part {
    Part::Text("No order came to its end.".into())
}

/// So many of something a second. What is left of an interval at the end may be too short to tell that.
fn line(name: &'static str, stroke: Stroke, timeline: &Timeline, count: impl Fn(&Interval) -> u64) -> Line {
    let intervals: Vec<_> = timeline.intervals().collect();
    let longest = intervals.first().map_or(0.0, |(from_s, to_s, _)| to_s - from_s);
    let rate = |&(from_s, to_s, interval): &(f64, f64, &Interval)| {
        let length = to_s - from_s;
        let rate = (length > 0.0 && length >= longest / 2.0).then(|| count(interval) as f64 / length);
        (f64::midpoint(from_s, to_s), rate)
    };
    Line { name, stroke, points: intervals.iter().map(rate).collect() }
}

/// Of the latencies, in milliseconds.
fn quantile(name: &'static str, stroke: Stroke, timeline: &Timeline, quantile: f64) -> Line {
    let value = |interval: &Interval| {
        (!interval.latency.is_empty()).then(|| interval.latency.value_at_quantile(quantile) as f64 / 1e3)
    };
    let points = timeline.intervals().map(|(from_s, to_s, interval)| (f64::midpoint(from_s, to_s), value(interval)));
    Line { name, stroke, points: points.collect() }
}

fn incidents(timeline: &Timeline, stopped_us: Option<u64>) -> Incidents {
    let row = |name: &str, what, count: fn(&Interval) -> u64| {
        let all: u64 = timeline.intervals().map(|(_, _, interval)| count(interval)).sum();
        let name = format!("{name}: {}", grouped(all));
        let incidents = timeline.intervals().filter(|(_, _, interval)| count(interval) > 0);
        let incident = |(from_s, to_s, interval)| Incident { from_s, to_s, what: counted(count(interval), what) };
        (name, incidents.map(incident).collect::<Vec<_>>())
    };
    let mut rows = vec![
        row("Records given up", "record", |interval| interval.trouble.given_up),
        row("Records redelivered", "record", |interval| interval.trouble.redelivered),
        row("Doubled", "record", |interval| interval.trouble.doubled),
        row("Unexpected", "record", |interval| interval.trouble.unexpected),
    ];
    rows.extend(stopped_us.map(|us| {
        let at_s = timeline.seconds(us);
        (
            "Interrupted by the operator".to_owned(),
            vec![Incident { from_s: at_s, to_s: at_s, what: "no further orders".into() }],
        )
    }));
    rows.retain(|(_, incidents)| !incidents.is_empty());
    Incidents { end_s: timeline.end_s(), rows }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use events::Topic;
    use messaging::audit::{Trouble, Verdict};

    use super::*;
    use crate::business::Shop;
    use crate::resources::Cost;
    use crate::run::auditor::Audited;

    /// An order every ten microseconds, each with its trouble, and this verdict.
    fn page(orders: u64, verdict: Verdict, discrepancies: Vec<String>) -> Page {
        let mut timeline = Timeline::new().unwrap();
        for n in 0..orders {
            let interval = timeline.at(10 * n);
            interval.accepted += 1;
            interval.latency.record(1_000 + n % 100_000).unwrap();
            interval.trouble += Trouble { given_up: 1, redelivered: 1, doubled: 1, unexpected: 1 };
        }
        let topology = Topology::built_in().unwrap();
        let summary = Summary {
            seed: Some(7),
            run: "01a2".into(),
            rejected: 0,
            rejects: "rejects.jsonl".into(),
            records: vec![(Topic::named("order_placed"), orders)],
            audited: Audited { verdict, tally: BTreeMap::new(), latency: timeline.latency(), timeline },
            discrepancies,
            usage: Cost { elapsed: Duration::from_secs(1), cpu_us: 1, peak_rss_mib: 1 },
            was_interrupted: true,
            stopped_us: Some(5),
        };
        let occasion = Occasion {
            began: Timestamp::BASE,
            place: "embedded".into(),
            rate: None,
            command: "orderflow run shop --orders 1 --seed 7".into(),
        };
        let shop = Shop::new(&topology, "topology.json").unwrap();
        summary.page(&occasion, &topology, &shop)
    }

    fn verdict(accepted: u64) -> Verdict {
        Verdict {
            accepted,
            ended: accepted,
            lost: 0,
            doubled: 0,
            redelivered: 0,
            dead_lettered: 0,
            unfinished: 0,
            unexpected: 0,
            digest: 0,
            examples: Vec::new(),
        }
    }

    #[test]
    fn the_page_of_a_million_orders_with_trouble_in_every_interval_is_small() {
        let html = page(1_000_000, verdict(1_000_000), Vec::new()).html();
        assert!(html.len() < 256 * 1024, "{} bytes", html.len());
    }

    #[test]
    fn a_failed_audit_is_told_in_words_with_its_examples_and_with_what_does_not_add_up() {
        let lost = Verdict { lost: 2, ended: 8, examples: vec!["order <a>: seen nothing".into()], ..verdict(10) };
        let html = page(8, lost, vec!["the gateway charged twice".into()]).html();
        for words in [
            "✗ Failed",
            "Of 10 accepted orders not every one came to exactly one end: 2 lost.",
            "order &lt;a&gt;: seen nothing",
            "does not add up",
            "the gateway charged twice",
        ] {
            assert!(html.contains(words), "{words} in {html}");
        }
    }

    #[test]
    fn trouble_and_the_interruption_stand_on_the_axis_of_time() {
        let html = page(1_000, verdict(1_000), Vec::new()).html();
        for words in [
            "Records given up: 1,000",
            "Records redelivered",
            "Interrupted by the operator",
            "The operator interrupted it",
        ] {
            assert!(html.contains(words), "{words} in {html}");
        }
    }
}
