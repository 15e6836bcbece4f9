//! AWS Lambda on one machine, for functions with a custom runtime in any language: the zips that are deployed run as processes
//! behind the Runtime API, are invoked as AWS's clients do it, and get their batches from Kafka by event source mappings.
//!
//! What it is told are the bodies of AWS's API; what it does not support it refuses with AWS's error types.

mod api; // what is served at one address
mod archive; // a zip with a bootstrap
mod aws_error; // how AWS says no
mod clock; // the time of schedules
mod control_plane; // Lambda's API beside Invoke
mod emulator; // functions and mappings by name
mod endpoint; // AWS's other services, where somebody emulates them
mod environment; // one process, its Runtime API, one event at a time
mod faults; // what the emulator breaks itself
mod function; // a function and its environments
mod functions; // functions by name, and what AWS keeps of them
mod http; // a small HTTP server
mod invoke_api; // the Invoke API
mod log; // what a function prints
mod log_format; // what Lambda itself logs, as text or as JSON
mod mapping; // Kafka behind it
mod mappings; // mappings by UUID
mod metrics; // what functions did and how far mappings are behind, for Prometheus
mod model; // the bodies of AWS's API
pub mod names; // what those metrics are called
mod runtime_api; // the Runtime API
mod schedule; // events at a rate
mod secrets; // Secrets Manager, as far as functions and mappings ask it
mod tally; // what a function has done so far

pub use archive::{Packing, pack};
pub use aws_error::AwsError;
pub use clock::ScaledClock;
pub use emulator::{Emulator, InvocationType, InvokeServer, MappingSummary, Options};
pub use endpoint::Endpoints;
pub use environment::Outcome;
pub use faults::{FaultArgs, Faults};
pub use mapping::MappingStatus;
pub use model::{
    Code, CreateEventSourceMapping, CreateFunction, DeadLetterConfig, Environment, EphemeralStorage, KafkaConfig,
    LoggingConfig, NoDestination, Nothing, ProvisionedPollerConfig, SelfManagedEventSource, SnapStart,
    SourceAccessConfiguration, TracingConfig, VpcConfig,
};
pub use schedule::{CreateSchedule, FlexibleTimeWindow, RetryPolicy, Target};
pub use tally::FunctionStatus;
