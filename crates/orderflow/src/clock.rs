use std::time::{Duration, SystemTime, UNIX_EPOCH};

use events::Timestamp;
use messaging::Clock;

/// The machine's clock: milliseconds since 1970.
pub(crate) struct WallClock;

impl Clock for WallClock {
    fn now_ms(&self) -> u64 {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
    }
}

/// The time, as a record states it.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_ms(0).map_or(Timestamp::BASE, |epoch| epoch.plus_ms(WallClock.now_ms()))
}
