//! The shop as it is deployed: zips behind mappings on the embedded cluster, and the audit of what its topics hold.
#![cfg(test)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use events::{Timestamp, Topic};
use kafka_transport::{CA_PEM, Connection, EmbeddedCluster, GroupOffsets, PASSWORD, Pace, TopicReader, USERNAME};
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
        Self::start_with(Pace::FULL, BTreeMap::new())
    }

    fn start_with(pace: Pace, secrets: BTreeMap<String, String>) -> Self {
        let logs = tempfile::tempdir().unwrap();
        let options = Options { pace, secrets, ..Options::new(logs.path()) };
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
fn read(connection: &Connection, topic: Topic) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut reader = TopicReader::connect(connection).unwrap();
    let spans = reader.spans([topic]).unwrap();
    reader.begin(&spans).unwrap();
    let mut found = BTreeMap::new();
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
fn expected(topology: &Topology, orders: &[Outgoing]) -> BTreeMap<String, Vec<Vec<u8>>> {
    use messaging::{BatchStep, Outcome};
    let services = shop::Services::new(topology).unwrap();
    let mut topics = BTreeMap::<String, Vec<Vec<u8>>>::new();
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

/// Where a shop runs, and as whom.
struct Place {
    pace: Pace,
    /// Who looks at the topics afterwards.
    reader: Connection,
    connection_of: Box<dyn Fn(&str) -> Connection>,
}

impl Place {
    fn plaintext(cluster: &EmbeddedCluster) -> Self {
        let connection = Connection::plaintext(&cluster.brokers());
        let reader = connection.clone();
        Self { pace: Pace::FULL, reader, connection_of: Box::new(move |_| connection.clone()) }
    }
}

/// The whole shop behind its mappings; `mode` is both the functions' and the mappings'.
#[track_caller]
fn run_shop(place: &Place, mode: &str, orders: u64) {
    let topology = Topology::built_in().unwrap();
    let connection = place.reader.clone();
    let mut secrets = BTreeMap::new();
    let mut settings = BTreeMap::new();
    for service in topology.services() {
        let mut variables = json!({"ANSWER_MODE": mode, "SEED": "7"});
        for (name, value) in (place.connection_of)(&service.name).variables() {
            variables[name] = json!(value);
        }
        if let (Some(user), Some(password)) = (variables.get(USERNAME), variables.get(PASSWORD)) {
            let user = json!({"username": user, "password": password});
            secrets.insert(format!("user/{}", service.name), user.to_string());
            secrets.insert("ca".to_owned(), json!({"certificate": variables[CA_PEM]}).to_string());
        }
        settings.insert(service.name.clone(), variables);
    }
    let lambda = Lambda::start_with(place.pace, secrets.clone());
    for (name, variables) in &settings {
        lambda.create(name, variables);
    }
    for (service, group) in topology.groups() {
        let brokers: Vec<&str> = connection.brokers().split(',').collect();
        let mut body = json!({"FunctionName": service.name, "Topics": [group.topic], "StartingPosition": "TRIM_HORIZON",
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": brokers}},
            "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": group.group}, "BatchSize": group.batch_records,
            "MaximumBatchingWindowInSeconds": 0});
        if !secrets.is_empty() {
            body["SourceAccessConfigurations"] = json!([
                {"Type": "SASL_SCRAM_512_AUTH", "URI": format!("user/{}", service.name)},
                {"Type": "SERVER_ROOT_CA_CERTIFICATE", "URI": "ca"}]);
        }
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

#[track_caller]
fn run_embedded(mode: &str) {
    let topology = Topology::built_in().unwrap();
    let topics = topology.topics().map(|topic| (Topic::named(&topic.name), topic.partitions as i32));
    let cluster = EmbeddedCluster::start(topics).unwrap();
    run_shop(&Place::plaintext(&cluster), mode, 300);
}

#[test]
fn the_shop_behind_mappings_gives_the_records_of_its_handlers_with_errors_for_whole_batches() {
    run_embedded("whole");
}

#[test]
fn the_shop_behind_mappings_gives_the_records_of_its_handlers_with_partial_responses() {
    run_embedded("partial");
}

/// On Apache Kafka, each function and its mappings as the service's own user.
mod cluster {
    use kafka_cluster::{Distribution, Options};
    use kafka_transport::{Admin, Ca, TopicShape};

    use super::*;

    #[test]
    fn the_shop_runs_on_the_secured_cluster_each_service_as_its_own_user() {
        let topology = Topology::built_in().unwrap();
        let cluster = Options::secured(&topology).start(&Distribution::find().unwrap()).unwrap();
        let shape = |topic: &topology::Topic| TopicShape {
            partitions: topic.partitions,
            replication: topic.replication,
            retention_ms: topic.retention_ms as i64,
            max_message_bytes: topic.max_message_bytes,
        };
        let topics: Vec<(&str, TopicShape)> =
            topology.topics().map(|topic| (topic.name.as_str(), shape(topic))).collect();
        Admin::connect(&cluster.connection()).unwrap().create(&topics).unwrap();
        let ca = std::fs::read_to_string(cluster.ca_file().unwrap()).unwrap();
        let (brokers, passwords) = (cluster.brokers().to_owned(), {
            let password = |service: &topology::Service| cluster.password(&service.name).unwrap().to_owned();
            topology.services().map(|service| (service.name.clone(), password(service))).collect::<Vec<_>>()
        });
        let connection_of = move |service: &str| {
            let (_, password) = passwords.iter().find(|(name, _)| name == service).unwrap();
            Connection::sasl_ssl(&brokers, service, password, Ca::Pem(ca.clone()))
        };
        let reader = cluster.connection();
        run_shop(&Place { pace: Pace::BROKERS, reader, connection_of: Box::new(connection_of) }, "partial", 300);
    }
}
