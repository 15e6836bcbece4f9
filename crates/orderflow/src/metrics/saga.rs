//! What a worker of the saga tells beside what its groups count.

use kafka_transport::names::Metric;

/// By `outside`, the service's name.
pub(crate) const CIRCUIT_BREAKER: Metric = Metric::gauge(
    "orderflow_circuit_breaker_state",
    "Of a service outside: 0 closed: it is called; 1 open: it is spared; 2 half-open: one call tries",
);

/// In the whole store; not told while that is away.
pub(crate) const UNFINISHED: Metric =
    Metric::gauge("orderflow_sagas_unfinished", "Sagas that have not come to their end");

/// As [`UNFINISHED`].
pub(crate) const STUCK: Metric = Metric::gauge(
    "orderflow_sagas_stuck",
    "Of those, sagas of which something could not be undone yet: somebody should look",
);

pub(crate) const ALL: [Metric; 3] = [CIRCUIT_BREAKER, UNFINISHED, STUCK];
