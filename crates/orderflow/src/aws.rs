//! AWS through the `aws` command, for all of orderflow.
//!
//! No SDK: one takes seven minutes to build, and whoever deploys has the command, with its account and rights. It follows
//! pages by itself, so that an answer is whole.

use std::ffi::OsStr;
use std::io;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde_json::Value;

/// How many calls run at once: each starts a Python, which is 0.7 s of a processor.
const AT_ONCE: usize = 4;

/// What AWS's services say instead of doing what the caller has no right to.
const DENIED: [&str; 6] = [
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "Forbidden",
    "NotAuthorized",
    "UnauthorizedOperation",
];

/// What they say of something that is not there.
const MISSING: [&str; 5] = [
    "InvalidNetworkInterfaceID.NotFound",
    "NoSuchBucket",
    "NoSuchHostedZone",
    "NotFoundException",
    "ResourceNotFoundException",
];

/// What `aws` says, in one version or another, if it does not know as whom to ask.
const NO_CREDENTIALS: [&str; 8] = [
    "Unable to locate credentials",
    "config profile",
    "(ExpiredToken",
    "(InvalidClientTokenId)",
    "(UnrecognizedClientException)",
    "(AuthFailure)",
    "SSO session",
    "Error loading SSO Token",
];

/// Why AWS has not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is no such program.
    #[error("aws: {0}: install the AWS CLI, `pip install awscli` for example")]
    NotStarted(io::Error),
    /// It does not know as whom to ask, or AWS knows nobody of this name.
    #[error("aws: {0}: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")]
    NoCredentials(String),
    /// The caller has no right to this.
    #[error("aws {call}: {reason}: take the role orderflow-deployer, or ask somebody with more rights")]
    Denied { call: String, reason: String },
    /// What is asked for is not there.
    #[error("aws {call}: {reason}")]
    Missing { call: String, reason: String },
    /// Anything else.
    #[error("aws {call}: {reason}")]
    Refused { call: String, reason: String },
}

impl Error {
    /// Whether every other call would fail as well.
    pub(crate) const fn is_of_every_call(&self) -> bool {
        matches!(self, Self::NotStarted(_) | Self::NoCredentials(_))
    }

    /// What a failed call said: its last line tells why.
    fn of(call: String, stderr: &str) -> Self {
        let reason = stderr.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it ended without a word");
        let reason = reason.trim_end_matches('.');
        let code = reason.split_once("error occurred (").and_then(|(_, rest)| rest.split_once(')'));
        let code = code.map_or("", |(code, _)| code);
        let reason = reason.to_owned();
        if NO_CREDENTIALS.iter().any(|text| reason.contains(text)) {
            Self::NoCredentials(reason)
        } else if DENIED.contains(&code) {
            Self::Denied { call, reason }
        } else if MISSING.contains(&code) {
            Self::Missing { call, reason }
        } else {
            Self::Refused { call, reason }
        }
    }
}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::NoCredentials(_) => Self::Usage(error.to_string()),
            _ => Self::failed(error),
        }
    }
}

/// The command with these arguments.
pub(crate) fn command<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new("aws");
    command.args(arguments);
    command
}

/// What AWS answers in a region: JSON, whole, or null where it has nothing to say.
///
/// # Errors
/// Where the command is missing, or says anything but an answer.
pub(crate) fn call(region: &str, arguments: &[impl AsRef<str>]) -> Result<Value, Error> {
    let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
    // Service and operation: what follows may be long.
    let name = || arguments.iter().take(2).copied().collect::<Vec<_>>().join(" ");
    let mut command = command(arguments.iter().copied());
    let output = command.args(["--region", region, "--output", "json"]).output().map_err(Error::NotStarted)?;
    if !output.status.success() {
        return Err(Error::of(name(), &String::from_utf8_lossy(&output.stderr)));
    }
    if output.stdout.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Error::Refused { call: name(), reason: format!("its answer is no JSON: {error}") })
}

/// The answers to these calls, in their order; four are made at a time.
pub(crate) fn calls(region: &str, calls: &[Vec<String>]) -> Vec<Result<Value, Error>> {
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(Vec::with_capacity(calls.len()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(calls.len()) {
            scope.spawn(|| {
                while let Some((index, arguments)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    calls.get(index).map(|arguments| (index, arguments))
                } {
                    let answer = call(region, arguments);
                    answers.lock().unwrap_or_else(PoisonError::into_inner).push((index, answer));
                }
            });
        }
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_said_tells_which_failure_it_is() {
        let of = |stderr: &str| Error::of("ec2 describe-vpcs".into(), stderr);
        let text = "\nAn error occurred (UnauthorizedOperation) when calling the DescribeVpcs operation: You are not authorized\n";
        assert_eq!(
            of(text).to_string(),
            "aws ec2 describe-vpcs: An error occurred (UnauthorizedOperation) when calling the DescribeVpcs operation: You \
             are not authorized: take the role orderflow-deployer, or ask somebody with more rights"
        );
        assert!(matches!(of("aws: [ERROR]: An error occurred (AccessDenied) when ..."), Error::Denied { .. }));
        assert!(matches!(of("An error occurred (NoSuchBucket) when calling ..."), Error::Missing { .. }));
        assert!(matches!(of("An error occurred (Throttling) when calling ..."), Error::Refused { .. }));
        for stderr in [
            "Unable to locate credentials. You can configure credentials by running \"aws configure\".",
            "The config profile (nobody) could not be found",
            "An error occurred (InvalidClientTokenId) when calling the GetCallerIdentity operation: The security token ...",
        ] {
            assert!(of(stderr).is_of_every_call(), "{stderr}");
        }
        assert_eq!(of(" \n").to_string(), "aws ec2 describe-vpcs: it ended without a word");
    }
}
