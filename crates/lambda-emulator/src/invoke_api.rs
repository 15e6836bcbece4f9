//! `POST /2015-03-31/functions/NAME/invocations`, as the AWS clients call it.

use std::sync::Weak;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::emulator::{Inner, InvocationType};
use crate::function::{MAX_EVENT_BYTES, too_large};
use crate::http::{Request, Response, Service};
use crate::{AwsError, Outcome};

pub(crate) struct InvokeApi {
    pub(crate) emulator: Weak<Inner>,
    /// Whether nobody but this machine reaches it: only then it answers with secrets.
    pub(crate) is_local: bool,
}

impl Service for InvokeApi {
    fn answer(&self, request: Request) -> Option<Response> {
        let emulator = self.emulator.upgrade()?;
        // Lambda's own calls have their action in the path.
        if self.is_local && request.header("X-Amz-Target").is_some() {
            return emulator.secrets().answer(request);
        }
        Some(invoke(&emulator, &request).unwrap_or_else(|error| refusal(&error)))
    }
}

fn invoke(emulator: &Inner, request: &Request) -> Result<Response, AwsError> {
    let name = request.path.strip_prefix("/2015-03-31/functions/").and_then(|rest| rest.strip_suffix("/invocations"));
    let Some(name) = name.filter(|_| request.method == "POST") else {
        let (method, path) = (&request.method, &request.path);
        let message = format!("{method} {path}: this emulator answers POST /2015-03-31/functions/NAME/invocations");
        return Err(AwsError { kind: "UnknownOperationException", status: 404, message });
    };
    if request.is_too_large {
        return Err(too_large(MAX_EVENT_BYTES));
    }
    let name = name.replace("%3A", ":").replace("%24", "$");
    let kind = match request.header("X-Amz-Invocation-Type") {
        None | Some("RequestResponse") => InvocationType::RequestResponse,
        Some("Event") => InvocationType::Event,
        Some("DryRun") => InvocationType::DryRun,
        Some(other) => return Err(AwsError::invalid_parameter(format!("InvocationType: found {other:?}"))),
    };
    let payload = if request.body.is_empty() { b"{}" } else { &request.body[..] };
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(payload) {
        let message = format!("Could not parse request body into json: {error}");
        return Err(AwsError { kind: "InvalidRequestContentException", status: 400, message });
    }
    match kind {
        InvocationType::DryRun => {
            emulator.function(&name).map(|_| Response { status: 204, headers: vec![], body: vec![] })
        }
        InvocationType::Event => {
            emulator.function(&name)?.invoke_event(payload.to_vec())?;
            Ok(Response { status: 202, headers: vec![], body: vec![] })
        }
        InvocationType::RequestResponse => {
            let (outcome, log) = emulator.invoke_with_log(&name, payload)?;
            let mut response = match outcome {
                Outcome::Answered(body) => Response::json(200, body),
                Outcome::Failed { payload, .. } => {
                    let mut response = Response::json(200, payload);
                    response.headers.push(("X-Amz-Function-Error", "Unhandled".into()));
                    response
                }
            };
            response.headers.push(("X-Amz-Executed-Version", "$LATEST".into()));
            if request.header("X-Amz-Log-Type") == Some("Tail") {
                response.headers.push(("X-Amz-Log-Result", STANDARD.encode(log)));
            }
            Ok(response)
        }
    }
}

fn refusal(error: &AwsError) -> Response {
    let kind = if error.status < 500 { "User" } else { "Service" };
    let body = serde_json::json!({"Type": kind, "Message": error.message, "message": error.message}).to_string();
    let mut response = Response::json(error.status, body);
    response.headers.push(("x-amzn-ErrorType", error.kind.to_owned()));
    response
}
