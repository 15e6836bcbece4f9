//! What each service may do on the cluster: derived from what it reads and writes, and nothing more.

use std::collections::BTreeSet;
use std::fmt;

use crate::{Host, Topology};

/// One right of one user; on a cluster with authorization, one ACL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right<'a> {
    /// The Kafka user: the service's name.
    pub user: &'a str,
    /// On what.
    pub resource: Resource<'a>,
    /// To do what.
    pub operation: Operation,
}

/// What a right is about. Names are literal, never prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource<'a> {
    /// A topic.
    Topic(&'a str),
    /// A consumer group.
    Group(&'a str),
    /// The cluster itself.
    Cluster,
}

impl<'a> Resource<'a> {
    /// Kafka's word: `topic`, `group` or `cluster`.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Topic(_) => "topic",
            Self::Group(_) => "group",
            Self::Cluster => "cluster",
        }
    }

    /// The name of the topic or group; the cluster's is always the same.
    #[must_use]
    pub const fn name(self) -> &'a str {
        match self {
            Self::Topic(name) | Self::Group(name) => name,
            Self::Cluster => "kafka-cluster",
        }
    }
}

/// What a right allows, in Kafka's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Fetch records; join a group and commit its offsets.
    Read,
    /// Produce records, idempotently too.
    Write,
    /// Ask for partitions and leaders, or for a group's members.
    Describe,
    /// Ask for settings.
    DescribeConfigs,
}

impl Operation {
    /// Kafka's word, such as `READ`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::Describe => "DESCRIBE",
            Self::DescribeConfigs => "DESCRIBE_CONFIGS",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Topology {
    /// All rights that the services need, each once, by user, resource and operation.
    ///
    /// - A producer: WRITE and DESCRIBE on its topics.
    /// - A consumer: READ and DESCRIBE on its topics and groups, WRITE and DESCRIBE on its dead letters.
    /// - On Lambda: `DESCRIBE_CONFIGS` on the cluster, which its event source mapping asks for.
    #[must_use]
    pub fn rights(&self) -> Vec<Right<'_>> {
        let mut rights = BTreeSet::new();
        for service in self.services() {
            let mut grant = |resource, operations: &[Operation]| {
                rights.extend(operations.iter().map(|&operation| Right { user: &service.name, resource, operation }));
            };
            for topic in &service.produces {
                grant(Resource::Topic(topic), &[Operation::Write, Operation::Describe]);
            }
            for consumption in &service.consumes {
                grant(Resource::Topic(&consumption.topic), &[Operation::Read, Operation::Describe]);
                grant(Resource::Group(&consumption.group), &[Operation::Read, Operation::Describe]);
                if let Some(dead_letter) = &consumption.dead_letter {
                    grant(Resource::Topic(dead_letter), &[Operation::Write, Operation::Describe]);
                }
                if service.host == Host::Lambda {
                    grant(Resource::Cluster, &[Operation::DescribeConfigs]);
                }
            }
        }
        rights.into_iter().collect()
    }
}
