use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::fixture::Fixture;

const SCRIPT: &str = include_str!("clients.py");

/// The programs of AWS's clients, as requirements.txt pins them: installed once, and anew when that changes.
fn clients() -> PathBuf {
    const VENV: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ci/venv");
    const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/requirements.txt");
    let output = Command::new(VENV).args(["aws-clients", REQUIREMENTS]).stdin(Stdio::null()).output().unwrap();
    let folder = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{VENV}: {}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(folder.trim_end())
}

/// A program of the clients with nothing of this machine's settings for AWS.
fn client(programs: &Path, name: &str, fixture: &Fixture) -> Command {
    let mut command = Command::new(programs.join(name));
    command.env_clear().current_dir(fixture.folder.path()).env("PATH", programs).env("HOME", fixture.folder.path());
    for variable in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        command.env(variable, "emulated");
    }
    command.env("AWS_DEFAULT_REGION", "us-east-1").env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

/// `aws lambda invoke`: what it prints and leaves in its file, or what it says on stderr.
fn aws(programs: &Path, fixture: &Fixture, function: &str, more: &[&str]) -> Result<(Value, String), String> {
    let out = fixture.path("out.json");
    let mut command = client(programs, "aws", fixture);
    command.args(["lambda", "invoke", "--endpoint-url", &format!("http://{}", fixture.server.address())]);
    let output = command.args(["--function-name", function]).args(more).arg(&out).output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8(output.stderr).unwrap());
    }
    Ok((serde_json::from_slice(&output.stdout).unwrap(), std::fs::read_to_string(out).unwrap()))
}

/// Lambda API, Invoke, as the `aws` command calls it.
#[test]
fn the_aws_command_invokes_functions() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    let programs = clients();
    let aws = |function: &str, more: &[&str]| aws(&programs, &fixture, function, more);

    let event = json!({"do": "echo", "text": "\u{fc}"}).to_string();
    let (said, answer) = aws("f", &["--payload", &event, "--log-type", "Tail"]).unwrap();
    assert_eq!((&said["StatusCode"], &said["ExecutedVersion"]), (&json!(200), &json!("$LATEST")));
    assert_eq!(answer, event.replace("\":", "\": ").replace(",\"", ", \"").replace('\u{fc}', "\\u00fc"));
    let log = String::from_utf8(STANDARD.decode(said["LogResult"].as_str().unwrap()).unwrap()).unwrap();
    assert!(log.contains("REPORT RequestId: "), "{log}");

    let (said, answer) = aws("f", &["--payload", r#"{"do":"error"}"#]).unwrap();
    assert_eq!((&said["StatusCode"], &said["FunctionError"]), (&json!(200), &json!("Unhandled")));
    assert!(answer.contains("asked for"), "{answer}");

    let printed = r#"{"do":"print","text":"nobody waits"}"#;
    let (said, _) = aws("f", &["--invocation-type", "Event", "--payload", printed]).unwrap();
    assert_eq!(said["StatusCode"], 202);
    fixture.until("the event", || fixture.log().contains("nobody waits"));

    let begun = fixture.log().matches("START ").count();
    assert_eq!(aws("f", &["--invocation-type", "DryRun"]).unwrap().0["StatusCode"], 204);
    assert_eq!(fixture.log().matches("START ").count(), begun, "a dry run invokes nothing");

    let refused = aws("nobody", &[]).unwrap_err();
    let expected =
        "An error occurred (ResourceNotFoundException) when calling the Invoke operation: Function not found";
    assert!(refused.contains(expected), "{refused}");
}

/// Lambda API, Invoke, as boto3 calls it.
#[test]
fn boto3_invokes_functions() {
    crate::needs_python!();
    let fixture = Fixture::with(&json!({}));
    let calls = json!([
        {"FunctionName": "f", "Payload": r#"{"do":"pid"}"#},
        {"FunctionName": "f", "Payload": r#"{"do":"error","text":"pool empty"}"#},
        {"FunctionName": "f", "InvocationType": "Event", "Payload": r#"{"do":"done"}"#},
        {"FunctionName": "f", "InvocationType": "DryRun"},
        {"FunctionName": "arn:aws:lambda:us-east-1:000000000000:function:f", "Payload": r#"{"do":"done"}"#},
        {"FunctionName": "f", "Payload": "{"},
        {"FunctionName": "nobody"}
    ]);
    let mut command = client(&clients(), "python", &fixture);
    command.args(["-B", "-c", SCRIPT, &format!("http://{}", fixture.server.address())]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(calls.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let pid = answers[0]["Payload"].clone();
    assert!(pid.as_str().unwrap().parse::<u32>().is_ok(), "{pid}");
    let error = r#"{"errorType": "ValueError", "errorMessage": "pool empty", "stackTrace": []}"#;
    let expected = [
        json!({"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": pid}),
        json!({"StatusCode": 200, "ExecutedVersion": "$LATEST", "FunctionError": "Unhandled", "Payload": error}),
        json!({"StatusCode": 202, "Payload": ""}),
        json!({"StatusCode": 204, "Payload": ""}),
        json!({"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": "null"}),
        json!({"error": "InvalidRequestContentException"}),
        json!({"error": "ResourceNotFoundException", "status": 404}),
    ];
    assert_eq!(answers, expected);
}
