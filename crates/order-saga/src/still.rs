use messaging::Clock;

/// A clock for tests in which no time passes.
pub(crate) struct Still;

impl Clock for Still {
    fn now_ms(&self) -> u64 {
        0
    }
}
