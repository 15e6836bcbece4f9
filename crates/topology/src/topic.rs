//! A topic.

/// A topic as it is declared. Who writes and reads it is said by the services alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// A valid Kafka topic name.
    pub name: String,
    /// 1 to 1000.
    pub partitions: u32,
    /// Copies of each partition, 1 to 7; where there are fewer brokers, one on each.
    pub replication: u16,
    /// How long records are kept: 1 minute to 10 years. For ever (-1) is refused: each log has a limit.
    pub retention_ms: u64,
    /// The largest batch of records that brokers take, 1 KiB to 8 MiB: Kafka's `max.message.bytes`. A dead-letter topic takes
    /// more than its group's topic, for the headers that say why and from where.
    pub max_message_bytes: u32,
}
