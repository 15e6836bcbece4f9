//! One log event a record: the message is fixed, facts are fields, and the same five come first.

use events::Envelope;
use messaging::{Answer, BatchStep, CAUSATION_ID, EVENT_ID, Record, Subscription, Worker};
use tracing::{Level, debug, enabled, error, info, warn};

/// Tells the log what became of a record. Costs nothing while nobody reads that level.
pub fn answered<S: BatchStep>(worker: &Worker<S>, record: &Record<'_>, answer: &Answer) {
    let is_read = match answer {
        Answer::Handled => enabled!(Level::INFO),
        Answer::Rejected(_) => enabled!(Level::WARN),
        Answer::Retried(_) => enabled!(Level::WARN),
    };
    if !is_read {
        return;
    }
    let Envelope { order_id, event_type } = worker.envelope(record);
    // Where the value names no type its topic does.
    let event_type = if event_type.is_empty() { record.topic.as_str() } else { &event_type };
    let header = |name| record.headers.last(name).and_then(|id| std::str::from_utf8(id).ok()).unwrap_or("");
    // A saga's stored events name it as their cause.
    let (event_id, causation_id) = (header(EVENT_ID), header(CAUSATION_ID));
    let service = worker.subscription().service.as_str();
    let (topic, partition, offset) = (record.topic.as_str(), record.partition, record.offset);
    // A line of that level: the fields that all of them have, then its own.
    macro_rules! line {
        ($level:ident, $status:literal, $message:literal $(, $field:ident)*) => {
            $level!(
                order_id,
                event_type,
                service,
                status = $status,
                topic,
                partition,
                offset,
                event_id,
                causation_id,
                $($field,)*
                $message
            )
        };
    }
    match answer {
        Answer::Handled => match worker.remark(record) {
            Some(remark) => line!(info, "handled", "record handled", remark),
            None => line!(debug, "handled", "record handled"),
        },
        Answer::Rejected(reason) if worker.subscription().dead_letter.is_none() => {
            line!(warn, "skipped", "record rejected", reason);
        }
        Answer::Rejected(reason) => line!(warn, "dead_lettered", "record rejected", reason),
        Answer::Retried(reason) => line!(warn, "retried", "record failed", reason),
    }
}

/// What follows from a batch was not written: the batch comes again.
pub fn failed(subscription: &Subscription, reason: &str) {
    let (service, topic) = (subscription.service.as_str(), subscription.topic.as_str());
    warn!(order_id = "", event_type = "", service, status = "failed", topic, reason, "batch not confirmed");
}

/// Partitions have come to this member of the group, or gone to another.
pub(crate) fn rebalanced(subscription: &Subscription, status: &'static str, partitions: &[i32]) {
    let Subscription { service, topic, group, .. } = subscription;
    let (topic, partitions) = (topic.as_str(), format!("{partitions:?}"));
    info!(order_id = "", event_type = "", service, status, topic, group, partitions, "partitions of a group");
}

/// What was handled here and not committed is handled once more by the next member: a redelivery.
pub(crate) fn commit_refused(service: &str, error: &dyn std::fmt::Display) {
    warn!(order_id = "", event_type = "", service, status = "commit_refused", %error, "commit refused");
}

/// Calls somebody: a partition keeps failing at a record.
pub fn stuck(service: &str, topic: events::Topic, partition: i32, offset: i64, attempts: u32, reason: &str) {
    let topic = topic.as_str();
    error!(
        order_id = "",
        event_type = "",
        service,
        status = "stuck",
        topic,
        partition,
        offset,
        attempts,
        reason,
        "service is stuck"
    );
}
