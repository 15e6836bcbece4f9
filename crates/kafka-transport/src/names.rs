//! What the metrics of groups are called, once for who counts and for who asks.

/// A metric, by the names that OpenMetrics gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Of its family, as it is registered: without its unit, and without what its type adds.
    pub family: &'static str,
    /// Of its samples, as Prometheus keeps them: those of a histogram are its buckets.
    pub series: &'static str,
    /// What it says, in which unit, and what its values mean.
    pub help: &'static str,
}

impl Metric {
    /// What goes up and down: its samples are called as its family.
    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { family: name, series: name, help }
    }
}

/// By `service`, `topic` and `status`.
pub const RECORDS: Metric = Metric {
    family: "orderflow_records",
    series: "orderflow_records_total",
    help: "Records by what became of them: handled, retried (the handler asked for another attempt), failed (a write was \
           not confirmed, the batch comes again), dead_lettered, or skipped by a group without dead letters",
};

/// By `service` and `topic`, in seconds.
pub const BATCH: Metric = Metric {
    family: "orderflow_batch",
    series: "orderflow_batch_seconds_bucket",
    help: "From the fetch of a batch to the confirmation of all that follows from it",
};

/// By `service`, `topic` and `partition`.
pub const LAG: Metric =
    Metric::gauge("orderflow_lag_records", "Records of a partition that the group is not done with");

/// By `service` and `topic`.
pub const BREAKER: Metric = Metric::gauge(
    "orderflow_breaker_state",
    "0 closed: all partitions flow; 1 open: one waits after a failure; 2 half-open: one tries again",
);

/// By `service` and `topic`.
pub const OPEN_BATCHES: Metric =
    Metric::gauge("orderflow_open_batches", "Batches whose writes are not confirmed yet; 64 at most");

/// All that groups count.
pub const ALL: [Metric; 5] = [RECORDS, BATCH, LAG, BREAKER, OPEN_BATCHES];
