//! The shop on the embedded cluster, through the public API only; rdkafka looks at the topics from outside.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, which clippy takes for production code")]

mod audit_reader; // an audit that reads beside a run
mod backpressure; // a broker that does not confirm holds a group back
mod broker_faults; // refused writes, a broker that is away
mod dead_letters; // records that nobody can read
mod flow; // orders come to their ends, whatever the number of partitions
mod headers; // what every record carries
mod loss; // records that are gone, records that came from elsewhere
mod planted_faults; // what the audit sees of a step that cheats, and what it cannot see
mod rest; // when nothing moves any more
mod retries; // one partition waits, the others go on
mod stopping; // a pipeline that is given up, drained early, or whose step panics
mod topic_reader; // topics read without a group
mod writer; // batches for who waits for each

mod from_outside; // a plain producer and a plain reader
mod run; // the shop, its pipeline and its audit
mod steps; // steps that are not the shop's own
