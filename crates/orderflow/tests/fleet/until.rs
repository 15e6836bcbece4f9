use std::thread;
use std::time::{Duration, Instant};

/// Waits until it is so, for so long at most.
#[track_caller]
pub(crate) fn until(within: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        thread::sleep(Duration::from_millis(500));
    }
}
