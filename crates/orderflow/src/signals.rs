use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::Error;

/// A flag that Ctrl-C and SIGTERM set; a second signal ends the process at once.
pub(crate) fn stop_flag() -> Result<Arc<AtomicBool>, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|error| Error::Failed(format!("signals: {error}")))?;
    }
    Ok(stop)
}
