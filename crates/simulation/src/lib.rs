//! A Kafka in memory with virtual time and planted faults, for the very handlers that run elsewhere
