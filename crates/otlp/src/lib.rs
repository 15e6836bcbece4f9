//! Spans of handled records, exported by [OTLP] over HTTP: what a tracing system draws as one order's way.
//!
//! Hosts begin a [`Span`] for each record and hand it over once the record is done with. Nobody waits for the export: there is
//! a queue with an end, and a thread behind it. What has no room there is dropped and counted.
//!
//! [OTLP]: https://opentelemetry.io/docs/specs/otlp/

mod answering; // a batch while its records are answered
mod exporter; // the thread that sends batches, and what it does where nobody takes them
mod queue; // what waits to be sent: so many, and no more
mod request; // a batch as OTLP has it in JSON
mod settings; // where to, and how many traces
mod span; // what is told of a record
mod traces; // what hosts speak to

pub use answering::Answering;
pub use settings::{ENDPOINT, SAMPLER, SAMPLER_ARG, Settings, VARIABLES, WrongSettings};
pub use span::Span;
pub use traces::{Traces, entered};
