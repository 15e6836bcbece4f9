use std::thread;
use std::time::{Duration, Instant};

use crate::PATIENCE;

/// Waits until it is so, no longer than the tests of this binary have patience.
#[track_caller]
pub(crate) fn until(what: &str, is_so: impl FnMut() -> bool) {
    until_or_told(what, is_so, String::new);
}

/// The same; where it does not become so, what there is instead is told.
#[track_caller]
pub(crate) fn until_or_told(what: &str, mut is_so: impl FnMut() -> bool, instead: impl Fn() -> String) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}{}", instead());
        thread::sleep(Duration::from_millis(50));
    }
}
