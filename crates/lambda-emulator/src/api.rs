//! What is served at one address: Lambda's API, of which everybody who comes may invoke, metrics, and on loopback Secrets Manager.

use std::sync::Weak;

use crate::AwsError;
use crate::control_plane::{self, MAX_CODE_BYTES};
use crate::emulator::Inner;
use crate::function::MAX_EVENT_BYTES;
use crate::functions::Name;
use crate::http::{Request, Response, Service};
use crate::invoke_api::invoke;
use crate::metrics::metrics;

/// What surrounds a payload.
const SURROUNDINGS: usize = 1024 * 1024;

pub(crate) struct Api {
    pub(crate) emulator: Weak<Inner>,
    /// Whether nobody but this machine reaches it: only then it answers with secrets, and takes code that it will run.
    pub(crate) is_local: bool,
}

impl Service for Api {
    fn answer(&self, request: Request) -> Option<Response> {
        let emulator = self.emulator.upgrade()?;
        if self.is_local && !request.names_this_machine() {
            let message = "Host: found another name than localhost or a loopback address".to_owned();
            return Some(refusal(&AwsError { kind: "AccessDeniedException", status: 403, message }));
        }
        // Lambda's own calls have their action in the path.
        if self.is_local && request.header("X-Amz-Target").is_some() {
            return emulator.secrets().answer(request);
        }
        if request.method == "GET" && request.path == "/metrics" {
            return Some(Response::metrics(metrics(&emulator.functions.status(), &emulator.mappings.summaries())));
        }
        let target = Target::of(&request);
        Some(self.route(&emulator, &target, &request).unwrap_or_else(|error| refusal(&error)))
    }

    fn max_body_bytes(&self, _: &str, path: &str) -> usize {
        if path.ends_with("/invocations") || !self.is_local { MAX_EVENT_BYTES + SURROUNDINGS } else { MAX_CODE_BYTES }
    }
}

impl Api {
    fn route(&self, emulator: &Inner, target: &Target, request: &Request) -> Result<Response, AwsError> {
        if let ("POST", Some(name)) = (request.method.as_str(), target.invoked()) {
            return invoke(&emulator.functions, Name::parse(name).with(target.parameter("Qualifier"))?, request);
        }
        if !control_plane::is_known(target) {
            return Err(control_plane::unknown(request));
        }
        // Who reaches this port may not for that reason alone have the machine run his code: neither other machines, nor pages in
        // a browser, which cannot send what AWS's clients sign with.
        let is_signed = request.header("Authorization").is_some_and(|value| value.starts_with("AWS4-HMAC-SHA256 "));
        if !is_signed {
            let message = "Missing Authentication Token".to_owned();
            return Err(AwsError { kind: "MissingAuthenticationTokenException", status: 403, message });
        }
        if !self.is_local {
            let message = "this emulator changes functions and mappings only where it listens on loopback".to_owned();
            return Err(AwsError { kind: "AccessDeniedException", status: 403, message });
        }
        control_plane::answer(emulator, target, request)
    }
}

/// What a request is about: the parts of its path and its parameters, as they were before they became a URL.
pub(crate) struct Target {
    path: Vec<String>,
    parameters: Vec<(String, String)>,
}

impl Target {
    fn of(request: &Request) -> Self {
        let path = request.path.split('/').filter(|part| !part.is_empty()).map(unescape).collect();
        let query = request.query.replace('+', " ");
        let parameters = query.split('&').filter(|part| !part.is_empty());
        let parameters = parameters.map(|part| part.split_once('=').unwrap_or((part, "")));
        let parameters = parameters.map(|(name, value)| (unescape(name), unescape(value))).collect();
        Self { path, parameters }
    }

    pub(crate) fn path(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// The function of an invocation.
    fn invoked(&self) -> Option<&str> {
        let [version, functions, name, invocations] = &self.path[..] else { return None };
        let is_invoke = version == "2015-03-31" && functions == "functions" && invocations == "invocations";
        is_invoke.then_some(name)
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter.
    pub(crate) fn parameters(&self, name: &str) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A part of a URL as it was before.
fn unescape(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(&part.as_bytes()[2..]);
            }
            None => bytes.extend([b"%", part.as_bytes()].concat()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn refusal(error: &AwsError) -> Response {
    let kind = if error.status < 500 { "User" } else { "Service" };
    let body = serde_json::json!({"Type": kind, "Message": error.message, "message": error.message}).to_string();
    let mut response = Response::json(error.status, body);
    response.headers.push(("x-amzn-ErrorType", error.kind.to_owned()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_its_parameters_are_read_as_they_were_before_they_became_a_url() {
        let mut request = Request::default();
        request.path = "/2017-03-31/tags/arn%3Aaws%3Alambda%3A%3a/".into();
        request.query = "tagKeys=a%20b&tagKeys=c+d&Qualifier=%24LATEST&odd=100%&none".into();
        let target = Target::of(&request);
        assert_eq!(target.path(), ["2017-03-31", "tags", "arn:aws:lambda::"]);
        assert_eq!(target.parameters("tagKeys").collect::<Vec<_>>(), ["a b", "c d"]);
        assert_eq!(target.parameter("Qualifier"), Some("$LATEST"));
        assert_eq!((target.parameter("odd"), target.parameter("none")), (Some("100%"), Some("")));
    }
}
