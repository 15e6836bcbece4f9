//! stub until merged
use serde_json::Value;
use std::process::Command;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Denied(String),
    #[error("{0}")]
    Failed(String),
}
impl From<Error> for crate::Error {
    fn from(e: Error) -> Self {
        Self::Failed(e.to_string())
    }
}
pub(crate) fn call(region: &str, arguments: &[&str]) -> Result<Value, Error> {
    let out = Command::new("aws")
        .args(["--region", region, "--output", "json"])
        .args(arguments)
        .output()
        .map_err(|e| Error::Failed(format!("aws: {e}")))?;
    if !out.status.success() {
        return Err(Error::Failed(String::from_utf8_lossy(&out.stderr).trim().to_owned()));
    }
    if out.stdout.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&out.stdout).map_err(|e| Error::Failed(e.to_string()))
}
