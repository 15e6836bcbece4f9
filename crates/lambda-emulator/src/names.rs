//! What the metrics of functions are called, once for the emulator and for who asks it.

use kafka_transport::names::Metric;

/// By `function`.
pub const INVOCATIONS: Metric =
    Metric { family: "lambda_invocations", series: "lambda_invocations_total", help: "Invocations that ended" };

/// By `function`.
pub const ERRORS: Metric =
    Metric { family: "lambda_errors", series: "lambda_errors_total", help: "Of them those that failed" };

/// By `function`.
pub const RETRIES: Metric =
    Metric { family: "lambda_retries", series: "lambda_retries_total", help: "Events and batches that came again" };

/// By `function` and `quantile`.
pub const DURATION: Metric =
    Metric::gauge("lambda_duration_seconds", "How long invocations took since the start, without INIT");

/// By `function`, `topic` and `group`.
pub const LAG: Metric = Metric::gauge("lambda_lag_records", "Records that the group of a mapping is not done with");

/// All that an emulator tells.
pub const ALL: [Metric; 5] = [INVOCATIONS, ERRORS, RETRIES, DURATION, LAG];
