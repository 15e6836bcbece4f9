use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::json;

use crate::control_plane::SIGNED;
use crate::fixture::{Fixture, post, state_of, zip_of};

/// The program with one function, `f`; ended with the test, if it still runs.
struct Program {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Program {
    fn start(fixture: &Fixture, arguments: &[&str]) -> Self {
        let config = fixture.path("functions.json");
        let function = json!({"FunctionName": "f", "Runtime": "provided.al2023", "Handler": "some.handler", "Timeout": 5,
            "Code": {"ZipFile": zip_of("bootstrap", 0o755)}});
        std::fs::write(&config, json!({"Functions": [function]}).to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_lambda-emulator"));
        command.arg("--config").arg(config).arg("--logs").arg(fixture.folder.path());
        Self::run(command.args(arguments))
    }

    /// With nothing of this machine's settings for AWS.
    fn run(command: &mut Command) -> Self {
        for name in ["AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION"] {
            if command.get_envs().all(|(known, _)| known != name) {
                command.env_remove(name);
            }
        }
        for service in ["S3", "SECRETS_MANAGER", "SCHEDULER"] {
            command.env_remove(format!("AWS_ENDPOINT_URL_{service}"));
        }
        command.args(["--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr }
    }

    /// What it says before it serves, and where it serves.
    fn serving(&mut self) -> (String, SocketAddr) {
        let (mut said, mut line) = (String::new(), String::new());
        while self.stderr.read_line(&mut line).unwrap() > 0 {
            if let Some((_, address)) = line.trim_end().split_once("serving Lambda's API at http://") {
                return (said, address.parse().unwrap());
            }
            said += &std::mem::take(&mut line);
        }
        panic!("it has ended: {said}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bad input of the issue, "No process outlives it, even killed": neither a function's process nor what that has forked.
#[test]
fn what_a_function_has_forked_ends_although_the_emulator_was_killed() {
    crate::needs_python!();
    let fixture = Fixture::without_function();
    let mut program = Program::start(&fixture, &[]);
    let (_, address) = program.serving();
    let invoke =
        |event: &str| post(address, "/2015-03-31/functions/f/invocations", "", event).1.parse::<i64>().unwrap();
    let processes = [invoke(r#"{"do":"pid"}"#), invoke(r#"{"do":"fork"}"#)];
    assert!(processes.iter().all(|&pid| state_of(pid).is_some()));
    program.child.kill().unwrap(); // -9
    fixture.until("their end", || processes.iter().all(|&pid| state_of(pid).is_none()));
}

/// README: the seed of faults and the environment of an attached function are printed.
#[test]
fn the_program_prints_the_seed_of_its_faults_and_what_to_export_for_an_attached_function() {
    let fixture = Fixture::without_function();
    let (said, _) = Program::start(&fixture, &["--fail", "5%", "--seed", "7", "--attach", "f"]).serving();
    assert!(said.contains("faults: --fail 5% --kill 0% --hang 0% --seed 7\n"), "{said}");
    assert!(said.contains("f waits for the process that you start with:\n"), "{said}");
    assert!(said.contains("export AWS_LAMBDA_RUNTIME_API='127.0.0.1:"), "{said}");
    assert!(said.contains("export _HANDLER='some.handler'\n"), "{said}");

    let (said, _) = Program::start(&fixture, &["--kill", "1%"]).serving();
    let seed = said.trim_end().strip_prefix("faults: --fail 0% --kill 1% --hang 0% --seed ").unwrap();
    assert!(seed.parse::<u32>().is_ok(), "{said}");
}

/// README: without a file it begins with nothing, in the region that the environment names; `https` is refused.
#[test]
fn the_program_needs_no_file_and_refuses_an_endpoint_that_it_cannot_ask() {
    let fixture = Fixture::without_function();
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lambda-emulator"));
        command.arg("--logs").arg(fixture.folder.path());
        command
    };
    let mut program = Program::run(command().env("AWS_REGION", "eu-central-1"));
    let (_, address) = program.serving();
    let function =
        json!({"FunctionName": "f", "Runtime": "provided.al2023", "Code": {"ZipFile": zip_of("bootstrap", 0o755)}});
    let (head, told) = post(address, "/2015-03-31/functions", SIGNED, &function.to_string());
    assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
    assert!(told.contains("arn:aws:lambda:eu-central-1:000000000000:function:f"), "{told}");

    let mut refused = Program::run(command().env("AWS_ENDPOINT_URL", "https://127.0.0.1:5000"));
    assert_eq!(refused.child.wait().unwrap().code(), Some(2));
    let mut said = String::new();
    refused.stderr.read_to_string(&mut said).unwrap();
    let reason = "AWS_ENDPOINT_URL: found https://127.0.0.1:5000, this emulator asks over plain HTTP only";
    assert!(said.starts_with(&format!("error: {reason}")), "{said}");
}
