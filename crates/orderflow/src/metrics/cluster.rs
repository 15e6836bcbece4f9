//! What `orderflow monitor --listen` tells of the whole cluster, also of groups whose members are functions and tell nothing.

use kafka_transport::names::Metric;

pub(crate) const ANSWERS: Metric = Metric::gauge(
    "orderflow_cluster_answers",
    "1: the cluster has said how it stands; 0: it did not answer, or the user may not see all groups",
);

/// By `service` and `topic`.
pub(crate) const GROUP_LAG: Metric =
    Metric::gauge("orderflow_group_lag_records", "Records of a topic that a service's group is not done with");

/// By `service` and `topic`.
pub(crate) const GROUP_MEMBERS: Metric = Metric::gauge("orderflow_group_members", "Members of a service's group");

/// By `topic`; not told while one of its partitions has no leader.
pub(crate) const TOPIC_RECORDS: Metric = Metric {
    family: "orderflow_topic_records",
    series: "orderflow_topic_records_total",
    help: "Records written to a topic since it was created, by the ends of its partitions",
};

#[cfg(test)]
pub(crate) const ALL: [Metric; 4] = [ANSWERS, GROUP_LAG, GROUP_MEMBERS, TOPIC_RECORDS];
