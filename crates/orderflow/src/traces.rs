use std::time::Duration;

use ::topology::Topology;
use otlp::{Settings, Traces, VARIABLES};

use crate::Error;

/// How long spans may take to be exported once the work is done.
const EXPORT_WITHIN: Duration = Duration::from_secs(2);

/// Spans of this process, where the environment names an endpoint.
///
/// # Errors
/// [`Error::Usage`] with every variable that does not serve.
pub(crate) fn start(topology: &Topology) -> Result<Option<Traces>, Error> {
    let Some(settings) = settings()? else { return Ok(None) };
    Traces::start(settings, topology, rand::random()).map(Some).map_err(Error::failed)
}

/// The variables that another process needs for the same, where the environment names an endpoint.
///
/// # Errors
/// [`Error::Usage`] with every variable that does not serve.
pub(crate) fn variables() -> Result<Vec<(&'static str, String)>, Error> {
    let is_asked_for = settings()?.is_some();
    let set = VARIABLES.into_iter().filter_map(|name| Some((name, std::env::var(name).ok()?)));
    Ok(set.filter(|_| is_asked_for).collect())
}

fn settings() -> Result<Option<Settings>, Error> {
    Settings::from_environment(|name| std::env::var(name).ok()).map_err(|error| Error::Usage(error.to_string()))
}

/// Waits for the last of them, for a moment.
pub(crate) fn finish(traces: Option<&Traces>) {
    if let Some(traces) = traces {
        traces.flush(EXPORT_WITHIN);
    }
}
