use std::fmt::Write as _;

use kafka_transport::names::Metric;

use crate::emulator::MappingSummary;
use crate::names::{DURATION, ERRORS, INVOCATIONS, LAG, RETRIES};
use crate::tally::FunctionStatus;

/// What functions have done and how far their mappings are behind, in the text of OpenMetrics.
pub(crate) fn metrics(functions: &[FunctionStatus], mappings: &[MappingSummary]) -> String {
    let mut text = String::new();
    // Writing to memory does not fail. No name of a function, a topic or a group has a character that would have to be escaped.
    let mut counter = |Metric { family, series, help }: Metric, count: fn(&FunctionStatus) -> u64| {
        let _ = writeln!(text, "# TYPE {family} counter\n# HELP {family} {help}.");
        for function in functions {
            let _ = writeln!(text, "{series}{{function=\"{}\"}} {}", function.function, count(function));
        }
    };
    counter(INVOCATIONS, |function| function.invocations);
    counter(ERRORS, |function| function.errors);
    counter(RETRIES, |function| function.retries);
    let Metric { family, series, help } = DURATION;
    let _ = writeln!(text, "# TYPE {family} summary\n# UNIT {family} seconds\n# HELP {family} {help}.");
    for FunctionStatus { function, p50, p99, .. } in functions.iter().filter(|function| function.invocations > 0) {
        for (quantile, took) in [("0.5", p50), ("0.99", p99)] {
            let labels = format!("function=\"{function}\",quantile=\"{quantile}\"");
            let _ = writeln!(text, "{series}{{{labels}}} {}", took.as_secs_f64());
        }
    }
    let Metric { family, series, help } = LAG;
    let _ = writeln!(text, "# TYPE {family} gauge\n# HELP {family} {help}.");
    for MappingSummary { function, topic, group, status } in mappings {
        if let Some(lag) = status.lag {
            let labels = format!("function=\"{function}\",topic=\"{topic}\",group=\"{group}\"");
            let _ = writeln!(text, "{series}{{{labels}}} {lag}");
        }
    }
    text + "# EOF\n"
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::MappingStatus;

    #[test]
    fn functions_and_mappings_are_told_and_what_is_not_known_is_not() {
        let [p50, p99] = [20, 1_500].map(Duration::from_millis);
        let paid =
            FunctionStatus { function: "pay".into(), invocations: 7, errors: 2, retries: 1, p50, p99, memory_mib: 9 };
        let idle = FunctionStatus { function: "idle".into(), ..FunctionStatus::default() };
        let mapping = |topic: &str, lag| {
            let status = MappingStatus { lag, ..MappingStatus::default() };
            MappingSummary { function: "pay".into(), topic: topic.into(), group: format!("pay.{topic}"), status }
        };
        let text = metrics(&[idle, paid], &[mapping("orders", Some(3)), mapping("unknown", None)]);
        let series: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "lambda_invocations_total{function=\"idle\"} 0",
            "lambda_invocations_total{function=\"pay\"} 7",
            "lambda_errors_total{function=\"idle\"} 0",
            "lambda_errors_total{function=\"pay\"} 2",
            "lambda_retries_total{function=\"idle\"} 0",
            "lambda_retries_total{function=\"pay\"} 1",
            "lambda_duration_seconds{function=\"pay\",quantile=\"0.5\"} 0.02",
            "lambda_duration_seconds{function=\"pay\",quantile=\"0.99\"} 1.5",
            "lambda_lag_records{function=\"pay\",topic=\"orders\",group=\"pay.orders\"} 3",
        ];
        assert_eq!(series, expected);
        assert!(text.ends_with("\n# EOF\n"), "{text}");
    }
}
