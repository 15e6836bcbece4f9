use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use events::Topic;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use crate::Error;

/// How many bytes may stand in a topic unread. The embedded cluster keeps 5 MiB of a partition and drops what is older without
/// a word; this bound leaves room for headers and batches, also where one partition gets everything.
pub const MAX_UNREAD_BYTES: u64 = 3 * 1024 * 1024;

/// A Kafka cluster of one broker inside this process, on a free port of 127.0.0.1. It ends when it is dropped.
///
/// It keeps everything in memory and little of it ([`MAX_UNREAD_BYTES`]); it has no security, no replication and no
/// administration. What it speaks is Kafka's wire protocol.
pub struct EmbeddedCluster(MockCluster<'static, DefaultProducerContext>);

impl EmbeddedCluster {
    /// Starts a cluster with these topics and their numbers of partitions.
    ///
    /// # Errors
    /// Where no port can be opened.
    pub fn start(topics: impl IntoIterator<Item = (Topic, i32)>) -> Result<Self, Error> {
        let cluster = Self(MockCluster::new(1).map_err(Error::kafka("embedded cluster: start"))?);
        let (brokers, is_ready) = (cluster.brokers(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| keep_awake(&brokers, &is_ready));
            let created = cluster.create(topics);
            is_ready.store(true, Ordering::Release);
            created
        })?;
        Ok(cluster)
    }

    fn create(&self, topics: impl IntoIterator<Item = (Topic, i32)>) -> Result<(), Error> {
        for (topic, partitions) in topics {
            self.0
                .create_topic(topic.as_str(), partitions, 1)
                .map_err(Error::kafka(format!("embedded cluster: create topic {topic}")))?;
        }
        Ok(())
    }

    /// Where its broker listens: `HOST:PORT`.
    pub fn brokers(&self) -> String {
        self.0.bootstrap_servers()
    }
}

/// librdkafka's broker thread loses the wake-up for a command that comes right behind another, and sleeps on for up to a
/// second: a dozen topics took two on average. Somebody who connects wakes it.
fn keep_awake(brokers: &str, is_ready: &AtomicBool) {
    while !is_ready.load(Ordering::Acquire) {
        let _ = TcpStream::connect(brokers);
        std::thread::sleep(Duration::from_millis(1));
    }
}
