//! Handlers on AWS Lambda: the batch of a Kafka event source mapping goes through the loop of `messaging`, and becomes the
//! answer that the mapping reads.
//!
//! Whatever follows from a batch is confirmed by the brokers before [`KafkaFunction`] answers: a function is frozen as soon as it
//! has, and what were under way then would come late or never.

mod answer; // what the mapping reads, in its two modes
mod event; // the batch as Lambda hands it in
mod freeze; // what is done before an answer, because nothing is done behind it
mod kafka_function; // the loop around a service's handler, one batch an invocation
mod runtime; // Lambda's Runtime API

pub use answer::{AnswerMode, BatchFailed, BatchResponse, Position};
pub use event::{Delivered, EventError, read_batch};
pub use freeze::export;
pub use kafka_function::{Broker, Error, KafkaFunction};
pub use runtime::{Function, Invocation, InvocationError, report_init_error, run};
