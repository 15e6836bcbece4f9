//! `POST /2015-03-31/functions/NAME/invocations`, as the AWS clients call it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::emulator::InvocationType;
use crate::function::{MAX_EVENT_BYTES, too_large};
use crate::functions::{Functions, Name};
use crate::http::{Request, Response};
use crate::{AwsError, Outcome};

/// `Invoke`.
pub(crate) fn invoke(functions: &Functions, name: Name<'_>, request: &Request) -> Result<Response, AwsError> {
    if request.is_too_large {
        return Err(too_large(MAX_EVENT_BYTES));
    }
    let kind = match request.header("X-Amz-Invocation-Type") {
        None | Some("RequestResponse") => InvocationType::RequestResponse,
        Some("Event") => InvocationType::Event,
        Some("DryRun") => InvocationType::DryRun,
        Some(other) => return Err(AwsError::invalid_parameter(format!("InvocationType: found {other:?}"))),
    };
    let payload = request.json();
    serde_json::from_slice::<serde::de::IgnoredAny>(payload).map_err(|error| AwsError::no_json(&error))?;
    let function = functions.find(name)?;
    match kind {
        InvocationType::DryRun => Ok(Response::empty(204)),
        InvocationType::Event => {
            function.invoke_event(payload.to_vec())?;
            Ok(Response::empty(202))
        }
        InvocationType::RequestResponse => {
            // Whoever invokes by hand is told at once that all environments are busy.
            let outcome = function.invoke(&uuid::Uuid::new_v4().to_string(), payload, &|| false)?;
            let mut response = match outcome {
                Outcome::Answered(body) => Response::json(200, body),
                Outcome::Failed { payload, .. } => {
                    let mut response = Response::json(200, payload);
                    response.headers.push(("X-Amz-Function-Error", "Unhandled".into()));
                    response
                }
            };
            response.headers.push(("X-Amz-Executed-Version", function.version().to_owned()));
            if request.header("X-Amz-Log-Type") == Some("Tail") {
                response.headers.push(("X-Amz-Log-Result", STANDARD.encode(function.log.tail())));
            }
            Ok(response)
        }
    }
}
