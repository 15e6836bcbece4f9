//! A service behind its event source mappings.

use kafka_transport::Writer;
use lambda_host::{Function, Invocation, InvocationError, KafkaFunction, read_batch};
use serde_json::value::{RawValue, to_raw_value};

/// What a service does with a batch.
pub(crate) struct Consumer(pub(crate) KafkaFunction<Writer>);

impl Function for Consumer {
    fn invoke(&self, event: &[u8], invocation: &Invocation) -> Result<Box<RawValue>, InvocationError> {
        let batch = read_batch(event).map_err(|error| InvocationError::new("Event.NotABatch", error))?;
        let answer = self.0.handle(&batch, invocation.deadline).map_err(|error| match &error {
            lambda_host::Error::BatchFailed(_) => InvocationError::new("Batch.Failed", error),
            lambda_host::Error::UnknownTopic { .. } => InvocationError::new("Batch.UnknownTopic", error),
        })?;
        to_raw_value(&answer).map_err(|error| InvocationError::new("Answer", error))
    }
}
