use events::Topic;

use crate::RetryPolicy;

/// A consumer group of a service on one topic, as `topology.json` declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The service that handles the records.
    pub service: String,
    /// Its consumer group.
    pub group: String,
    /// The topic it reads.
    pub topic: Topic,
    /// Where its records go that can never be handled.
    pub dead_letter: Topic,
    /// How many records a batch may hold.
    pub batch_records: usize,
    /// How long a failed record's partition waits.
    pub retry: RetryPolicy,
}

impl Subscription {
    /// The groups of a service.
    pub fn all_of(service: &topology::Service) -> Vec<Self> {
        // Rules of topology.json: whoever consumes has a retry policy, and its bounds make sense.
        let Some(retry) = service.retry.and_then(|retry| {
            RetryPolicy::try_new(retry.backoff_min_ms, retry.backoff_max_ms, retry.stuck_after_attempts)
        }) else {
            return Vec::new();
        };
        let of = |consumption: &topology::Consumption| Self {
            service: service.name.clone(),
            group: consumption.group.clone(),
            topic: Topic::named(&consumption.topic),
            dead_letter: Topic::named(&consumption.dead_letter),
            batch_records: consumption.batch_records as usize,
            retry,
        };
        service.consumes.iter().map(of).collect()
    }
}
