//! `lambda-emulator --config FILE`: functions and mappings of a file, until it is told to stop.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;
use lambda_emulator::{CreateEventSourceMapping, CreateFunction, Emulator, Options};
use serde::Deserialize;

/// Runs AWS Lambda functions locally, behind Kafka.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example: lambda-emulator --config functions.json\n         \
    aws lambda invoke --endpoint-url http://127.0.0.1:9001 --function-name hello_world /dev/stdout"
)]
struct Cli {
    /// JSON with the bodies of AWS's API: {"Functions": [CreateFunction...], "EventSourceMappings":
    /// [CreateEventSourceMapping...], "Secrets": {ID: {"username": .., "password": ..}}}. A zip is named as `"Code": {"ZipFile": "fileb://PATH"}`.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where the Invoke API is served.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9001")]
    listen: SocketAddr,
    /// Where each function's log goes, as NAME.log.
    #[arg(long, value_name = "FOLDER", default_value = "lambda-logs")]
    logs: PathBuf,
    /// Environments of a function at most.
    #[arg(long, value_name = "NUMBER", default_value = "10")]
    concurrency: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Config {
    #[serde(default)]
    functions: Vec<CreateFunction>,
    #[serde(default)]
    event_source_mappings: Vec<CreateEventSourceMapping>,
    /// What stands in for Secrets Manager: by id.
    #[serde(default)]
    secrets: BTreeMap<String, serde_json::Value>,
}

fn main() -> ExitCode {
    tracing_subscriber::fmt().json().flatten_event(true).with_writer(std::io::stderr).init();
    let (status, text) = match execute(&Cli::parse()) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Configuration(text)) => (2, text),
        Err(Failure::Broken(text)) => (1, text),
    };
    let _ = writeln!(std::io::stderr().lock(), "error: {text}");
    ExitCode::from(status)
}

enum Failure {
    Configuration(String),
    Broken(String),
}

fn execute(cli: &Cli) -> Result<(), Failure> {
    let path = cli.config.display();
    let configuration = |error: &dyn std::fmt::Display| Failure::Configuration(format!("{path}: {error}"));
    let broken = |error: std::io::Error| Failure::Broken(error.to_string());
    let text = std::fs::read_to_string(&cli.config).map_err(|error| configuration(&error))?;
    let config: Config = serde_json::from_str(&text).map_err(|error| configuration(&error))?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(broken)?;
    }
    let secrets = config.secrets.into_iter().map(|(id, secret)| (id, text_of(secret))).collect();
    let options =
        Options { secrets, is_on_terminal: true, max_environments: cli.concurrency, ..Options::new(&cli.logs) };
    let emulator = Emulator::start(options).map_err(broken)?;
    for function in &config.functions {
        emulator
            .create_function(function)
            .map_err(|error| configuration(&format!("{}: {error}", function.function_name)))?;
    }
    for mapping in config.event_source_mappings {
        let name = format!("{} on {}", mapping.function_name, mapping.topics.join(","));
        emulator.create_event_source_mapping(mapping).map_err(|error| configuration(&format!("{name}: {error}")))?;
    }
    let server = emulator.serve(cli.listen).map_err(broken)?;
    let _ = writeln!(std::io::stderr().lock(), "serving the Invoke API at http://{}", server.address());
    while !stop.load(Ordering::Acquire) {
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// A secret as Secrets Manager holds it: a text.
fn text_of(secret: serde_json::Value) -> String {
    match secret {
        serde_json::Value::String(text) => text,
        json => json.to_string(),
    }
}
