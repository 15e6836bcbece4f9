use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};

use super::place::Place;
use crate::{Error, Status, aws, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// hello_world, order_generator, or another function.
    function: String,
    /// How many orders order_generator is to place.
    #[arg(long, value_name = "NUMBER", conflicts_with = "payload")]
    orders: Option<u64>,
    /// The event, JSON.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    payload: String,
    #[command(flatten)]
    place: Place,
}

/// Invokes a function, waits for its answer and prints it.
///
/// # Errors
/// Where it cannot be invoked, or answers with an error.
pub(crate) fn execute(args: &Args) -> Result<Status, Error> {
    let payload = args.orders.map_or_else(|| args.payload.clone(), |orders| json!({"orders": orders}).to_string());
    let Answer { body, is_error } = match &args.place {
        Place { aws: true, .. } => on_aws(None, &args.function, &payload)?,
        Place { endpoint, .. } => in_the_emulator(*endpoint, &args.function, &payload)?,
    };
    if is_error {
        return Err(Error::Failed(format!("{}: {body}", args.function)));
    }
    // A text is what it says; anything else is JSON.
    let text = serde_json::from_str(&body).unwrap_or(body);
    print(&format!("{text}\n"))?;
    Ok(Status::Holds)
}

struct Answer {
    body: String,
    is_error: bool,
}

fn in_the_emulator(endpoint: SocketAddr, function: &str, payload: &str) -> Result<Answer, Error> {
    let unreachable =
        |error: std::io::Error| Error::Failed(format!("{endpoint}: {error}: is `orderflow lambda up` running?"));
    let mut stream = TcpStream::connect(endpoint).map_err(unreachable)?;
    let length = payload.len();
    let head = format!(
        "POST /2015-03-31/functions/{function}/invocations HTTP/1.1\r\nHost: {endpoint}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all((head + payload).as_bytes()).map_err(unreachable)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(unreachable)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let is_error = !head.starts_with("HTTP/1.1 200 ") || head.contains("X-Amz-Function-Error");
    Ok(Answer { body: body.to_owned(), is_error })
}

/// The answer of a function on AWS.
///
/// # Errors
/// Where it cannot be invoked, or answers with an error.
pub(crate) fn invoke_on_aws(region: &str, function: &str, payload: &Value) -> Result<Value, Error> {
    let Answer { body, is_error } = on_aws(Some(region), function, &payload.to_string())?;
    if is_error {
        return Err(Error::Failed(format!("{function}: {body}")));
    }
    serde_json::from_str(&body).map_err(|error| Error::Failed(format!("{function}: {body}: {error}")))
}

fn on_aws(region: Option<&str>, function: &str, payload: &str) -> Result<Answer, Error> {
    let file = tempfile::NamedTempFile::new().map_err(Error::failed)?; // the command writes the answer nowhere else
    let version = aws::command(["--version"]).output().map_err(aws::Error::NotStarted)?;
    let mut command =
        aws::command(["lambda", "invoke", "--output", "json", "--function-name", function, "--payload", payload]);
    if let Some(region) = region {
        command.args(["--region", region]);
    }
    // A retry would place orders again; and a function may take its 15 minutes.
    command.args(["--cli-read-timeout", "900"]).env("AWS_MAX_ATTEMPTS", "1");
    // Its second version takes a payload for base64 unless it is told otherwise; the first knows only plain ones.
    if !version.stdout.starts_with(b"aws-cli/1.") {
        command.args(["--cli-binary-format", "raw-in-base64-out"]);
    }
    let output = command.arg(file.path()).output().map_err(aws::Error::NotStarted)?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Failed(format!("{function}: aws: {}", reason.trim())));
    }
    let about: Value = serde_json::from_slice(&output.stdout).map_err(Error::failed)?;
    let body = std::fs::read_to_string(file.path()).map_err(Error::failed)?;
    Ok(Answer { body, is_error: about.get("FunctionError").is_some() })
}
