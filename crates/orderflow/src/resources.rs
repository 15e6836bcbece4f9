use std::time::{Duration, Instant};

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Measures what a run costs, the embedded cluster included: it lives in this process.
pub(crate) struct Meter {
    started: Instant,
    cpu_us: u64,
}

/// What a run cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) elapsed: Duration,
    /// CPU time of all threads, user and system.
    pub(crate) cpu_us: u64,
    /// The most memory the process ever had.
    pub(crate) peak_rss_mib: u64,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), cpu_us: cpu_us(usage()) }
    }

    pub(crate) fn read(&self) -> Cost {
        let usage = usage();
        // Linux counts kibibytes, macOS bytes.
        let per_mib = if cfg!(target_os = "macos") { 1024 * 1024 } else { 1024 };
        let peak_rss_mib = usage.map_or(0, |usage| u64::try_from(usage.max_rss()).unwrap_or(0) / per_mib);
        Cost { elapsed: self.started.elapsed(), cpu_us: cpu_us(usage).saturating_sub(self.cpu_us), peak_rss_mib }
    }
}

fn usage() -> Option<Usage> {
    getrusage(UsageWho::RUSAGE_SELF).ok()
}

fn cpu_us(usage: Option<Usage>) -> u64 {
    let us = usage.map_or(0, |usage| usage.user_time().num_microseconds() + usage.system_time().num_microseconds());
    u64::try_from(us).unwrap_or(0)
}
