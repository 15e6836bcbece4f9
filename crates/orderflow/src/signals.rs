use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::Error;

/// How often somebody who stops a long wait is heard.
const HEED_EVERY: Duration = Duration::from_millis(50);

const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// A flag that Ctrl-C and SIGTERM set; a second signal ends the process at once.
pub(crate) fn stop_flag() -> Result<Arc<AtomicBool>, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in SIGNALS {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(refused)?;
    }
    Ok(stop)
}

/// A flag that they set, and nothing more: for who looks at it all the time, and has something to put back however often it is told.
pub(crate) fn patient_stop_flag() -> Result<Arc<AtomicBool>, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in SIGNALS {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(refused)?;
    }
    Ok(stop)
}

/// Waits until so long after a moment, and answers whether somebody stops it before.
pub(crate) fn is_stopped_within(wait: Duration, since: Instant, stop: &AtomicBool) -> bool {
    loop {
        let rest = wait.saturating_sub(since.elapsed());
        if stop.load(Ordering::Acquire) || rest.is_zero() {
            return stop.load(Ordering::Acquire);
        }
        thread::sleep(rest.min(HEED_EVERY));
    }
}

fn refused(error: io::Error) -> Error {
    Error::Failed(format!("signals: {error}"))
}
