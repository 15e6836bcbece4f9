use shop::order_generator;

use super::diary::Entries;
use super::load::Placed;
use super::report::Report;
use crate::page::{Column, Course, Figure, Incident, Incidents, Line, Page, Part, Row, Section, Stroke, Table, number};
use crate::report::{counts, sentence, shares};
use crate::{counted, grouped};

impl Report {
    /// For a person who was not there.
    pub(super) fn page(&self) -> Page {
        let figure = |value, unit, name| Figure { value, unit, name };
        let ms = |name: &str| self.audited["latency_ms"][name].as_u64().map_or("unknown".into(), grouped);
        Page {
            origin: format!("orderflow verify, the deployment in {}", self.region),
            title: counted(self.accepted(), "order"),
            holds: self.holds(),
            verdict: self.sentences(),
            figures: vec![
                figure(grouped(self.accepted()), "", "orders stand in Kafka"),
                figure(number(self.took_s), "s", "in all"),
                figure(ms("p50"), "ms", "half took at most"),
                figure(ms("p99"), "ms", "99 % took at most"),
                figure(format!("${:.3}", self.cost), "", "about, while it ran"),
            ],
            facts: self.facts(),
            sections: vec![
                Section { heading: "What became of the orders", parts: self.shares() },
                Section { heading: "How long they took", parts: self.latencies(ms) },
                Section { heading: "What happened when", parts: self.course() },
                Section { heading: "What the audit found", parts: self.audit() },
                Section { heading: "Records by topic", parts: vec![self.topics()] },
                Section { heading: "What the functions did", parts: self.functions() },
                Section { heading: "The same again", parts: self.again() },
            ],
        }
    }

    fn sentences(&self) -> Vec<String> {
        if self.holds() {
            return vec![sentence(&self.audited, "dead-lettered")];
        }
        let audit = match self.audited.is_null() {
            true => "The audit gave no answer.".to_owned(),
            false => sentence(&self.audited, "dead-lettered"),
        };
        let problems = self.problems.len() as u64;
        vec![audit, format!("{} did not hold; what, is told with the audit.", counted(problems, "condition"))]
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let Placed { orders, invocations, failed } = self.placed;
        vec![
            ("Run", self.run.clone()),
            ("Seed", "none: each invocation draws its orders by its time".into()),
            ("Began", self.began.to_string()),
            ("Took", format!("{} s", number(self.took_s))),
            ("Kafka", format!("the deployment in {}", self.region)),
            ("Asked for", counted(self.asked, "order")),
            ("Placed", format!("{} by {}, {failed} failed", grouped(orders), counted(invocations, "invocation"))),
            ("Program", format!("orderflow {}", env!("CARGO_PKG_VERSION"))),
            ("Digest", self.audited["digest"].as_str().unwrap_or("unknown").to_owned()),
        ]
    }

    fn shares(&self) -> Vec<Part> {
        let oversold = self.audited["oversold"].as_u64().map_or("unknown".into(), grouped);
        let text = format!("Oversold, which is paid without being in stock: {oversold}.");
        let mut parts = shares(self.outcomes.clone());
        parts.push(Part::Text(text));
        parts
    }

    fn latencies(&self, ms: impl Fn(&str) -> String) -> Vec<Part> {
        let rows =
            [("half", "p50"), ("99 %", "p99"), ("all", "max")].map(|(name, key)| Row::of([name.to_owned(), ms(key)]));
        let columns = vec![Column::Words("Of the orders"), Column::Numbers("took at most, ms")];
        vec![
            Part::Table(Table { columns, rows: rows.into() }),
            Part::Text("From an order's first record to its last, by the times of the records: what the audit on the console host tells of them.".into()),
        ]
    }

    fn course(&self) -> Vec<Part> {
        let diary = &self.diary;
        let line = |name, stroke, entries: &Entries<u64>| Line {
            name,
            stroke,
            points: entries.iter().map(|(at_s, orders)| (at_s, Some(*orders as f64))).collect(),
        };
        let row = |name: &str, entries: &Entries<String>| {
            let incident = |(at_s, why): (f64, &String)| Incident { from_s: at_s, to_s: at_s, what: why.clone() };
            (name.to_owned(), entries.iter().map(incident).collect::<Vec<_>>())
        };
        let mut rows = vec![
            row("Invocations of functions that failed", &self.errors()),
            row("Invocations of order_generator that failed", &diary.failed),
            row("Looks of the audit without an answer", &diary.unanswered),
        ];
        rows.retain(|(_, incidents)| !incidents.is_empty());
        let incidents = Incidents { end_s: self.took_s, rows };
        let orders = Course {
            title: "Orders so far",
            unit: "orders",
            end_s: self.took_s,
            is_logarithmic: false,
            lines: vec![
                line("at their end, by each look of the audit", Stroke::Main, &diary.ended),
                line("placed", Stroke::Beside, &diary.placed),
            ],
            strikes: incidents.moments(),
            in_words: format!(
                "Orders over time: {} placed, all of them looked for over {} s",
                grouped(self.placed.orders),
                number(self.took_s)
            ),
        };
        let incidents = match incidents.rows.is_empty() {
            true => Part::Text("No invocation failed, and the audit answered each look.".into()),
            false => Part::Incidents(incidents),
        };
        vec![Part::Course(orders), incidents]
    }

    /// When functions failed, by their logs. Of what was invoked from here the diary tells.
    fn errors(&self) -> Entries<String> {
        let seconds = |at_ms: &i64| (at_ms - self.began.as_ms()).max(0) as f64 / 1e3;
        let functions = self.functions.iter().filter(|function| function.name != order_generator::NAME);
        let of_each =
            functions.flat_map(|function| function.errors_ms.iter().map(move |at_ms| (at_ms, &function.name)));
        Entries::of(of_each.map(|(at_ms, name)| (seconds(at_ms), name.clone())).collect())
    }

    fn audit(&self) -> Vec<Part> {
        let mut parts = vec![Part::Table(counts(&self.audited, "dead-lettered"))];
        if !self.holds() {
            parts.push(Part::Text("What did not hold:".into()));
            parts.push(Part::Faults(self.problems.clone()));
        }
        parts
    }

    fn topics(&self) -> Part {
        let records = self.audited["records"].as_object().into_iter().flatten();
        let records = records.filter_map(|(topic, count)| Some((topic, count.as_u64()?)));
        let shown = records.filter(|(topic, count)| *count > 0 || !topic.ends_with(".dead_letter"));
        let rows = shown.map(|(topic, count)| Row::of([topic.clone(), grouped(count)])).collect();
        Part::Table(Table { columns: vec![Column::Words("Topic"), Column::Numbers("Records")], rows })
    }

    fn functions(&self) -> Vec<Part> {
        let columns = ["Invocations", "Errors", "Cold starts", "p50, ms", "p99, ms", "Memory, MB"];
        let columns = [Column::Words("Function")].into_iter().chain(columns.map(Column::Numbers)).collect();
        let row = |function: &super::functions::Function| {
            Row::of([
                function.name.clone(),
                grouped(function.invocations),
                grouped(function.errors),
                grouped(function.cold_starts),
                number(function.duration_ms(0.5)),
                number(function.duration_ms(0.99)),
                grouped(function.memory_mb),
            ])
        };
        vec![
            Part::Table(Table { columns, rows: self.functions.iter().map(row).collect() }),
            Part::Text(format!(
                "By their logs in CloudWatch. About {:.3} dollars for everything that was there meanwhile, hosts included.",
                self.cost
            )),
        ]
    }

    fn again(&self) -> Vec<Part> {
        let text = "It is a run of its own, with other orders.";
        vec![Part::Command(self.command.clone()), Part::Text(text.into())]
    }
}

#[cfg(test)]
mod tests {
    use events::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::share::Share;
    use crate::verify::diary::Diary;
    use crate::verify::functions::{Function, Functions};

    fn html(audited: Value, problems: Vec<String>) -> String {
        let mut diary = Diary::begin();
        diary.placed(1_000);
        diary.failed("order_generator <timed out>".into());
        diary.ended(1_000);
        let invocation = "REPORT RequestId: 1\tDuration: 10.00 ms\tMax Memory Used: 20 MB\tStatus: error";
        let reported = [(Timestamp::BASE.as_ms() + 30_000, invocation)];
        let report = Report {
            run: "verify-01a2".into(),
            began: Timestamp::BASE,
            region: "us-east-1".into(),
            command: "orderflow verify --orders 1000".into(),
            asked: 1_000,
            placed: Placed { orders: 1_000, invocations: 3, failed: 1 },
            took_s: 60.0,
            diary,
            audited,
            outcomes: vec![Share { name: "payment_failed", count: 99, of: 1_000, given_up: 0, configured: Some(0.1) }],
            functions: Functions(vec![Function::of("payment_processor", reported.into_iter()).unwrap()]),
            cost: 0.0071,
            problems,
        };
        report.page().html()
    }

    #[track_caller]
    fn check(html: &str, words: &[&str]) {
        words.iter().for_each(|words| assert!(html.contains(words), "{words} in {html}"));
    }

    #[test]
    fn a_deployment_that_holds_is_told_with_functions_dollars_and_the_failed_invocation() {
        let audited = json!({
            "orders": {"accepted": 1_000},
            "records": {"order_placed": 1_000, "payment_processor.order_placed.dead_letter": 0},
            "latency_ms": {"p50": 1_223, "p99": 2_000, "max": 2_000},
            "digest": "46cc",
            "audit": {"passed": true, "lost": 0, "doubled": 0, "unfinished": 0, "unexpected": 0, "dead_lettered": 0, "redelivered": 4_361},
        });
        let html = html(audited, Vec::new());
        check(
            &html,
            &["✓ Passed", "1,223", "4,361", "payment_processor", "0.007", "payment failed", "3 invocations, 1 failed"],
        );
        check(&html, &["Invocations of functions that failed</b>, payment_processor at 30 s"]);
        check(&html, &["order_generator &lt;timed out&gt;", "verify-01a2", "orderflow verify --orders 1000"]);
        assert!(!html.contains("dead_letter<"), "{html}");
    }

    #[test]
    fn what_did_not_hold_is_named_also_where_the_audit_gave_no_answer() {
        let html = html(Value::Null, vec!["the audit did not pass: null".into()]);
        check(
            &html,
            &["✗ Failed", "The audit gave no answer.", "1 condition did not hold", "the audit did not pass: null"],
        );
    }
}
