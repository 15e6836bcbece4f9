use std::thread;
use std::time::{Duration, Instant};

use crate::PATIENCE;

/// Waits until it is so, no longer than the tests of this binary have patience.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
