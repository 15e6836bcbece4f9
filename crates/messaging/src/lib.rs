//! The seam between deciding and doing.
//!
//! A [`Handler`] decides: one record in, records or a [`Failure`] out. A host does: it brings records to a [`Worker`], the
//! at-least-once loop, carries out the [`Effect`]s it answers with, and tells it what became of them. Batches, offsets,
//! retries and dead letters happen here, once, for every system and every host. The [`audit`] proves the result.

pub mod audit; // was anything lost, was anything doubled?
pub mod store; // streams of events and rows: what outlives a service

mod chance; // outcomes as a pure function of who decides about what
mod circuit_breaker; // something outside that fails is spared
mod clock; // time, passed in
mod dead_letter; // what is left of a record that can never be handled, and what became of that
mod handler; // one record in, records out; lifted into a batch step
mod record; // what arrives, what leaves
mod retry; // how long to wait before the next attempt
mod services; // a system's code, held beside topology.json
mod steady_rate; // so many a second, evenly
mod subscription; // a consumer group of a service on a topic
mod trace_context; // which trace a record belongs to
mod worker; // the at-least-once loop

pub use chance::{Draw, Rate};
pub use circuit_breaker::{BreakerPolicy, CircuitBreaker};
pub use clock::Clock;
pub use dead_letter::{DeadLetter, Fate, GivenUp, Origin, Place, Settlement, Verbatim, about, redriven, redrives};
pub use handler::{BatchStep, Context, Due, Failure, Handler, Lifted, Outcome};
pub use record::{CAUSATION_ID, EVENT_ID, Follows, Header, Headers, NoHeaders, Outgoing, RUN, Record};
pub use retry::RetryPolicy;
pub use services::{Code, NewStep, Services, ServicesError};
pub use steady_rate::SteadyRate;
pub use subscription::Subscription;
pub use trace_context::{TRACEPARENT, TRACESTATE, TraceContext};
pub use worker::{Answer, BatchId, Breaker, Effect, Worker};
