//! What a broker tells, by the names that Ansible's role jmx_exporter gives to Kafka's JMX beans.

use kafka_transport::names::Metric;

pub(crate) const ACTIVE_CONTROLLER: Metric =
    Metric::gauge("kafka_controller_active", "1 on the broker that is the controller, 0 on the others");

pub(crate) const OFFLINE_PARTITIONS: Metric = Metric::gauge(
    "kafka_controller_offline_partitions",
    "Partitions without a leader, which nobody can write or read; the controller knows them, the others say 0",
);

pub(crate) const UNDER_REPLICATED: Metric = Metric::gauge(
    "kafka_server_under_replicated_partitions",
    "Partitions that this broker leads and of which a replica is behind or away",
);

pub(crate) const UNDER_MIN_ISR: Metric = Metric::gauge(
    "kafka_server_under_min_isr_partitions",
    "Partitions that this broker leads and that have too few replicas in sync to be written",
);

pub(crate) const PARTITIONS: Metric =
    Metric::gauge("kafka_server_partitions", "Partitions of which this broker has a replica");

pub(crate) const LEADERS: Metric = Metric::gauge("kafka_server_leaders", "Partitions that this broker leads");

/// By `topic`.
pub(crate) const BYTES_IN: Metric = Metric {
    family: "kafka_server_topic_bytes_in",
    series: "kafka_server_topic_bytes_in_total",
    help: "Bytes that producers have written, by topic",
};

/// By `topic`.
pub(crate) const BYTES_OUT: Metric = Metric {
    family: "kafka_server_topic_bytes_out",
    series: "kafka_server_topic_bytes_out_total",
    help: "Bytes that consumers have fetched, by topic",
};

/// By `topic`.
pub(crate) const RECORDS_IN: Metric = Metric {
    family: "kafka_server_topic_records_in",
    series: "kafka_server_topic_records_in_total",
    help: "Records that producers have written, by topic",
};

/// By `topic` and `partition`.
pub(crate) const LOG_BYTES: Metric =
    Metric::gauge("kafka_log_size_bytes", "Bytes that a partition takes on the disk of this broker");

/// By `request`.
pub(crate) const REQUEST_P99: Metric = Metric::gauge(
    "kafka_network_request_p99_milliseconds",
    "99 % of the requests of this kind were answered within so many milliseconds",
);

pub(crate) const HANDLER_IDLE: Metric = Metric::gauge(
    "kafka_server_handler_idle_ratio",
    "Share of the time in which request handlers wait for work, 0 to 1",
);

/// What our rules of jmx_exporter make.
#[cfg(test)]
pub(crate) const ALL: [Metric; 12] = [
    ACTIVE_CONTROLLER,
    OFFLINE_PARTITIONS,
    UNDER_REPLICATED,
    UNDER_MIN_ISR,
    PARTITIONS,
    LEADERS,
    BYTES_IN,
    BYTES_OUT,
    RECORDS_IN,
    LOG_BYTES,
    REQUEST_P99,
    HANDLER_IDLE,
];

/// What jmx_exporter tells of every JVM by itself, by `area`: heap and nonheap.
pub(crate) const JVM_MEMORY_USED: Metric = Metric::gauge("jvm_memory_used_bytes", "Bytes that a JVM uses");

/// As [`JVM_MEMORY_USED`].
pub(crate) const JVM_MEMORY_MAX: Metric = Metric::gauge("jvm_memory_max_bytes", "Bytes that a JVM may use at most");
