//! Records over Kafka: consumers, the producer, the embedded cluster
