use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::fixture::{Fixture, zip_of};
use crate::mappings::Kafka;

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

/// What boto3 makes of each of these calls.
fn boto3(fixture: &Fixture, calls: &Value) -> Vec<Value> {
    let mut command = client(&clients(), "python", fixture);
    command.args(["-B", "-c", SCRIPT, &format!("http://{}", fixture.server.address())]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(calls.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let answers = String::from_utf8(output.stdout).unwrap();
    answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
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
    let answers = boto3(&fixture, &calls);
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

/// Lambda API, functions, as the `aws` command calls it: created from a file, told, changed, published and deleted.
#[test]
fn the_aws_command_creates_changes_and_deletes_functions() {
    crate::needs_python!();
    let fixture = Fixture::without_function();
    let programs = clients();
    std::fs::write(fixture.path("f.zip"), STANDARD.decode(zip_of("bootstrap", 0o755)).unwrap()).unwrap();
    let lambda = |arguments: &[&str]| -> Result<Value, String> {
        let mut command = client(&programs, "aws", &fixture);
        command.args(["lambda", "--endpoint-url", &format!("http://{}", fixture.server.address())]);
        let output = command.args(arguments).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        if !output.status.success() {
            return Err(text);
        }
        Ok(serde_json::from_slice(&output.stdout).unwrap_or_default())
    };
    let name = ["--function-name", "f"];
    let create = ["--runtime", "provided.al2023", "--handler", "h", "--role", "arn:aws:iam::000000000000:role/r"];
    let create =
        [&["create-function"], &name[..], &create, &["--zip-file", "fileb://f.zip", "--timeout", "5"]].concat();
    assert_eq!(lambda(&create).unwrap()["FunctionName"], "f");
    assert!(lambda(&create).unwrap_err().contains("(ResourceConflictException)"));
    lambda(&["wait", "function-active-v2", "--function-name", "f"]).unwrap();
    let variables =
        [&["update-function-configuration"], &name[..], &["--environment", "Variables={MODE=new}"]].concat();
    assert_eq!(lambda(&variables).unwrap()["Environment"]["Variables"]["MODE"], "new");
    assert_eq!(fixture.answer(&json!({"do": "environment"}))["MODE"], "new");
    let code = [&["update-function-code"], &name[..], &["--zip-file", "fileb://f.zip", "--publish"]].concat();
    assert_eq!(lambda(&code).unwrap()["Version"], "1");
    let told = lambda(&[&["get-function"], &name[..]].concat()).unwrap();
    assert_eq!(told["Configuration"]["Timeout"], 5);
    assert_eq!(lambda(&["list-functions"]).unwrap()["Functions"][0]["FunctionName"], "f");
    lambda(&[&["delete-function"], &name[..]].concat()).unwrap();
    let gone = lambda(&[&["get-function"], &name[..]].concat()).unwrap_err();
    assert!(gone.contains("(ResourceNotFoundException)"), "{gone}");
}

/// Lambda API, functions and mappings, as boto3 calls it.
#[test]
fn boto3_creates_a_function_and_a_mapping_that_runs() {
    crate::needs_python!();
    let kafka = Kafka::start(1, &json!({"FunctionName": "other"}));
    let mut mapping = kafka.mapping(&json!({"BatchSize": 7}));
    mapping["operation"] = json!("create_event_source_mapping");
    let folder = kafka.fixture.folder.path();
    let answers = boto3(
        &kafka.fixture,
        &json!([
            {"operation": "create_function", "FunctionName": "f", "Runtime": "provided.al2023", "Handler": "h",
                "Role": "arn:aws:iam::000000000000:role/r", "Code": {"ZipFile": zip_of("bootstrap", 0o755)},
                "Environment": {"Variables": {"FOLDER": folder}}, "Timeout": 5},
            mapping,
            {"operation": "list_event_source_mappings", "FunctionName": "f"},
            {"operation": "put_function_concurrency", "FunctionName": "f", "ReservedConcurrentExecutions": 2},
            {"operation": "get_function", "FunctionName": "f"},
            {"operation": "list_tags", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f"},
            {"operation": "get_account_settings"},
            {"operation": "get_policy", "FunctionName": "f"},
        ]),
    );
    assert_eq!(answers[0]["State"], "Active", "{}", answers[0]);
    assert_eq!(answers[1]["BatchSize"], 7, "{}", answers[1]);
    assert_eq!(answers[2]["EventSourceMappings"][0]["UUID"], answers[1]["UUID"]);
    assert_eq!(answers[4]["Concurrency"], json!({"ReservedConcurrentExecutions": 2}));
    assert_eq!(answers[5]["Tags"], json!({}));
    assert_eq!(answers[6]["AccountUsage"]["FunctionCount"], 2);
    assert_eq!(answers[7]["error"], "ResourceNotFoundException");
    kafka.write(0..5);
    kafka.until_committed(5);
    assert_eq!(kafka.offsets()[0].0, [0, 1, 2, 3, 4]);
}
