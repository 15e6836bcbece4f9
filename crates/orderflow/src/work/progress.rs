use std::time::{Duration, Instant};

use kafka_transport::{Tallies, Tally};

/// How often the log says what was done.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What the groups of a worker do, for who reads its log: once a minute, and at its end.
pub(super) struct Progress {
    tallies: Tallies,
    told: Vec<Tally>,
    at: Instant,
}

impl Progress {
    pub(super) fn start(tallies: Tallies) -> Self {
        Self { told: tallies.read(), tallies, at: Instant::now() }
    }

    /// Tells of the last minute, once it is over.
    pub(super) fn look(&mut self) {
        if self.at.elapsed() >= TELL_EVERY {
            self.tell();
        }
    }

    /// Tells what was done since it told last.
    pub(super) fn tell(&mut self) {
        let now = self.tallies.read();
        for (before, now) in self.told.iter().zip(&now) {
            tell(before, now);
        }
        (self.told, self.at) = (now, Instant::now());
    }
}

fn tell(before: &Tally, now: &Tally) {
    let handled = now.handled - before.handled;
    let (rejected, retried) = (now.rejected - before.rejected, now.retried - before.retried);
    if handled + rejected + retried == 0 {
        return;
    }
    let (service, group) = (now.service.as_str(), now.group.as_str());
    let waited_us = (now.waited_us - before.waited_us).checked_div(handled + rejected).unwrap_or(0);
    let latency_ms = waited_us as f64 / 1_000.0;
    tracing::info!(
        order_id = "",
        event_type = "",
        service,
        status = "counted",
        group,
        handled,
        rejected,
        retried,
        latency_ms,
        "records of a group"
    );
}
