//! What Lambda itself logs of an invocation: lines of text, or of JSON where the function's `LoggingConfig` asks for that.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::Outcome;
use crate::environment::{TIMED_OUT, Usage};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

/// How an invocation ended.
pub(crate) struct Report<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) outcome: &'a Outcome,
    pub(crate) usage: Usage,
    /// How long INIT took, where there was one.
    pub(crate) init: Option<Duration>,
    pub(crate) memory_mib: u64,
}

impl LogFormat {
    /// As `LoggingConfig.LogFormat` names it.
    pub(crate) fn of(name: Option<&str>) -> Self {
        if name == Some("JSON") { Self::Json } else { Self::Text }
    }

    /// Before an invocation.
    pub(crate) fn start(self, request_id: &str, version: &str) -> String {
        match self {
            Self::Text => format!("START RequestId: {request_id} Version: {version}"),
            Self::Json => event("platform.start", json!({"requestId": request_id, "version": version})),
        }
    }

    /// Behind it.
    pub(crate) fn end(self, report: &Report<'_>) -> [String; 2] {
        let Report { request_id, outcome, usage, init, memory_mib } = report;
        let ms = |duration: Duration| duration.as_secs_f64() * 1_000.0;
        let duration = ms(usage.duration);
        let billed = (duration + init.map_or(0.0, ms)).ceil();
        let used = usage.memory_kib.div_ceil(1024);
        let failure = match outcome {
            Outcome::Answered(_) => None,
            Outcome::Failed { kind, .. } if kind == TIMED_OUT => Some(("timeout", kind)),
            Outcome::Failed { kind, .. } => Some(("error", kind)),
        };
        match self {
            Self::Text => {
                let init = init.map_or_else(String::new, |init| format!("\tInit Duration: {:.2} ms", ms(init)));
                let status = match failure {
                    None => String::new(),
                    Some(("timeout", _)) => "\tStatus: timeout".into(),
                    Some((status, kind)) => format!("\tStatus: {status}\tError Type: {kind}"),
                };
                [
                    format!("END RequestId: {request_id}"),
                    format!(
                        "REPORT RequestId: {request_id}\tDuration: {duration:.2} ms\tBilled Duration: {billed:.0} ms\tMemory Size: \
                         {memory_mib} MB\tMax Memory Used: {used} MB{init}{status}"
                    ),
                ]
            }
            Self::Json => {
                let status = failure.map_or("success", |(status, _)| status);
                let mut metrics = json!({"durationMs": duration, "billedDurationMs": billed, "memorySizeMB": memory_mib, "maxMemoryUsedMB": used});
                if let Some(init) = init {
                    metrics["initDurationMs"] = json!(ms(*init));
                }
                let mut record = json!({"requestId": request_id, "metrics": metrics, "status": status});
                if let Some((_, kind)) = failure {
                    record["errorType"] = json!(kind);
                }
                let done = json!({"requestId": request_id, "status": status});
                [event("platform.runtimeDone", done), event("platform.report", record)]
            }
        }
    }
}

/// An event of Lambda's telemetry.
fn event(kind: &str, record: Value) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = i64::try_from(since.as_millis()).ok().and_then(events::Timestamp::from_ms);
    json!({"time": time.map(|time| time.to_string()), "type": kind, "record": record}).to_string()
}
