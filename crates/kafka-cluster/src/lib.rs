//! Real Kafka clusters on this machine, for tests and for a person to play with.
//!
//! [`Options`] starts one on loopback with free ports: a KRaft broker without security, or the target, three ZooKeeper servers and
//! three brokers behind TLS, SCRAM and ACLs. A [`Cluster`] breaks its nodes and its network on request, and leaves nothing behind,
//! also where its process is killed. A [`Detached`] one outlives the command that started it.

pub mod faults; // the fault matrix: what can happen while orders flow

mod certificates; // a private CA, and a certificate a broker
mod cluster; // nodes that run, and what can be done to them
mod detached; // a cluster that outlives its command
mod distribution; // where Kafka and Java are
mod folder; // what a cluster keeps on disk
mod launch; // what is started with which settings
mod options; // which cluster
mod ports; // free ports on loopback
mod preparation; // what nodes find when they start
mod proxy; // a network that can be cut
mod scram; // passwords, and what Kafka keeps of them
mod settings; // the files that brokers and ZooKeeper read
mod shared_classes; // a JVM's classes, parsed once
mod snapshot; // ZooKeeper's file format
mod znodes; // what ZooKeeper knows before it starts: users and rights

pub use cluster::{Cluster, Node};
pub use detached::Detached;
pub use distribution::Distribution;
pub use options::{ADMIN, Options};
pub use proxy::Proxy;

use std::path::PathBuf;

/// Why there is no cluster, or not the asked one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No Kafka on this machine.
    #[error(
        "no Apache Kafka: KAFKA_HOME is not set, and {looked} is not there; run `ci/kafka-dist` once, which provides it"
    )]
    NoDistribution {
        /// Where it would be.
        looked: String,
    },
    /// A folder that is no Kafka, or none with ZooKeeper.
    #[error(
        "{home}: no libs/{missing}-*.jar: Apache Kafka 3.9 with its ZooKeeper is needed; `ci/kafka-dist` provides it"
    )]
    NotADistribution {
        /// The folder.
        home: String,
        /// The jar that is missing.
        missing: &'static str,
    },
    /// No Java on this machine.
    #[error("no program java, neither in JAVA_HOME nor in PATH: Debian's package openjdk-17-jre-headless brings it")]
    NoJava,
    /// The system refused something.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A certificate could not be made.
    #[error("certificates: {0}")]
    Certificates(#[from] rcgen::Error),
    /// A node ended by itself.
    #[error("{node} ended by itself ({status}); logs are kept in {}, it ended with:\n{tail}", .logs.display())]
    NodeEnded {
        /// Which one.
        node: Node,
        /// How it ended.
        status: String,
        /// The last lines of its log.
        tail: String,
        /// Where the logs of all nodes are.
        logs: PathBuf,
    },
    /// A node did not get ready in time.
    #[error("{node} was not ready within {deadline_s} s; logs are kept in {}, its own ends with:\n{tail}", .logs.display())]
    NotReady {
        /// Which one.
        node: Node,
        /// How long was waited, in seconds.
        deadline_s: u64,
        /// The last lines of its log.
        tail: String,
        /// Where the logs of all nodes are.
        logs: PathBuf,
    },
    /// A node did not end when it was asked to.
    #[error("{node} still runs {deadline_s} s after SIGTERM")]
    NotStopped {
        /// Which one.
        node: Node,
        /// How long was waited, in seconds.
        deadline_s: u64,
    },
    /// Every try met a port that somebody else had taken in between.
    #[error(
        "{tries} times in a row somebody else took a port that had been free: is something else starting clusters?"
    )]
    PortsTaken {
        /// How often it was tried.
        tries: u32,
    },
    /// The cluster has no such node.
    #[error("this cluster has no {0}")]
    NoSuchNode(Node),
    /// The cluster has no such user.
    #[error("this cluster has no user {0}")]
    NoSuchUser(String),
    /// Clients reach this broker directly.
    #[error("no proxy stands before {0}: start the cluster with `Options::behind_proxies`")]
    NoProxy(Node),
    /// The folder holds none.
    #[error("{}: no cluster was started there", .0.display())]
    NoCluster(PathBuf),
    /// The nodes run, but a client gets no answer.
    #[error(transparent)]
    Kafka(#[from] kafka_transport::Error),
}

impl Error {
    fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        |source| Self::Io { doing, source }
    }
}
