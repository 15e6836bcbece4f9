//! `lambda-emulator`: functions and mappings of a file and of whoever calls its API, until it is told to stop.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;
use lambda_emulator::{
    CreateEventSourceMapping, CreateFunction, CreateSchedule, Emulator, Endpoints, FaultArgs, Options, ScaledClock,
};
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
    /// [CreateEventSourceMapping...], "Schedules": [CreateSchedule...], "Secrets": {ID: {"username": .., "password": ..}}}. A zip is named as `"Code": {"ZipFile": "fileb://PATH"}`.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where Lambda's API is served: Invoke, and on loopback also what creates, changes and deletes functions and mappings.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9001")]
    listen: SocketAddr,
    /// Where each function's log goes, as NAME.log.
    #[arg(long, value_name = "FOLDER", default_value = "lambda-logs")]
    logs: PathBuf,
    /// Environments of a function at most.
    #[arg(long, value_name = "NUMBER", default_value = "10", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    concurrency: u16,
    /// A function whose process you start yourself, in a debugger for example: what to export is printed, and nothing ends it. May
    /// be given several times.
    #[arg(long, value_name = "NAME")]
    attach: Vec<String>,
    /// Functions run as this user, by number, instead of the emulator's own: they reach neither its files nor, where the system
    /// routes by user, its network. Needs root.
    #[arg(long, value_name = "UID", value_parser = clap::value_parser!(u32).range(1..))]
    function_user: Option<u32>,
    #[command(flatten)]
    faults: FaultArgs,
    /// How many times faster than the clock schedules run, at times of their own: with 60 an hour of theirs is a minute. Nothing
    /// else is scaled: neither functions' durations and timeouts, nor windows, retries and Kafka.
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    time_scale: u32,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Config {
    #[serde(default)]
    functions: Vec<CreateFunction>,
    #[serde(default)]
    event_source_mappings: Vec<CreateEventSourceMapping>,
    #[serde(default)]
    schedules: Vec<serde_json::Value>,
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
    let path = cli.config.as_ref().map_or_else(|| "--config".to_owned(), |path| path.display().to_string());
    let configuration = |error: &dyn std::fmt::Display| Failure::Configuration(format!("{path}: {error}"));
    let broken = |error: std::io::Error| Failure::Broken(error.to_string());
    let config: Config = match &cli.config {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| configuration(&error))?;
            serde_json::from_str(&text).map_err(|error| configuration(&error))?
        }
        None => Config::default(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // A second signal ends the process at once, and the system those of the functions.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop)).map_err(broken)?;
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(broken)?;
    }
    let secrets = config.secrets.into_iter().map(|(id, secret)| (id, text_of(secret))).collect();
    let faults = cli.faults.faults();
    if faults.is_any() {
        let _ = writeln!(std::io::stderr().lock(), "faults: {faults}");
    }
    for name in &cli.attach {
        if !config.functions.iter().any(|function| function.function_name == *name) {
            return Err(configuration(&format!("--attach {name}: there is no such function in it")));
        }
    }
    let attach: BTreeSet<String> = cli.attach.iter().cloned().collect();
    let clock = Arc::new(ScaledClock::new(cli.time_scale));
    let defaults = Options::new(&cli.logs);
    let region = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| std::env::var(name).ok());
    let region = region.filter(|region| !region.is_empty()).unwrap_or_else(|| defaults.region.clone());
    let endpoints = Endpoints::from_environment(&region).map_err(Failure::Configuration)?;
    let options = Options {
        secrets,
        endpoints,
        region,
        faults,
        user: cli.function_user,
        clock,
        attach,
        is_on_terminal: true,
        max_environments: cli.concurrency.into(),
        ..defaults
    };
    let emulator = Emulator::start(options).map_err(broken)?;
    for function in &config.functions {
        emulator
            .create_function(function)
            .map_err(|error| configuration(&format!("{}: {error}", function.function_name)))?;
        if let Some(variables) = emulator.attached_variables(&function.function_name) {
            let mut err = std::io::stderr().lock();
            let _ = writeln!(err, "{} waits for the process that you start with:", function.function_name);
            for (name, value) in variables {
                let _ = writeln!(err, "export {name}='{}'", value.replace('\'', r"'\''"));
            }
        }
    }
    for mapping in config.event_source_mappings {
        let name = format!("{} on {}", mapping.function_name, mapping.topics.join(","));
        emulator.create_event_source_mapping(mapping).map_err(|error| configuration(&format!("{name}: {error}")))?;
    }
    for body in config.schedules {
        let name = body["Name"].as_str().unwrap_or("a schedule without Name").to_owned();
        let created = CreateSchedule::from_json(body).and_then(|body| emulator.create_schedule(&body));
        created.map_err(|error| configuration(&format!("{name}: {error}")))?;
    }
    let server = emulator.serve(cli.listen).map_err(broken)?;
    let _ = writeln!(std::io::stderr().lock(), "serving Lambda's API at http://{}", server.address());
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
