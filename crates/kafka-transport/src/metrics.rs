//! What groups count, for Prometheus.

use messaging::{Answer, Breaker, Subscription};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::names;

type Labels = Vec<(&'static str, String)>;

/// All that the groups of a process count. A clone counts on the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    records: Family<Labels, Counter>,
    batch_seconds: Family<Labels, Histogram, BatchSeconds>,
    lag: Family<Labels, Gauge>,
    breaker: Family<Labels, Gauge>,
    open_batches: Family<Labels, Gauge>,
}

#[derive(Clone, Debug)]
struct BatchSeconds;

impl MetricConstructor<Histogram> for BatchSeconds {
    /// From a millisecond to half a minute, where a write counts as failed.
    fn new_metric(&self) -> Histogram {
        Histogram::new(exponential_buckets(0.001, 2.0, 16))
    }
}

impl Metrics {
    /// Counts into a registry that adds nothing to names.
    pub fn register(registry: &mut Registry) -> Self {
        let this = Self {
            records: Family::default(),
            batch_seconds: Family::new_with_constructor(BatchSeconds),
            lag: Family::default(),
            breaker: Family::default(),
            open_batches: Family::default(),
        };
        registry.register(names::RECORDS.family, names::RECORDS.help, this.records.clone());
        let batch = this.batch_seconds.clone();
        registry.register_with_unit(names::BATCH.family, names::BATCH.help, Unit::Seconds, batch);
        registry.register(names::LAG.family, names::LAG.help, this.lag.clone());
        registry.register(names::BREAKER.family, names::BREAKER.help, this.breaker.clone());
        registry.register(names::OPEN_BATCHES.family, names::OPEN_BATCHES.help, this.open_batches.clone());
        this
    }

    /// What one group counts.
    pub(crate) fn of(&self, subscription: &Subscription) -> GroupMetrics {
        let labels: Labels = vec![("service", subscription.service.clone()), ("topic", subscription.topic.to_string())];
        let records = |status: &str| self.records.get_or_create_owned(&with(&labels, "status", status));
        GroupMetrics {
            handled: records("handled"),
            retried: records("retried"),
            failed: records("failed"),
            rejected: records(if subscription.dead_letter.is_some() { "dead_lettered" } else { "skipped" }),
            batch_seconds: self.batch_seconds.get_or_create_owned(&labels),
            breaker: self.breaker.get_or_create_owned(&labels),
            open_batches: self.open_batches.get_or_create_owned(&labels),
            lag: Lag { family: self.lag.clone(), labels },
        }
    }
}

fn with(labels: &Labels, name: &'static str, value: &str) -> Labels {
    let mut labels = labels.clone();
    labels.push((name, value.to_owned()));
    labels
}

/// What one group counts.
#[derive(Debug)]
pub(crate) struct GroupMetrics {
    handled: Counter,
    retried: Counter,
    failed: Counter,
    rejected: Counter,
    batch_seconds: Histogram,
    breaker: Gauge,
    open_batches: Gauge,
    lag: Lag,
}

impl GroupMetrics {
    pub(crate) fn answered(&self, answer: &Answer) {
        match answer {
            Answer::Handled => self.handled.inc(),
            Answer::Rejected(_) => self.rejected.inc(),
            Answer::Retried(_) => self.retried.inc(),
        };
    }

    /// A batch came to its end, and these of its records come again because a write failed.
    pub(crate) fn settled(&self, seconds: f64, failed: u64) {
        self.batch_seconds.observe(seconds);
        self.failed.inc_by(failed);
    }

    /// How the loop is at this moment.
    pub(crate) fn state(&self, breaker: Breaker, open_batches: usize) {
        self.open_batches.set(i64::try_from(open_batches).unwrap_or(i64::MAX));
        self.breaker.set(match breaker {
            Breaker::Closed => 0,
            Breaker::Open => 1,
            Breaker::HalfOpen => 2,
        });
    }

    pub(crate) fn lag(&self) -> &Lag {
        &self.lag
    }
}

/// How far a group is behind, partition by partition.
#[derive(Clone, Debug)]
pub(crate) struct Lag {
    family: Family<Labels, Gauge>,
    labels: Labels,
}

impl Lag {
    /// States it; a partition that is not the member's is not its to speak of: `None`.
    pub(crate) fn set(&self, partition: i32, records: Option<i64>) {
        let labels = with(&self.labels, "partition", &partition.to_string());
        match records {
            Some(records) => {
                self.family.get_or_create(&labels).set(records);
            }
            None => {
                self.family.remove(&labels);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use events::Topic;
    use messaging::RetryPolicy;
    use prometheus_client::encoding::text::encode;

    use super::*;
    use crate::MAX_OPEN_BATCHES;

    #[test]
    fn what_a_group_counts_is_served_by_its_names() {
        let mut registry = Registry::default();
        let subscription = Subscription {
            service: "pay".into(),
            topic: Topic::named("orders"),
            group: "pay.orders".into(),
            dead_letter: None,
            batch_records: 1,
            retry: RetryPolicy::try_new(1, 1, 1).unwrap(),
        };
        let metrics = Metrics::register(&mut registry).of(&subscription);
        metrics.lag().set(0, Some(7));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let series = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split('{').next());
        let known = |name: &&str| !name.ends_with("_seconds_sum") && !name.ends_with("_seconds_count");
        let served: BTreeSet<&str> = series.filter(known).collect();
        assert_eq!(served, names::ALL.iter().map(|metric| metric.series).collect());
        assert!(names::OPEN_BATCHES.help.ends_with(&format!("; {MAX_OPEN_BATCHES} at most")));
    }
}
