//! Lambda's Runtime API, through `lambda_runtime`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::value::RawValue;

/// What a function does with an invocation.
pub trait Function {
    /// Answers an event, JSON in and JSON out.
    ///
    /// # Errors
    /// Where Lambda is to take the invocation for failed.
    fn invoke(&self, event: &[u8], invocation: &Invocation) -> Result<Box<RawValue>, InvocationError>;
}

/// What is known of an invocation beside its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Lambda keeps it over its retries of an asynchronous invocation.
    pub request_id: String,
    /// When the function must have answered: some time before Lambda would end it.
    pub deadline: Instant,
}

/// An invocation that failed, as Lambda reports it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct InvocationError {
    /// What Lambda calls the error's type.
    pub kind: &'static str,
    /// What happened.
    pub message: String,
}

impl InvocationError {
    /// An error of this type, with the text of `reason`.
    pub fn new(kind: &'static str, reason: impl std::fmt::Display) -> Self {
        Self { kind, message: reason.to_string() }
    }
}

impl From<InvocationError> for Diagnostic {
    fn from(InvocationError { kind, message }: InvocationError) -> Self {
        Self { error_type: kind.to_owned(), error_message: message }
    }
}

/// What is left for the answer itself when the work has to be done.
const ANSWER_MARGIN: Duration = Duration::from_millis(500);

/// How long an error of INIT may take to be told.
const INIT_ERROR_DEADLINE: Duration = Duration::from_secs(2);

/// Answers one invocation after the other, on this thread. It returns only where the Runtime API is gone.
///
/// # Errors
/// Where the Runtime API does not answer as it should, or there is no thread for it.
pub fn run(function: &impl Function) -> Result<(), lambda_runtime::Error> {
    let answer = |LambdaEvent { payload, context }: LambdaEvent<Box<RawValue>>| {
        let (now, request_id) = (Instant::now(), context.request_id);
        let deadline = now + left(SystemTime::now(), context.deadline);
        // The handler blocks: nothing else is to be done meanwhile.
        std::future::ready(function.invoke(payload.get().as_bytes(), &Invocation { request_id, deadline }))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(lambda_runtime::run(service_fn(answer)))
}

/// The time until a deadline in milliseconds since 1970, without the margin.
fn left(now: SystemTime, deadline_ms: u64) -> Duration {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_millis(deadline_ms).saturating_sub(now).saturating_sub(ANSWER_MARGIN)
}

/// Tells Lambda that the function cannot start, so that the reason stands in its answer. `api` is `AWS_LAMBDA_RUNTIME_API`.
/// `lambda_runtime` tells only of its own hooks.
///
/// # Errors
/// Where nobody listens there.
pub fn report_init_error(api: &str, kind: &str, message: &str) -> std::io::Result<()> {
    let body = serde_json::json!({"errorMessage": message, "errorType": kind, "stackTrace": []}).to_string();
    let request = format!(
        "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: {api}\r\nContent-Type: application/json\r\n\
         Lambda-Runtime-Function-Error-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(api)?;
    stream.set_read_timeout(Some(INIT_ERROR_DEADLINE))?;
    stream.write_all(request.as_bytes())?;
    stream.read_exact(&mut [0; 12]) // the head of the answer: it has been taken
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_function_has_until_some_time_before_lambda_ends_it() {
        let now = UNIX_EPOCH + Duration::from_millis(10_000);
        for (deadline_ms, expected_ms) in [(40_000, 29_500), (10_600, 100), (10_500, 0), (10_400, 0), (0, 0)] {
            assert_eq!(left(now, deadline_ms), Duration::from_millis(expected_ms), "{deadline_ms}");
        }
    }

    #[test]
    fn an_error_of_init_is_told_with_its_type_and_its_text() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let api = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; 4_096];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").unwrap();
            String::from_utf8(request[..length].to_vec()).unwrap()
        });
        report_init_error(&api, "Config.Wrong", "KAFKA_BROKERS \"missing\"").unwrap();
        let request = server.join().unwrap();
        assert!(request.starts_with("POST /2018-06-01/runtime/init/error HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("\r\nLambda-Runtime-Function-Error-Type: Config.Wrong\r\n"), "{request}");
        let body = r#"{"errorMessage":"KAFKA_BROKERS \"missing\"","errorType":"Config.Wrong","stackTrace":[]}"#;
        assert!(request.ends_with(&format!("\r\n\r\n{body}")), "{request}");
    }
}
