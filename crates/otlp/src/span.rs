use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::SystemTime;

use events::Topic;
use messaging::{Subscription, TraceContext};

/// What is told of a record: who handled it or wrote it, when, and what became of it.
#[derive(Clone, Debug)]
pub struct Span {
    pub(crate) context: TraceContext,
    /// The span that it follows from; none begins a trace.
    pub(crate) parent: Option<NonZeroU64>,
    pub(crate) did: Did,
    pub(crate) key: Option<String>,
    pub(crate) event_id: Option<String>,
    pub(crate) begins: SystemTime,
    pub(crate) ends: SystemTime,
    pub(crate) failure: Option<Failure>,
}

/// What somebody did with the record.
#[derive(Clone, Debug)]
pub(crate) enum Did {
    /// A group has handled it, or given it up, or will have it again.
    Process { group: Arc<Subscription>, partition: i32, offset: i64, is_tombstone: bool },
    /// A service has written it, and it follows from no record.
    Send { service: Arc<str>, topic: Topic },
}

/// Why the record was not handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// It is in the group's dead-letter topic.
    DeadLettered,
    /// The group keeps no dead letters.
    Skipped,
    /// The service asked for another attempt.
    Retried,
    /// A write of its batch was not confirmed: it comes again.
    NotConfirmed,
}

impl FailureKind {
    /// The word for it, which the metric `orderflow_records` has, too.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::DeadLettered => "dead_lettered",
            Self::Skipped => "skipped",
            Self::Retried => "retried",
            Self::NotConfirmed => "failed",
        }
    }
}

impl Span {
    pub(crate) fn service(&self) -> &str {
        match &self.did {
            Did::Process { group, .. } => &group.service,
            Did::Send { service, .. } => service,
        }
    }
}
