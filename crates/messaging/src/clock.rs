/// Time for deadlines, passed in by a host: the machine's clock, or a simulation's.
pub trait Clock: Send + Sync {
    /// Milliseconds since a moment of the clock's choice. It may jump; a deadline that seems to lie far off is met early.
    fn now_ms(&self) -> u64;
}
