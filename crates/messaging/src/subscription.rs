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
    /// Where its records go that can never be handled; `None` where they are logged, counted and skipped.
    pub dead_letter: Option<Topic>,
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
            dead_letter: consumption.dead_letter.as_deref().map(Topic::named),
            batch_records: consumption.batch_records as usize,
            retry,
        };
        service.consumes.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use topology::Topology;

    use super::*;

    #[test]
    fn a_subscription_says_what_the_topology_declares() {
        let topology = Topology::built_in().unwrap();
        let service = topology.service("payment_processor").unwrap();
        let expected = Subscription {
            service: "payment_processor".into(),
            group: "payment_processor.order_placed".into(),
            topic: Topic::new("order_placed"),
            dead_letter: Some(Topic::new("payment_processor.order_placed.dead_letter")),
            batch_records: service.consumes[0].batch_records as usize,
            retry: RetryPolicy::try_new(100, 30_000, 5).unwrap(),
        };
        assert_eq!(Subscription::all_of(service), [expected]);
    }

    #[test]
    fn no_group_of_the_topology_is_without_its_subscription() {
        let topology = Topology::built_in().unwrap();
        let declared: Vec<&str> = topology.groups().map(|(_, group)| group.group.as_str()).collect();
        let subscribed: Vec<String> =
            topology.services().flat_map(Subscription::all_of).map(|subscription| subscription.group).collect();
        assert_eq!(subscribed, declared);
    }

    #[test]
    fn a_service_that_reads_nothing_has_no_subscription() {
        let topology = Topology::built_in().unwrap();
        let reads_nothing = topology.services().find(|service| service.consumes.is_empty()).unwrap();
        assert_eq!(Subscription::all_of(reads_nothing), []);
    }
}
