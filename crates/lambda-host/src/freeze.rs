use std::time::{Duration, Instant};

use otlp::Traces;

/// How long spans may take to be exported before a function answers: what is left then goes with those of the next invocation.
const EXPORT_WITHIN: Duration = Duration::from_millis(500);

/// Has spans exported before the function is frozen, where there are any; until `deadline` at most, and not for an endpoint that is away.
pub fn export(traces: Option<&Traces>, deadline: Instant) {
    if let Some(traces) = traces {
        traces.flush(EXPORT_WITHIN.min(deadline.saturating_duration_since(Instant::now())));
    }
}
