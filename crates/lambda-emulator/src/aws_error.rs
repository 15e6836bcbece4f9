//! How AWS says no.

/// A refusal, as the Lambda API words it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct AwsError {
    /// The type, in the header `x-amzn-ErrorType`.
    pub kind: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong.
    pub message: String,
}

impl AwsError {
    /// A value that does not serve.
    pub fn invalid_parameter(message: impl Into<String>) -> Self {
        Self { kind: "InvalidParameterValueException", status: 400, message: message.into() }
    }

    /// The same of EventBridge Scheduler.
    pub fn validation(message: impl Into<String>) -> Self {
        Self { kind: "ValidationException", status: 400, message: message.into() }
    }

    /// A schedule of that name is there already.
    pub fn schedule_conflict(message: impl Into<String>) -> Self {
        Self { kind: "ConflictException", status: 409, message: message.into() }
    }

    /// Something of that name is there already.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self { kind: "ResourceConflictException", status: 409, message: message.into() }
    }

    /// Nothing of that name is there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { kind: "ResourceNotFoundException", status: 404, message: message.into() }
    }

    /// An event that is too large.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self { kind: "RequestTooLargeException", status: 413, message: message.into() }
    }

    /// More at once than is allowed.
    pub fn throttled(message: impl Into<String>) -> Self {
        Self { kind: "TooManyRequestsException", status: 429, message: message.into() }
    }

    /// A body that is no JSON.
    pub(crate) fn no_json(error: &serde_json::Error) -> Self {
        let message = format!("Could not parse request body into json: {error}");
        Self { kind: "InvalidRequestContentException", status: 400, message }
    }

    /// Too late for anything new.
    pub(crate) fn ends() -> Self {
        Self::service("the emulator ends")
    }

    /// The machine has failed, not the caller.
    pub fn service(message: impl Into<String>) -> Self {
        Self { kind: "ServiceException", status: 500, message: message.into() }
    }
}
