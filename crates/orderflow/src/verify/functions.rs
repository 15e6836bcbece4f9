use std::time::Duration;

use ::topology::{Host, Service, Topology};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use shop::order_generator;

use crate::deployment::Deployment;
use crate::tool::{Interruptions, Stop};
use crate::{Error, aws};

/// What CloudWatch gives of either form of a log.
const REPORTS: &str = r#"?"REPORT RequestId" ?"platform.report""#;

/// CloudWatch shows a line some seconds after it was logged: the logs are asked until they say no more than before.
const SETTLE: Duration = Duration::from_secs(5);
const LOOKS: usize = 12;

/// Lambda's longest timeout, in microseconds.
const MAX_US: u64 = 900_000_000;

/// What the log of one function tells of its invocations.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) invocations: u64,
    /// Those of them that failed, by Lambda's report.
    pub(super) errors: u64,
    /// When those were reported, in milliseconds since 1970.
    pub(super) errors_ms: Vec<i64>,
    /// New environments.
    pub(super) cold_starts: u64,
    /// In microseconds.
    durations: Histogram<u64>,
    pub(super) memory_mb: u64,
}

/// The functions of a deployment.
#[derive(Debug)]
pub(super) struct Functions(pub(super) Vec<Function>);

impl Functions {
    /// What they have logged since a time in milliseconds since 1970, by when orders were placed in so many invocations.
    ///
    /// # Errors
    /// Where CloudWatch does not tell, or the operator interrupts.
    pub(super) fn ask(
        deployment: &Deployment,
        topology: &Topology,
        since_ms: u64,
        placed_in: u64,
        interruptions: &Interruptions,
    ) -> Result<Self, Stop> {
        let services: Vec<&Service> = topology.services().filter(|service| service.host == Host::Lambda).collect();
        let (mut functions, mut looks) = (Self::look(deployment, &services, since_ms)?, 1);
        loop {
            let before = functions.invocations();
            interruptions.pause(SETTLE)?;
            functions = Self::look(deployment, &services, since_ms)?;
            looks += 1;
            let is_whole = functions.invocations_of(order_generator::NAME) >= placed_in;
            if looks == LOOKS || (is_whole && functions.invocations() == before) {
                return Ok(functions);
            }
        }
    }

    fn look(deployment: &Deployment, services: &[&Service], since_ms: u64) -> Result<Self, Error> {
        let ask = |service: &&Service| {
            let (group, since) = (format!("/aws/lambda/{}", service.name), since_ms.to_string());
            let words = ["logs", "filter-log-events", "--log-group-name", &group, "--start-time", &since];
            let words =
                words.into_iter().chain(["--filter-pattern", REPORTS, "--query", "events[].[timestamp, message]"]);
            words.map(str::to_owned).collect()
        };
        let answers = aws::calls(&deployment.settings().region, &services.iter().map(ask).collect::<Vec<_>>());
        let functions = services.iter().zip(answers).map(|(service, answer)| {
            let events = answer?;
            let lines = events.as_array().into_iter().flatten();
            Function::of(&service.name, lines.filter_map(|event| Some((event[0].as_i64()?, event[1].as_str()?))))
        });
        functions.collect::<Result<_, _>>().map(Self)
    }

    fn invocations(&self) -> u64 {
        self.iter().map(|function| function.invocations).sum()
    }

    pub(super) fn invocations_of(&self, name: &str) -> u64 {
        self.iter().filter(|function| function.name == name).map(|function| function.invocations).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Function> {
        self.0.iter()
    }
}

impl Function {
    /// Of lines, each with when it was logged.
    pub(super) fn of<'l>(name: &str, lines: impl Iterator<Item = (i64, &'l str)>) -> Result<Self, Error> {
        let durations = Histogram::new_with_bounds(1, MAX_US, 2).map_err(Error::failed)?;
        let mut function = Self {
            name: name.to_owned(),
            invocations: 0,
            errors: 0,
            errors_ms: Vec::new(),
            cold_starts: 0,
            durations,
            memory_mb: 0,
        };
        lines.for_each(|(at_ms, line)| function.see(at_ms, line));
        Ok(function)
    }

    /// Counts a line, if it is Lambda's report of an invocation.
    fn see(&mut self, at_ms: i64, line: &str) {
        let Some(Reported { duration_ms, memory_mb, is_cold, has_failed }) = Reported::of(line) else { return };
        self.invocations += 1;
        self.errors += u64::from(has_failed);
        self.errors_ms.extend(has_failed.then_some(at_ms));
        self.cold_starts += u64::from(is_cold);
        self.durations.saturating_record((duration_ms * 1_000.0) as u64);
        self.memory_mb = self.memory_mb.max(memory_mb);
    }

    /// In milliseconds.
    pub(super) fn duration_ms(&self, quantile: f64) -> f64 {
        self.durations.value_at_quantile(quantile) as f64 / 1_000.0
    }

    pub(super) fn document(&self) -> Value {
        json!({
            "invocations": self.invocations, "errors": self.errors, "cold_starts": self.cold_starts, "memory_mb": self.memory_mb,
            "duration_ms": {"p50": self.duration_ms(0.5), "p99": self.duration_ms(0.99), "max": self.duration_ms(1.0)},
        })
    }
}

/// Lambda's report of an invocation.
#[derive(Debug, PartialEq)]
struct Reported {
    duration_ms: f64,
    memory_mb: u64,
    is_cold: bool,
    has_failed: bool,
}

impl Reported {
    /// In either form of a function's log.
    fn of(line: &str) -> Option<Self> {
        match line.trim_end().strip_prefix("REPORT RequestId: ") {
            Some(line) => Self::of_text(line),
            None => Self::of_json(&serde_json::from_str(line).ok()?),
        }
    }

    /// `.. Duration: 12.34 ms Billed Duration: .. Memory Size: .. Max Memory Used: 20 MB Init Duration: ..`, fields with tabs between,
    /// and a `Status` where it failed.
    fn of_text(line: &str) -> Option<Self> {
        let field = |name: &str| line.split('\t').find_map(|field| field.trim().strip_prefix(name)?.split(' ').next());
        Some(Self {
            duration_ms: field("Duration: ")?.parse().ok()?,
            memory_mb: field("Max Memory Used: ").and_then(|text| text.parse().ok()).unwrap_or(0),
            is_cold: field("Init Duration: ").is_some(),
            has_failed: field("Status: ").is_some(),
        })
    }

    /// `{"type": "platform.report", "record": {"status": "success", "metrics": {"durationMs": ..}}}`
    fn of_json(event: &Value) -> Option<Self> {
        let (record, metrics) = (&event["record"], &event["record"]["metrics"]);
        (event["type"] == "platform.report").then_some(())?;
        Some(Self {
            duration_ms: metrics["durationMs"].as_f64()?,
            memory_mb: metrics["maxMemoryUsedMB"].as_u64().unwrap_or(0),
            is_cold: metrics.get("initDurationMs").is_some(),
            has_failed: record["status"] != "success",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_lambda_are_counted_and_other_lines_are_not() {
        let lines = [
            "START RequestId: 1 Version: $LATEST\n",
            "REPORT RequestId: 1\tDuration: 10.00 ms\tBilled Duration: 160 ms\tMemory Size: 128 MB\tMax Memory Used: 20 MB\tInit Duration: 149.55 ms\n",
            "REPORT RequestId: 2\tDuration: 12.00 ms\tBilled Duration: 12 ms\tMemory Size: 128 MB\tMax Memory Used: 24 MB\t\n",
            "REPORT RequestId: 3\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 22 MB\tStatus: timeout\n",
            "INIT_REPORT Init Duration: 5 ms\tPhase: init\tStatus: error\n",
            "{\"message\":\"REPORT RequestId: \"}\n",
            r#"{"time":"t","type":"platform.start","record":{"requestId":"4"}}"#,
            r#"{"time":"t","type":"platform.report","record":{"requestId":"4","status":"success","metrics":{"durationMs":13.5,"maxMemoryUsedMB":25,"initDurationMs":150.0}}}"#,
            r#"{"time":"t","type":"platform.report","record":{"requestId":"5","status":"error","metrics":{"durationMs":11.5,"maxMemoryUsedMB":20}}}"#,
        ];
        let function = Function::of("f", (0..).zip(lines)).unwrap();
        let Function { invocations, errors, cold_starts, memory_mb, .. } = function;
        assert_eq!((invocations, errors, cold_starts, memory_mb), (5, 2, 2, 25));
        assert_eq!(function.errors_ms, [3, 8]);
        assert!((function.duration_ms(0.5) - 12.0).abs() < 0.2, "{}", function.duration_ms(0.5));
    }
}
