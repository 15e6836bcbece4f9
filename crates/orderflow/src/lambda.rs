//! `orderflow lambda`: the functions behind their mappings on this machine, invocations of them, and their logs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::topology::Topology;
use clap::Subcommand;
use events::Topic;
use kafka_transport::{EmbeddedCluster, Pace};
use lambda_emulator::{CreateSchedule, Emulator, FaultArgs, MappingSummary, Options, Packing, ScaledClock};
use serde_json::{Value, json};
use shop::order_generator;
use tracing_subscriber::filter::LevelFilter;

use crate::{Error, Status, grouped, logging, package, print, signals, tell};
use place::ADDRESS;
use secrets::Secrets;

mod invoke; // one invocation, in the emulator or on AWS
mod logs; // what a function has logged
mod place; // which of the two
mod secrets; // each service's user and the CA

/// Where the emulator keeps the functions' logs, unless somebody says otherwise.
const LOGS: &str = "target/lambda-logs";

/// How often the emulator looks whether it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the functions behind their Kafka mappings until it is stopped.
    #[command(
        after_help = "Examples:\n  orderflow lambda up --time-scale 60\n  orderflow lambda up --fail 5% --kill 1% --seed 7\n  orderflow lambda up --credentials ~/.local/state/orderflow/cluster/credentials"
    )]
    Up(Up),
    /// Invokes a function and prints its answer.
    #[command(
        after_help = "Examples:\n  orderflow lambda invoke hello_world\n  orderflow lambda invoke order_generator --orders 100"
    )]
    Invoke(invoke::Args),
    /// Prints what a function has logged.
    #[command(after_help = "Example: orderflow lambda logs order_generator --follow")]
    Logs(logs::Args),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Up {
    /// Brokers without security, or other addresses of those that --credentials name; without both a cluster within this
    /// process.
    #[arg(long, value_name = "HOST:PORT,...")]
    brokers: Option<String>,
    /// The folder that has each service's credentials as SERVICE.env, as `orderflow cluster up` writes it. Each function
    /// and its mappings get those of its own user, as secrets.
    #[arg(long, value_name = "FOLDER")]
    credentials: Option<PathBuf>,
    /// The functions' program, shop-functions; without it the one beside this program.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Where the Invoke API is served.
    #[arg(long, value_name = "HOST:PORT", default_value = ADDRESS)]
    listen: SocketAddr,
    /// Where each function's log goes, as NAME.log.
    #[arg(long, value_name = "FOLDER", default_value = LOGS)]
    logs: PathBuf,
    /// When order_generator places an order by itself: rate(N minutes|hours|days), or off.
    #[arg(long, value_name = "EXPRESSION", default_value = "rate(1 minute)")]
    schedule: String,
    /// How many times faster than the clock the schedule runs, at times of its own; nothing else does.
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    time_scale: u32,
    #[command(flatten)]
    faults: FaultArgs,
    /// Whether functions report single records, in provisioned mode; without it batches fail as a whole.
    #[arg(long)]
    partial: bool,
}

pub(crate) fn execute(command: &Command, topology: &Topology) -> Result<Status, Error> {
    match command {
        Command::Up(args) => up(args, topology),
        Command::Invoke(args) => invoke::execute(args),
        Command::Logs(args) => logs::execute(args),
    }
}

fn up(args: &Up, topology: &Topology) -> Result<Status, Error> {
    logging::start(LevelFilter::WARN);
    let stop = signals::stop_flag()?;
    let topics = topology.topics().map(|topic| (Topic::named(&topic.name), topic.partitions as i32));
    let (named, secrets) = match &args.credentials {
        Some(folder) => {
            Secrets::read(folder, args.brokers.as_deref(), topology).map(|(all, secrets)| (Some(all), secrets))?
        }
        None => (args.brokers.clone(), Secrets::default()),
    };
    let embedded = match named {
        Some(_) => None,
        None => Some(EmbeddedCluster::start(topics)?),
    };
    let brokers = embedded.as_ref().map_or_else(|| named.unwrap_or_default(), EmbeddedCluster::brokers);
    let program = package::program(args.program.as_deref())?;
    let bytes = std::fs::read(&program).map_err(|error| Error::Usage(format!("{}: {error}", program.display())))?;
    let folder = tempfile::tempdir().map_err(Error::failed)?;
    let zip = folder.path().join("function.zip");
    lambda_emulator::pack(&bytes, Packing::Quick)
        .and_then(|bytes| std::fs::write(&zip, bytes))
        .map_err(Error::failed)?;

    let pace = if embedded.is_some() { Pace::STEADY } else { Pace::BROKERS };
    let faults = args.faults.faults();
    let clock = Arc::new(ScaledClock::new(args.time_scale));
    let options = Options { pace, secrets: secrets.texts(), faults, clock, ..Options::new(&args.logs) };
    let emulator = Emulator::start(options).map_err(Error::failed)?;
    let zip = format!("fileb://{}", zip.display());
    for name in package::functions(topology) {
        let body = function(topology, name, &zip, &brokers, args.partial, &secrets);
        let body = serde_json::from_value(body).map_err(Error::failed)?;
        emulator.create_function(&body).map_err(Error::failed)?;
    }
    for body in mappings(topology, &brokers, args.partial, &secrets) {
        let body = serde_json::from_value(body).map_err(Error::failed)?;
        emulator.create_event_source_mapping(body).map_err(Error::failed)?;
    }
    let server = emulator.serve(args.listen).map_err(|error| Error::Failed(format!("{}: {error}", args.listen)))?;
    let logs = args.logs.display();
    tell(&format!("functions on {brokers}, logs in {logs}, invoke them at http://{}", server.address()));
    if faults.is_any() {
        tell(&format!("faults: {faults}"));
    }
    if args.schedule != "off" {
        let created = CreateSchedule::from_json(schedule(&args.schedule));
        let created = created.and_then(|body| emulator.create_schedule(&body));
        created.map_err(|error| Error::Usage(format!("--schedule {}: {error}", args.schedule)))?;
    }
    while !stop.load(Ordering::Acquire) {
        std::thread::sleep(LOOK_EVERY);
    }
    print(&table(&emulator.mappings()))?;
    Ok(Status::Interrupted)
}

/// The body of `CreateSchedule`: an invocation of order_generator whose orders derive from its time.
fn schedule(expression: &str) -> Value {
    let name = order_generator::NAME;
    let input = json!({"scheduled_time": "<aws.scheduler.scheduled-time>"}).to_string();
    json!({"Name": name, "ScheduleExpression": expression, "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": format!("arn:aws:lambda:us-east-1:000000000000:function:{name}"), "Input": input,
            "RoleArn": format!("arn:aws:iam::000000000000:role/{name}")}})
}

/// The body of `CreateFunction`.
fn function(topology: &Topology, name: &str, zip: &str, brokers: &str, partial: bool, secrets: &Secrets) -> Value {
    let mode = if partial { "partial" } else { "whole" };
    let mut variables = json!({"KAFKA_BROKERS": brokers, "ANSWER_MODE": mode});
    for (name, value) in secrets.variables(name) {
        variables[name] = json!(value);
    }
    let service = topology.service(name);
    for (setting, number) in service.iter().flat_map(|service| &service.settings) {
        variables[setting.to_uppercase()] = json!(number.to_string());
    }
    let (timeout, memory) = service.map_or((3, 128), |service| (service.timeout_s, service.memory_mib));
    json!({"FunctionName": name, "Runtime": "provided.al2023", "Handler": name, "Timeout": timeout, "MemorySize": memory,
        "Code": {"ZipFile": zip}, "Environment": {"Variables": variables}})
}

/// The bodies of `CreateEventSourceMapping`, one a consumer group.
fn mappings(topology: &Topology, brokers: &str, partial: bool, secrets: &Secrets) -> Vec<Value> {
    let brokers: Vec<&str> = brokers.split(',').collect();
    let of = |(service, group): (&::topology::Service, &::topology::Consumption)| {
        let mut body = json!({"FunctionName": service.name, "Topics": [group.topic], "StartingPosition": "TRIM_HORIZON",
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": brokers}},
            "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": group.group}, "BatchSize": group.batch_records});
        if let Some(access) = secrets.access(&service.name) {
            body["SourceAccessConfigurations"] = access;
        }
        if partial {
            body["FunctionResponseTypes"] = json!(["ReportBatchItemFailures"]);
            body["ProvisionedPollerConfig"] = json!({});
        }
        body
    };
    topology.groups().filter(|(service, _)| service.host == ::topology::Host::Lambda).map(of).collect()
}

/// How each mapping did.
fn table(mappings: &[MappingSummary]) -> String {
    let mut text = format!("{:<48} {:>12} {:>9}  {}\n", "MAPPING", "INVOCATIONS", "FAILURES", "LAST RESULT");
    for MappingSummary { group, status, .. } in mappings {
        let (invocations, failures) = (grouped(status.invocations), grouped(status.failures));
        let result = if status.reason.is_empty() { &status.last_result } else { &status.reason };
        text += &format!("{group:<48} {invocations:>12} {failures:>9}  {result}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use lambda_emulator::{CreateEventSourceMapping, CreateFunction, MappingStatus};

    use super::*;

    #[test]
    fn functions_and_mappings_are_those_of_the_topology() {
        let topology = Topology::built_in().unwrap();
        for partial in [false, true] {
            let groups: BTreeSet<String> = mappings(&topology, "a:1,b:2", partial, &Secrets::default())
                .into_iter()
                .map(|body| {
                    let body: CreateEventSourceMapping = serde_json::from_value(body).unwrap();
                    assert_eq!(body.self_managed_event_source.endpoints["KAFKA_BOOTSTRAP_SERVERS"], ["a:1", "b:2"]);
                    body.self_managed_kafka_event_source_config.consumer_group_id.unwrap()
                })
                .collect();
            assert_eq!(groups, topology.groups().map(|(_, group)| group.group.clone()).collect());
        }
        let body = function(&topology, "payment_processor", "fileb://z", "a:1", true, &Secrets::default());
        let body: CreateFunction = serde_json::from_value(body).unwrap();
        let variables: Vec<(&str, &str)> =
            body.environment.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(variables, [("ANSWER_MODE", "partial"), ("KAFKA_BROKERS", "a:1"), ("SUCCESS_PERCENT", "90")]);
        assert_eq!((body.timeout, body.memory_size, body.handler.as_str()), (30, 128, "payment_processor"));
    }

    #[test]
    fn the_schedule_invokes_the_generator_for_the_time_that_the_schedule_states() {
        let body = CreateSchedule::from_json(schedule("rate(1 minute)")).unwrap();
        assert_eq!((body.name.as_str(), body.schedule_expression.as_str()), ("order_generator", "rate(1 minute)"));
        assert!(body.target.arn.ends_with(":function:order_generator"));
        assert_eq!(body.target.input, r#"{"scheduled_time":"<aws.scheduler.scheduled-time>"}"#);
    }

    #[test]
    fn the_table_says_how_each_mapping_did() {
        let status =
            MappingStatus { invocations: 1_200, failures: 3, last_result: "OK".into(), ..MappingStatus::default() };
        let (function, topic, group) = ("f".into(), "t".into(), "f.t".into());
        let text = table(&[MappingSummary { function, topic, group, status }]);
        let line = text.lines().nth(1).unwrap();
        assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["f.t", "1,200", "3", "OK"]);
    }
}
