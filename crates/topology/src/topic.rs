//! A topic.

/// A topic as it is declared. Who writes and reads it is said by the services alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// A valid Kafka topic name.
    pub name: String,
    /// 1 to 1000.
    pub partitions: u32,
    /// Copies of each partition, 1 to 7; the brokers must be as many.
    pub replication: u16,
    /// How long records are kept: 1 minute to 10 years. For ever (-1) is refused: each log has a limit.
    pub retention_ms: u64,
}
