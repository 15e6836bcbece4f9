use std::time::Duration;

use ::topology::Topology;
use otlp::{Settings, Traces};

use crate::Error;

/// How long spans may take to be exported once the work is done.
const EXPORT_WITHIN: Duration = Duration::from_secs(2);

/// Spans of this process, where the environment names an endpoint.
///
/// # Errors
/// [`Error::Usage`] with every variable that does not serve.
pub(crate) fn start(topology: &Topology) -> Result<Option<Traces>, Error> {
    let settings = Settings::from_environment(|name| std::env::var(name).ok());
    let Some(settings) = settings.map_err(|error| Error::Usage(error.to_string()))? else { return Ok(None) };
    Traces::start(settings, topology, rand::random()).map(Some).map_err(Error::failed)
}

/// Waits for the last of them, for a moment.
pub(crate) fn finish(traces: Option<&Traces>) {
    if let Some(traces) = traces {
        traces.flush(EXPORT_WITHIN);
    }
}
