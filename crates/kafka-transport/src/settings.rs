use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::Connection;

/// How long brokers may take to answer a question. With what it takes to give up, whoever asked is told within 10 seconds.
pub(crate) const CONNECT_DEADLINE: Duration = Duration::from_secs(9);

/// How long a write may wait for its confirmation before it counts as failed: longer than a leader takes to move.
pub(crate) const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// How long clients wait to send and to fetch. A batch that waits longer is larger, and a cluster has less to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long a producer collects records into a batch.
    linger_ms: u32,
    /// How many writes a producer has under way with one broker; more wait, and grow into larger batches.
    max_in_flight: u32,
    /// How long a broker holds a fetch that finds nothing.
    fetch_wait_ms: u32,
}

/// As many as librdkafka allows.
const NO_LIMIT: u32 = 1_000_000;

impl Pace {
    /// Apache Kafka. A broker answers a waiting fetch as soon as there is something, and of a connection's writes it begins none before
    /// the one before is on all replicas: a second one is under way so that it finds work, and a third would only wait there, in a batch
    /// of its own.
    pub const BROKERS: Self = Self { linger_ms: 10, max_in_flight: 2, fetch_wait_ms: 500 };

    /// The embedded cluster, as fast as it goes; also the quickest for a single order.
    pub const FULL: Self = Self { linger_ms: 1, max_in_flight: NO_LIMIT, fetch_wait_ms: 1 };

    /// The embedded cluster at a steady rate below the full one: it keeps small batches, and each fetch walks over all of
    /// them, so fewer and larger ones keep it calm at the price of some latency.
    pub const STEADY: Self = Self { linger_ms: 5, max_in_flight: NO_LIMIT, fetch_wait_ms: 20 };

    /// How long a producer collects records into a batch, in milliseconds: no partition gets more batches than that allows.
    pub const fn linger_ms(self) -> u32 {
        self.linger_ms
    }
}

/// What every client of ours is told.
pub(crate) fn client(connection: &Connection) -> ClientConfig {
    let mut config = ClientConfig::new();
    connection.configure(&mut config);
    config
        .set_log_level(RDKafkaLogLevel::Info) // also what is no error to librdkafka: `Heard` listens
        .set("client.id", "orderflow")
        // librdkafka creates topics by default, with partitions that no topology states.
        .set("allow.auto.create.topics", "false");
    config
}

/// A client that looks after topics and groups.
pub(crate) fn admin(connection: &Connection) -> ClientConfig {
    let mut config = client(connection);
    // The default is five minutes: a cluster that is just starting names no controller, and its requests would wait for that.
    config.set("topic.metadata.refresh.interval.ms", "500");
    config
}

/// Bounds in kilobytes of what a client holds in memory; librdkafka's defaults are 1 GiB and 64 MiB.
const PRODUCER_QUEUE_KBYTES: &str = "65536";
const CONSUMER_QUEUE_KBYTES: &str = "8192";

pub(crate) fn producer(connection: &Connection, pace: Pace) -> ClientConfig {
    let mut config = client(connection);
    config
        .set("acks", "all")
        // The idempotent producer would spare a repeat after a lost confirmation, which the audit collapses anyway; while
        // little is written, librdkafka 2.12.1 spins for it with all its broker threads.
        .set("enable.idempotence", "false")
        .set("linger.ms", pace.linger_ms.to_string())
        .set("max.in.flight", pace.max_in_flight.to_string())
        .set("queue.buffering.max.kbytes", PRODUCER_QUEUE_KBYTES)
        .set("message.timeout.ms", WRITE_DEADLINE.as_millis().to_string())
        // Brokers that all come back at once know no topic until one of them is controller. librdkafka gives the writes up
        // then, except in this time from its first look at the topic on; 35 minutes are the most that it counts right.
        .set("topic.metadata.propagation.max.ms", "2000000")
        // How much a topic takes is said by its broker alone: a limit of ours would refuse for ever what that takes.
        .set("message.max.bytes", "1000000000")
        // Where Java's clients would put the same key.
        .set("partitioner", "murmur2_random");
    config
}

/// The least that librdkafka takes.
const MIN_SOCKET_TIMEOUT_MS: u128 = 10;

/// A producer within a function that is frozen between its invocations: it writes little, awaits all of it, and finds its
/// connections dead when it thaws.
pub(crate) fn function(connection: &Connection, write_deadline: Duration) -> ClientConfig {
    let mut config = producer(connection, Pace::FULL);
    config
        .set("message.timeout.ms", write_deadline.as_millis().to_string())
        // A request on a connection that died while we were frozen gives up early enough to be sent anew on another one.
        .set("socket.timeout.ms", (write_deadline / 3).as_millis().max(MIN_SOCKET_TIMEOUT_MS).to_string())
        // To all brokers at once: by default librdkafka connects when it needs one, and pauses 25 ms before each.
        .set("enable.sparse.connections", "false")
        .set("socket.keepalive.enable", "true")
        // Below the 350 s after which a NAT gateway forgets a connection without a word.
        .set("connections.max.idle.ms", "120000")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000");
    config
}

/// How often a consumer states its lag, where somebody wants to know.
pub(crate) const STATISTICS_INTERVAL_MS: &str = "2000";

/// How long a member may be silent before its group gives its partitions to others. Kafka's default of 45 s would be the time
/// that a killed worker's orders wait.
const SESSION_TIMEOUT_MS: u32 = 6_000;

/// A consumer that stores an offset only when told to, and for which a dropped record is an error instead of a silent jump.
pub(crate) fn consumer(connection: &Connection, group: &str, pace: Pace) -> ClientConfig {
    let mut config = client(connection);
    config
        .set("group.id", group)
        .set("auto.offset.reset", "error")
        // The default stores an offset before the record is handled: a crash would lose it.
        .set("enable.auto.offset.store", "false")
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "500")
        .set("fetch.wait.max.ms", pace.fetch_wait_ms.to_string())
        .set("queued.max.messages.kbytes", CONSUMER_QUEUE_KBYTES)
        // Default 1,000: a full local queue would stop fetching for a second.
        .set("fetch.queue.backoff.ms", "10")
        .set("session.timeout.ms", SESSION_TIMEOUT_MS.to_string())
        .set("heartbeat.interval.ms", (SESSION_TIMEOUT_MS / 4).to_string())
        // Only the partitions that move are given back; the others go on meanwhile.
        .set("partition.assignment.strategy", "cooperative-sticky");
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_queue_of_a_client_has_a_limit() {
        let limit = |config: &ClientConfig, name| config.get(name).and_then(|value| value.parse::<u32>().ok());
        let producer = producer(&Connection::plaintext("localhost:1"), Pace::FULL);
        let consumer = consumer(&Connection::plaintext("localhost:1"), "group", Pace::FULL);
        assert!(limit(&producer, "queue.buffering.max.kbytes").is_some_and(|kbytes| kbytes <= 65_536));
        assert!(limit(&producer, "message.timeout.ms").is_some_and(|ms| (1..=60_000).contains(&ms)));
        assert!(limit(&consumer, "queued.max.messages.kbytes").is_some_and(|kbytes| kbytes <= 8_192));
    }

    #[test]
    fn a_consumer_never_stores_an_offset_by_itself_and_never_skips_what_was_dropped() {
        let consumer = consumer(&Connection::plaintext("localhost:1"), "group", Pace::FULL);
        assert_eq!(consumer.get("enable.auto.offset.store"), Some("false"));
        assert_eq!(consumer.get("auto.offset.reset"), Some("error"));
    }
}
