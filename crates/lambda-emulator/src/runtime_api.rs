//! The Runtime API of one environment, and as much of the Extensions API as a graceful shutdown needs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::environment::{Outcome, Shared};
use crate::http::{Request, Response};

/// The largest answer of a function.
pub(crate) const MAX_RESPONSE_BYTES: usize = 6 * 1024 * 1024;

const RUNTIME: &str = "/2018-06-01/runtime/";
const EXTENSION: &str = "/2020-01-01/extension/";
const ERROR_TYPE: &str = "Lambda-Runtime-Function-Error-Type";
const ERROR_BODY: &str = "Lambda-Runtime-Function-Error-Body";
const NAME: &str = "Lambda-Extension-Name";
const IDENTIFIER: &str = "Lambda-Extension-Identifier";

/// What an extension wants to hear of.
#[derive(Deserialize)]
struct Register {
    #[serde(default)]
    events: Vec<String>,
}

/// Answers one request; `None` where the environment ends instead.
pub(crate) fn answer(shared: &Shared, request: &Request) -> Option<Response> {
    let path = request.path.as_str();
    if let Some(path) = path.strip_prefix(RUNTIME) {
        return answer_runtime(shared, request, path);
    }
    if let Some(path) = path.strip_prefix(EXTENSION) {
        return answer_extension(shared, request, path);
    }
    Some(if path == "/ping" { Response::json(200, "\"pong\"") } else { refusal(404, "NotFound", path) })
}

fn answer_runtime(shared: &Shared, request: &Request, path: &str) -> Option<Response> {
    Some(match (request.method.as_str(), path) {
        ("GET", "invocation/next") => {
            let (event, arn) = shared.next(|| request.is_awaited())?;
            let mut response = Response::json(200, &*event.payload);
            let id = event.request_id;
            response.headers.extend([
                ("Lambda-Runtime-Trace-Id", format!("Root=1-00000000-{};Sampled=0", trace(&id))),
                ("Lambda-Runtime-Aws-Request-Id", id),
                ("Lambda-Runtime-Deadline-Ms", event.deadline_ms.to_string()),
                ("Lambda-Runtime-Invoked-Function-Arn", arn.to_owned()),
            ]);
            response
        }
        ("POST", "init/error") => {
            shared.init_error(error(request, &request.body));
            accepted()
        }
        ("POST", path) => {
            let Some((id, what)) = path.strip_prefix("invocation/").and_then(|rest| rest.split_once('/')) else {
                return Some(refusal(404, "NotFound", path));
            };
            let is_too_large = request.is_too_large || request.body.len() > MAX_RESPONSE_BYTES;
            let outcome = match what {
                "response" if is_too_large => {
                    let limit = format!(
                        "Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
                    );
                    Outcome::failed("Function.ResponseSizeTooLarge", &limit)
                }
                "response" if request.header(ERROR_TYPE).is_some() => error(request, &error_behind(request)),
                "response" => Outcome::Answered(request.body.clone()),
                "error" => error(request, &request.body),
                _ => return Some(refusal(404, "NotFound", path)),
            };
            if !shared.answer(id, outcome) {
                shared
                    .note(&format!("RequestId: {id} Error: answered twice, or not under way: the answer is not taken"));
                return Some(refusal(400, "InvalidRequestID", "Invalid request ID"));
            }
            if what == "response" && is_too_large {
                return Some(refusal(413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size"));
            }
            accepted()
        }
        _ => refusal(405, "MethodNotAllowed", path),
    })
}

fn answer_extension(shared: &Shared, request: &Request, path: &str) -> Option<Response> {
    match (request.method.as_str(), path) {
        ("POST", "register") => {
            if request.header(NAME).is_none_or(str::is_empty) {
                return Some(refusal(403, "Extension.InvalidExtensionName", "Empty extension name"));
            }
            let events = match serde_json::from_slice::<Register>(&request.body) {
                Ok(Register { events }) => events,
                Err(error) => return Some(refusal(403, "InvalidRequestFormat", &error.to_string())),
            };
            // Whoever wants to hear of invocations would wait in vain.
            if let Some(event) = events.iter().find(|event| *event != "SHUTDOWN") {
                let message = format!("{event}: this emulator tells extensions of SHUTDOWN alone");
                return Some(refusal(403, "Extension.InvalidEventType", &message));
            }
            let (name, handler) = &shared.function;
            let body =
                serde_json::json!({"functionName": name, "functionVersion": "$LATEST", "handler": handler}).to_string();
            let mut response = Response::json(200, body);
            response.headers.push((IDENTIFIER, shared.register_extension()));
            Some(response)
        }
        ("GET", "event/next") => {
            let Some(identifier) = request.header(IDENTIFIER) else {
                return Some(refusal(403, "Extension.MissingExtensionIdentifier", "no extension identifier"));
            };
            if !shared.wait_for_end(identifier) {
                let message = format!("Unknown extension {identifier}");
                return Some(refusal(403, "Extension.UnknownExtensionIdentifier", &message));
            }
            let deadline_ms = crate::function::now_ms() + 500;
            let body =
                serde_json::json!({"eventType": "SHUTDOWN", "shutdownReason": "spindown", "deadlineMs": deadline_ms});
            Some(Response::json(200, body.to_string()))
        }
        ("POST", "init/error" | "exit/error") => {
            shared.init_error(error(request, &request.body));
            Some(accepted())
        }
        _ => Some(refusal(404, "NotFound", path)),
    }
}

/// What the runtime says of an error; its type may stand in the body, or in a header.
fn error(request: &Request, body: &[u8]) -> Outcome {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        error_type: Option<String>,
    }
    let stated = request.header(ERROR_TYPE).map(str::to_owned);
    match serde_json::from_slice::<Body>(body) {
        Ok(Body { error_type }) => {
            let kind = stated.or(error_type).unwrap_or_else(|| "Runtime.Unknown".to_owned());
            Outcome::Failed { payload: body.to_vec(), kind }
        }
        Err(_) => Outcome::failed(stated.as_deref().unwrap_or("Runtime.Unknown"), &String::from_utf8_lossy(body)),
    }
}

/// What a streamed response that has failed halfway says behind its body: that is no answer then.
fn error_behind(request: &Request) -> Vec<u8> {
    let text = request.header(ERROR_BODY).unwrap_or_default();
    STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec())
}

fn accepted() -> Response {
    Response::json(202, r#"{"status":"OK"}"#)
}

fn refusal(status: u16, kind: &str, message: &str) -> Response {
    Response::json(status, serde_json::json!({"errorMessage": message, "errorType": kind}).to_string())
}

/// 24 hexadecimal digits, as a trace has them.
fn trace(id: &str) -> String {
    id.chars().filter(char::is_ascii_hexdigit).take(24).collect()
}
