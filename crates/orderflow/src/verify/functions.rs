use std::thread;
use std::time::Duration;

use ::topology::{Host, Topology};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::tool::{Interruptions, Stop};
use crate::{Error, aws};

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
    /// Those of them whose REPORT has a `Status`.
    pub(super) errors: u64,
    /// New environments.
    pub(super) cold_starts: u64,
    /// In microseconds.
    durations: Histogram<u64>,
    pub(super) memory_mb: u64,
}

/// The functions of a deployment.
#[derive(Debug)]
pub(super) struct Functions(Vec<Function>);

impl Functions {
    /// What they have logged since a time in milliseconds since 1970.
    ///
    /// # Errors
    /// Where CloudWatch does not tell, or the operator interrupts.
    pub(super) fn ask(
        deployment: &Deployment,
        topology: &Topology,
        since_ms: u64,
        interruptions: &Interruptions,
    ) -> Result<Self, Stop> {
        let region = &deployment.settings().region;
        let names: Vec<&str> = topology
            .services()
            .filter(|service| service.host == Host::Lambda)
            .map(|service| service.name.as_str())
            .collect();
        let mut before = u64::MAX;
        for look in 1.. {
            let functions = thread::scope(|scope| {
                let asked: Vec<_> =
                    names.iter().map(|name| scope.spawn(|| Function::ask(region, name, since_ms))).collect();
                let joined = asked
                    .into_iter()
                    .map(|asked| asked.join().unwrap_or_else(|_| Err(Error::Failed("a thread ended".into()))));
                joined.collect::<Result<Vec<_>, _>>()
            })?;
            let invocations = functions.iter().map(|function| function.invocations).sum();
            if invocations == before || look == LOOKS {
                return Ok(Self(functions));
            }
            before = invocations;
            interruptions.pause(SETTLE)?;
        }
        Ok(Self(Vec::new()))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Function> {
        self.0.iter()
    }
}

impl Function {
    fn ask(region: &str, name: &str, since_ms: u64) -> Result<Self, Error> {
        let (group, since) = (format!("/aws/lambda/{name}"), since_ms.to_string());
        let arguments = [
            "logs",
            "filter-log-events",
            "--log-group-name",
            &group,
            "--start-time",
            &since,
            "--filter-pattern",
            "REPORT",
            "--query",
            "events[].message",
        ];
        let messages = aws::call(region, &arguments)?;
        let lines = messages.as_array().into_iter().flatten().filter_map(Value::as_str);
        Self::of(name, lines)
    }

    fn of<'l>(name: &str, lines: impl Iterator<Item = &'l str>) -> Result<Self, Error> {
        let durations = Histogram::new_with_bounds(1, MAX_US, 2).map_err(Error::failed)?;
        let mut function =
            Self { name: name.to_owned(), invocations: 0, errors: 0, cold_starts: 0, durations, memory_mb: 0 };
        lines.for_each(|line| function.see(line));
        Ok(function)
    }

    /// `REPORT RequestId: .. Duration: 12.34 ms Billed Duration: .. Memory Size: .. Max Memory Used: 20 MB Init Duration: ..`, fields
    /// with tabs between, and a `Status` where it failed.
    fn see(&mut self, line: &str) {
        if !line.starts_with("REPORT RequestId: ") {
            return;
        }
        let field = |name: &str| {
            line.trim_end().split('\t').find_map(|field| field.trim().strip_prefix(name)?.split(' ').next())
        };
        let number = |name: &str| field(name).and_then(|text| text.parse::<f64>().ok());
        self.invocations += 1;
        self.errors += u64::from(field("Status: ").is_some());
        self.cold_starts += u64::from(field("Init Duration: ").is_some());
        if let Some(ms) = number("Duration: ") {
            self.durations.saturating_record((ms * 1_000.0) as u64);
        }
        self.memory_mb = self.memory_mb.max(number("Max Memory Used: ").unwrap_or(0.0) as u64);
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
        ];
        let function = Function::of("f", lines.into_iter()).unwrap();
        let Function { invocations, errors, cold_starts, memory_mb, .. } = function;
        assert_eq!((invocations, errors, cold_starts, memory_mb), (3, 1, 1, 24));
        assert!((function.duration_ms(0.5) - 12.0).abs() < 0.2, "{}", function.duration_ms(0.5));
    }
}
