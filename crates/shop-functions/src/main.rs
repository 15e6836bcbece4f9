//! The shop on AWS Lambda: one binary that is `hello_world` or one of the five services, by its handler's name.
//!
//! INIT reads the settings, fetches the credentials, makes the one producer and warms it up; each invocation is a batch, or a request for orders.

use std::process::ExitCode;
use std::time::Duration;

use events::Topic;
use kafka_transport::{Error as KafkaError, Writer};
use lambda_host::{KafkaFunction, report_init_error, run};
use otlp::Traces;
use topology::Topology;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use consumer::Consumer;
use credentials::Credentials;
use generator::Generator;
use hello_world::HelloWorld;
use settings::{Kafka, Settings};

mod consumer; // a service behind its event source mappings
mod credentials; // as whom it speaks to Kafka
mod generator; // orders, on a schedule or by hand
mod hello_world; // proves that a function runs at all
#[cfg(feature = "secrets-manager")]
mod secret_pair; // the user and the CA, each in a secret
#[cfg(feature = "secrets-manager")]
mod secrets_manager; // AWS's service that keeps them
mod settings; // what the environment says

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How long INIT waits for the brokers: Lambda gives it ten seconds in all, and the first write tries again.
const WARM_UP: Duration = Duration::from_secs(3);

/// Why INIT failed.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    start_log();
    let (status, result) = match start() {
        Ok(Started::HelloWorld) => ("ended", run(&HelloWorld)),
        Ok(Started::Generator(generator)) => ("ended", run(&generator)),
        Ok(Started::Consumer(consumer)) => ("ended", run(&consumer)),
        Err(error) => {
            if let Ok(api) = std::env::var("AWS_LAMBDA_RUNTIME_API") {
                // Whoever does not listen is told by the exit status.
                let _ = report_init_error(&api, "Function.NotStarted", &error.to_string());
            }
            ("not_started", Err(error))
        }
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    let reason = error.to_string();
    tracing::error!(order_id = "", event_type = "", service = "", status, reason, "the function is gone");
    ExitCode::FAILURE
}

/// What answers invocations, once INIT is done.
enum Started {
    HelloWorld,
    Generator(Generator),
    Consumer(Consumer),
}

fn start() -> Result<Started, Failure> {
    let topology = Topology::built_in()?;
    Ok(match Settings::read(&topology, |name| std::env::var(name).ok())? {
        Settings::HelloWorld => Started::HelloWorld,
        Settings::Generator { kafka, traces, seed } => {
            let writer = writer(&kafka, &topology, shop::order_generator::NAME)?;
            Started::Generator(Generator { writer, traces: start_traces(traces, &topology)?, seed })
        }
        Settings::Consumer { kafka, traces, service, services, mode } => {
            let writer = writer(&kafka, &topology, &service)?;
            let traces = start_traces(traces, &topology)?;
            let is_ours = services.iter().filter(|(subscription, _)| subscription.service == service);
            let groups = is_ours.map(|(subscription, new_step)| (subscription.clone(), new_step)).collect();
            Started::Consumer(Consumer(KafkaFunction::new(groups, writer, mode, traces)))
        }
    })
}

fn start_traces(settings: Option<otlp::Settings>, topology: &Topology) -> std::io::Result<Option<Traces>> {
    settings.map(|settings| Traces::start(settings, topology, rand::random())).transpose()
}

/// The one producer. Brokers that cannot be reached yet do not fail INIT; those that refuse us do.
fn writer(kafka: &Kafka, topology: &Topology, service: &str) -> Result<Writer, Failure> {
    let topics: Vec<(Topic, i32)> =
        topology.topics().map(|topic| (Topic::named(&topic.name), topic.partitions as i32)).collect();
    let (connection, origin) = match &kafka.credentials {
        Credentials::Stated(connection) => (connection.clone(), String::new()),
        #[cfg(feature = "secrets-manager")]
        Credentials::InSecrets(pair) => (pair.fetch()?, format!("; {}", pair.origin())),
    };
    let writer = Writer::new(&connection, &topics, kafka.write_deadline)?;
    match writer.connect(WARM_UP) {
        Ok(()) => Ok(writer),
        Err(error @ (KafkaError::Login { .. } | KafkaError::Certificate { .. })) => {
            Err(format!("{error}{origin}").into())
        }
        Err(error) => {
            let reason = error.to_string();
            tracing::warn!(
                order_id = "",
                event_type = "",
                service,
                status = "cold",
                reason,
                "brokers not reached in INIT"
            );
            Ok(writer)
        }
    }
}

/// Log events as JSON lines on stdout, where CloudWatch reads them. `RUST_LOG` decides what is said, else the function's own
/// log level, and nothing of Lambda's runtime: what it would say of a failed invocation stands in the answer.
fn start_log() {
    let asked = ["RUST_LOG", "AWS_LAMBDA_LOG_LEVEL"].iter().find_map(|name| std::env::var(name).ok());
    // An empty name would be the target of everything.
    let named: Vec<&str> = asked.iter().flat_map(|asked| asked.split(',')).filter(|name| !name.is_empty()).collect();
    let named = if named.is_empty() { None } else { named.join(",").parse::<Targets>().ok() };
    let filter = named.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_ansi(false)
        .log_internal_errors(false)
        .with_writer(std::io::stdout);
    tracing_subscriber::registry().with(filter.with_target("lambda_runtime", LevelFilter::OFF)).with(lines).init();
}
