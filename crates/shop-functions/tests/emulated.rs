//! The shop as it is deployed: zips behind mappings on the embedded cluster, and the audit of what its topics hold.
#![cfg(test)]

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use events::{Timestamp, Topic};
use kafka_transport::{Connection, EmbeddedCluster, GroupOffsets, Pace, TopicReader};
use lambda_emulator::{Emulator, Options, Outcome, Packing, pack};
use messaging::{EVENT_ID, Outgoing, Record};
use serde_json::{Value, json};
use shop::order_generator::generate_order_event;
use topology::Topology;

const DEADLINE: Duration = Duration::from_secs(60);

/// The emulator with functions from the one binary.
struct Lambda {
    emulator: Emulator,
    _logs: tempfile::TempDir,
    logs: std::path::PathBuf,
    zip: String,
}

impl Lambda {
    fn start() -> Self {
        let logs = tempfile::tempdir().unwrap();
        let options = Options { pace: Pace::FULL, ..Options::new(logs.path()) };
        let binary = std::fs::read(env!("CARGO_BIN_EXE_shop-functions")).unwrap();
        let zip = STANDARD.encode(pack(&binary, Packing::Quick).unwrap());
        Self { emulator: Emulator::start(options).unwrap(), logs: logs.path().to_owned(), _logs: logs, zip }
    }

    fn create(&self, name: &str, variables: &Value) {
        let body = json!({"FunctionName": name, "Runtime": "provided.al2023", "Handler": name, "Timeout": 10,
            "Code": {"ZipFile": self.zip}, "Environment": {"Variables": variables}});
        self.emulator.create_function(&serde_json::from_value(body).unwrap()).unwrap();
    }

    fn invoke(&self, name: &str, event: &Value) -> Result<Value, Value> {
        match self.emulator.invoke(name, event.to_string().as_bytes()).unwrap() {
            Outcome::Answered(body) => Ok(serde_json::from_slice(&body).unwrap()),
            Outcome::Failed { payload, .. } => Err(serde_json::from_slice(&payload).unwrap()),
        }
    }

    fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.logs.join(format!("{name}.log"))).unwrap()
    }
}

#[test]
fn hello_world_is_answered_with_hello_world() {
    let lambda = Lambda::start();
    lambda.create("hello_world", &json!({}));
    assert_eq!(lambda.invoke("hello_world", &json!({})), Ok(json!("Hello World")));
}

#[test]
fn wrong_settings_are_the_answer_and_stand_in_the_log_as_json() {
    let lambda = Lambda::start();
    lambda.create("payment_processor", &json!({"ANSWER_MODE": "some"}));
    let error = lambda.invoke("payment_processor", &json!({})).unwrap_err();
    let text = "2 settings are wrong\n  KAFKA_BROKERS   missing: set HOST:PORT,HOST:PORT\n  \
                ANSWER_MODE     found \"some\", allowed whole or partial";
    assert_eq!(error, json!({"errorType": "Function.NotStarted", "errorMessage": text, "stackTrace": []}));
    let log = lambda.log("payment_processor");
    let line = log.lines().find(|line| line.starts_with('{')).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        (&line["status"], &line["level"], &line["reason"]),
        (&json!("not_started"), &json!("ERROR"), &json!(text))
    );
    assert!(line["timestamp"].is_string() && line["service"].is_string());
}

#[test]
fn brokers_that_are_away_fail_the_invocation_and_not_init() {
    let lambda = Lambda::start();
    lambda.create("order_generator", &json!({"KAFKA_BROKERS": "127.0.0.1:1"}));
    let error = lambda.invoke("order_generator", &json!({})).unwrap_err();
    assert_eq!(error["errorType"], "Orders.NotWritten");
    assert!(lambda.log("order_generator").contains(r#""status":"cold""#));
}

#[test]
fn what_is_no_batch_is_refused_by_a_consumer() {
    let cluster = EmbeddedCluster::start([(Topic::new("order_placed"), 1)]).unwrap();
    let lambda = Lambda::start();
    lambda.create("payment_processor", &json!({"KAFKA_BROKERS": cluster.brokers()}));
    assert_eq!(lambda.invoke("payment_processor", &json!({})).unwrap_err()["errorType"], "Event.NotABatch");
    let empty = json!({"eventSource": "SelfManagedKafka", "records": {}});
    assert_eq!(lambda.invoke("payment_processor", &empty), Ok(json!({"batchItemFailures": []})));
}

/// Event ids and bytes of all records of a topic, each once.
fn read(connection: &Connection, topic: Topic) -> std::collections::BTreeMap<Vec<u8>, Vec<u8>> {
    let mut reader = TopicReader::connect(connection).unwrap();
    let spans = reader.spans([topic]).unwrap();
    reader.begin(&spans).unwrap();
    let mut found = std::collections::BTreeMap::new();
    while !reader.is_done() {
        let mut each = |record: &Record<'_>, _| {
            let id = record.headers.last(EVENT_ID).unwrap_or_default().to_vec();
            let value = record.value.unwrap_or_default().to_vec();
            let before = found.insert(id, value.clone());
            assert!(before.is_none_or(|before| before == value), "doubled with other bytes");
        };
        reader.read(Duration::from_millis(100), 1_000, &mut each).unwrap();
    }
    found
}

/// What the handlers alone make of these orders, by topic.
fn expected(topology: &Topology, orders: &[Outgoing]) -> std::collections::BTreeMap<String, Vec<Vec<u8>>> {
    use messaging::{BatchStep, Outcome};
    let services = shop::Services::new(topology).unwrap();
    let mut topics = std::collections::BTreeMap::<String, Vec<Vec<u8>>>::new();
    let mut todo: Vec<Outgoing> = orders.to_vec();
    while let Some(record) = todo.pop() {
        topics.entry(record.topic.to_string()).or_default().push(record.value.clone());
        for (_, mut step) in services.iter().filter(|(subscription, _)| subscription.topic == record.topic) {
            for outcome in step.process(&[record.as_record()]) {
                let Outcome::Done(outgoing) = outcome else { panic!("{outcome:?}") };
                todo.extend(outgoing);
            }
        }
    }
    topics
}

/// The whole shop behind its mappings; `mode` is both the functions' and the mappings'.
#[track_caller]
fn run_shop(mode: &str, orders: u64) {
    let topology = Topology::built_in().unwrap();
    let topics = topology.topics().map(|topic| (Topic::named(&topic.name), topic.partitions as i32));
    let cluster = EmbeddedCluster::start(topics).unwrap();
    let connection = Connection::plaintext(&cluster.brokers());
    let lambda = Lambda::start();
    for service in topology.services() {
        lambda.create(&service.name, &json!({"KAFKA_BROKERS": cluster.brokers(), "ANSWER_MODE": mode, "SEED": "7"}));
    }
    for (service, group) in topology.groups() {
        let mut body = json!({"FunctionName": service.name, "Topics": [group.topic], "StartingPosition": "TRIM_HORIZON",
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [cluster.brokers()]}},
            "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": group.group}, "BatchSize": group.batch_records,
            "MaximumBatchingWindowInSeconds": 0});
        if mode == "partial" {
            body["FunctionResponseTypes"] = json!(["ReportBatchItemFailures"]);
            body["ProvisionedPollerConfig"] = json!({});
        }
        lambda.emulator.create_event_source_mapping(serde_json::from_value(body).unwrap()).unwrap();
    }
    let start = "2026-11-21T09:30:00Z";
    let request = json!({"orders": orders, "start": start, "run": "the-run"});
    let placed = lambda.invoke("order_generator", &request).unwrap();
    assert_eq!((&placed["orders"], &placed["run"]), (&json!(orders), &json!("the-run")));
    // Once more, as Lambda would retry it: the same bytes.
    assert_eq!(lambda.invoke("order_generator", &request).unwrap(), placed);

    let base = Timestamp::parse(start).unwrap();
    let orders: Vec<Outgoing> = (0..orders).map(|n| Outgoing::of(&generate_order_event(7, base, n))).collect();
    let expected = expected(&topology, &orders);
    let handled: i64 = 2; // each record of the first topic stands there twice, and so does all that follows
    for (_, group) in topology.groups() {
        let offsets = GroupOffsets::of(&connection, &group.group).unwrap();
        let partitions = topology.topic(&group.topic).unwrap().partitions;
        let records = handled * expected.get(&group.topic).map_or(0, Vec::len) as i64;
        let deadline = Instant::now() + DEADLINE;
        loop {
            let committed = offsets.committed(&group.topic, partitions).unwrap();
            let committed: i64 = committed.into_iter().flatten().sum();
            if committed == records {
                break;
            }
            assert!(committed < records, "{}: {committed} of {records}", group.group);
            assert!(Instant::now() < deadline, "{}: {committed} of {records}", group.group);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    for topic in topology.topics() {
        let mut found: Vec<Vec<u8>> = read(&connection, Topic::named(&topic.name)).into_values().collect();
        let mut expected = expected.get(&topic.name).cloned().unwrap_or_default();
        found.sort();
        expected.sort();
        assert_eq!(found.len(), expected.len(), "{}", topic.name);
        assert!(found == expected, "{}: other bytes", topic.name);
    }
}

#[test]
fn the_shop_behind_mappings_gives_the_records_of_its_handlers_with_errors_for_whole_batches() {
    run_shop("whole", 300);
}

#[test]
fn the_shop_behind_mappings_gives_the_records_of_its_handlers_with_partial_responses() {
    run_shop("partial", 300);
}
