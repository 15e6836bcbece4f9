//! The shop as it is deployed: zips behind mappings on the embedded cluster, and the audit of what its topics hold.
#![cfg(test)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use events::{Timestamp, Topic};
use kafka_transport::{
    BROKERS, CA_PEM, Connection, EmbeddedCluster, GroupOffsets, PASSWORD, Pace, TopicReader, USERNAME,
};
use lambda_emulator::{Emulator, Options, Outcome, Packing, pack};
use messaging::{EVENT_ID, Outgoing, Record};
use serde_json::{Value, json};
use shop::order_generator::generate_order_event;
use topology::{System, Topology};

use collector::Collector;

#[path = "../../otlp/tests/export/collector.rs"]
#[allow(dead_code, reason = "shared with the tests of otlp, which use the rest of it")]
mod collector; // a collector of spans

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
fn orders_that_a_function_has_placed_are_told_to_the_collector_that_it_was_given() {
    let cluster = EmbeddedCluster::start([(Topic::new("order_placed"), 1)]).unwrap();
    let (lambda, collector) = (Lambda::start(), Collector::start());
    let variables = json!({"KAFKA_BROKERS": cluster.brokers(), otlp::ENDPOINT: collector.endpoint()});
    lambda.create("order_generator", &variables);
    lambda.invoke("order_generator", &json!({"orders": 3})).unwrap();
    let spans = collector.spans();
    let told: Vec<_> = spans.iter().map(|(service, span)| (service.as_str(), span["name"].as_str().unwrap())).collect();
    assert_eq!(told, [("order_generator", "send order_placed"); 3]);
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

/// What CloudWatch counts as dead letters, as `{ $.FIELD = "VALUE" }`: field and value.
fn counted_as_dead_letter() -> (String, String) {
    let terraform = include_str!("../../../terraform/services/alarms.tf");
    let pattern = terraform.lines().find_map(|line| line.trim().strip_prefix("pattern")).unwrap();
    let pattern = pattern.trim_matches([' ', '=']).trim_matches('"').replace("\\\"", "\"");
    let inner =
        pattern.strip_prefix("{ $.").and_then(|rest| rest.strip_suffix("\" }")).expect("another form of pattern");
    let (field, value) = inner.split_once(" = \"").expect("another form of pattern");
    (field.to_owned(), value.to_owned())
}

#[test]
fn a_dead_letter_is_a_line_that_the_filter_of_cloudwatch_counts_with_its_service_and_a_handled_record_is_none() {
    let topology = Topology::built_in().unwrap();
    let topics = topology.topics_of(System::Shop).map(|topic| (Topic::named(&topic.name), topic.partitions as i32));
    let cluster = EmbeddedCluster::start(topics).unwrap();
    let lambda = Lambda::start();
    // Every record is told, so that there is a line of one that was handled.
    let variables = json!({BROKERS: cluster.brokers(), "ANSWER_MODE": "whole", "RUST_LOG": "debug,librdkafka=off"});
    lambda.create("payment_processor", &variables);
    let order = Outgoing::of(&generate_order_event(7, Timestamp::parse("2026-11-21T09:30:00Z").unwrap(), 0));
    let record = |offset: u8, key: &[u8], value: &[u8]| {
        json!({"topic": "order_placed", "partition": 0, "offset": offset, "timestamp": 1, "timestampType": "CREATE_TIME",
            "key": STANDARD.encode(key), "value": STANDARD.encode(value), "headers": []})
    };
    // Given a batch of an order that can be read and one that cannot, the first is handled and the second given up.
    let records = [record(0, &order.key, &order.value), record(1, b"x", b"{")];
    let batch = json!({"eventSource": "SelfManagedKafka", "records": {"order_placed-0": records}});
    assert_eq!(lambda.invoke("payment_processor", &batch), Ok(json!({"batchItemFailures": []})));
    let log = lambda.log("payment_processor");
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let (field, value) = counted_as_dead_letter();
    let counted: Vec<&Value> = lines.iter().filter(|line| line[&field] == *value).collect();
    assert_eq!(counted.len(), 1, "{log}");
    assert_eq!((&counted[0]["service"], &counted[0]["offset"]), (&json!("payment_processor"), &json!(1)));
    assert!(lines.iter().any(|line| line["status"] == "handled" && line["offset"] == 0), "{log}");
}

/// A function as the payment processor's user, in an emulator with these secrets: the error that it answers with, and its log.
fn failure_with(secrets: &[(String, Value)], variables: Value) -> (Value, String) {
    let secrets = secrets.iter().map(|(id, secret)| (id.clone(), secret.to_string())).collect();
    let lambda = Lambda::start_with(Pace::FULL, secrets);
    let mut all = json!({BROKERS: "127.0.0.1:1"});
    name_secrets(&mut all, "payment_processor");
    all.as_object_mut().unwrap().extend(variables.as_object().unwrap().clone());
    lambda.create("payment_processor", &all);
    let error = lambda.invoke("payment_processor", &json!({})).unwrap_err();
    assert_eq!(error["errorType"], "Function.NotStarted");
    (error["errorMessage"].clone(), lambda.log("payment_processor"))
}

#[test]
fn a_secret_that_is_not_there_is_named_in_the_answer_with_what_to_check() {
    let ca = (CA_SECRET.to_owned(), json!({"certificate": "-----BEGIN CERTIFICATE-----"}));
    let (message, _) = failure_with(&[ca], json!({}));
    assert_eq!(
        message,
        "secret user/payment_processor (KAFKA_SECRET_ID): ResourceNotFoundException: Secrets Manager can't find the \
         specified secret. Check that it is there, in us-east-1"
    );
}

#[test]
fn a_secret_of_another_form_is_named_and_what_it_holds_is_told_at_no_log_level() {
    let user = (user_secret("payment_processor"), json!({"username": "payment_processor", "pass": "hidden"}));
    let ca = (CA_SECRET.to_owned(), json!({"certificate": "-----BEGIN CERTIFICATE-----"}));
    let (message, log) = failure_with(&[user, ca], json!({"RUST_LOG": "trace"}));
    let allowed = r#"allowed {"username": "..", "password": ".."}"#;
    assert_eq!(message, format!("secret user/payment_processor (KAFKA_SECRET_ID): {allowed}"));
    assert!(log.contains(r#""level":"TRACE""#) && !log.contains("hidden"), "{log}");
}

#[test]
fn a_secrets_manager_that_is_away_is_told_with_its_address() {
    let (message, _) = failure_with(&[], json!({"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:1"}));
    let message = message.as_str().unwrap();
    let start = "secret user/payment_processor (KAFKA_SECRET_ID): http://127.0.0.1:1: ";
    assert!(message.starts_with(start) && message.contains("Connection refused"), "{message}");
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
    use messaging::Outcome;
    let services = shop::services(topology).unwrap();
    let mut topics = BTreeMap::<String, Vec<Vec<u8>>>::new();
    let mut todo: Vec<Outgoing> = orders.to_vec();
    while let Some(record) = todo.pop() {
        topics.entry(record.topic.to_string()).or_default().push(record.value.clone());
        for (_, new_step) in services.iter().filter(|(subscription, _)| subscription.topic == record.topic) {
            for outcome in new_step().process(&[record.as_record()]) {
                let Outcome::Done(outgoing) = outcome else { panic!("{outcome:?}") };
                todo.extend(outgoing);
            }
        }
    }
    topics
}

const CA_SECRET: &str = "ca";

fn user_secret(service: &str) -> String {
    format!("user/{service}")
}

/// Adds the variables by which a function finds its user and the CA.
fn name_secrets(variables: &mut Value, service: &str) {
    variables[USERNAME] = json!(service);
    variables["KAFKA_SECRET_ID"] = json!(user_secret(service));
    variables["KAFKA_CA_SECRET_ID"] = json!(CA_SECRET);
}

/// How a mapping of the service finds them.
fn access(service: &str) -> Value {
    json!([{"Type": "SASL_SCRAM_512_AUTH", "URI": user_secret(service)},
        {"Type": "SERVER_ROOT_CA_CERTIFICATE", "URI": CA_SECRET}])
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
    for service in topology.services_of(System::Shop) {
        let mut variables = json!({"ANSWER_MODE": mode, "SEED": "7"});
        variables[BROKERS] = json!(connection.brokers());
        let stated: BTreeMap<&str, String> = (place.connection_of)(&service.name).variables().into_iter().collect();
        if let (Some(user), Some(password), Some(ca)) = (stated.get(USERNAME), stated.get(PASSWORD), stated.get(CA_PEM))
        {
            secrets.insert(user_secret(&service.name), json!({"username": user, "password": password}).to_string());
            secrets.insert(CA_SECRET.to_owned(), json!({"certificate": ca}).to_string());
            name_secrets(&mut variables, &service.name);
        }
        settings.insert(service.name.clone(), variables);
    }
    let lambda = Lambda::start_with(place.pace, secrets.clone());
    for (name, variables) in &settings {
        lambda.create(name, variables);
    }
    let groups = || {
        let services = topology.services_of(System::Shop);
        services.flat_map(|service| service.consumes.iter().map(move |group| (service, group)))
    };
    for (service, group) in groups() {
        let brokers: Vec<&str> = connection.brokers().split(',').collect();
        let mut body = json!({"FunctionName": service.name, "Topics": [group.topic], "StartingPosition": "TRIM_HORIZON",
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": brokers}},
            "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": group.group}, "BatchSize": group.batch_records,
            "MaximumBatchingWindowInSeconds": 0});
        if !secrets.is_empty() {
            body["SourceAccessConfigurations"] = access(&service.name);
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
    for (_, group) in groups() {
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
    for topic in topology.topics_of(System::Shop) {
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
    let topics = topology.topics_of(System::Shop).map(|topic| (Topic::named(&topic.name), topic.partitions as i32));
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
    use kafka_cluster::{Cluster, Distribution, Options};
    use kafka_transport::{Admin, Ca, TopicShape};

    use super::*;

    /// A secured cluster with the shop's topics, and how each user reaches it.
    fn secured(topology: &Topology) -> (Cluster, impl Fn(&str) -> Connection + 'static) {
        let cluster = Options::secured(topology).start(&Distribution::find().unwrap()).unwrap();
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
        (cluster, connection_of)
    }

    #[test]
    #[ignore = "takes a secured cluster of its own: `ci/test --full kafka` plays it"]
    fn the_shop_runs_on_the_secured_cluster_each_service_by_the_secret_of_its_own_user() {
        let (cluster, connection_of) = secured(&Topology::built_in().unwrap());
        let reader = cluster.connection();
        run_shop(&Place { pace: Pace::BROKERS, reader, connection_of: Box::new(connection_of) }, "partial", 300);
    }

    #[test]
    #[ignore = "takes a secured cluster of its own: `ci/test --full kafka` plays it"]
    fn a_wrong_password_fails_init_and_the_mapping_says_that_it_was_refused() {
        let (cluster, _) = secured(&Topology::built_in().unwrap());
        let ca = std::fs::read_to_string(cluster.ca_file().unwrap()).unwrap();
        let user = json!({"username": "payment_processor", "password": "wrong"});
        let secrets = [(user_secret("payment_processor"), user), (CA_SECRET.to_owned(), json!({"certificate": ca}))];
        let secrets = secrets.map(|(id, secret)| (id, secret.to_string())).into();
        let lambda = Lambda::start_with(Pace::BROKERS, secrets);
        let mut variables = json!({BROKERS: cluster.brokers()});
        name_secrets(&mut variables, "payment_processor");
        lambda.create("payment_processor", &variables);

        let error = lambda.invoke("payment_processor", &json!({})).unwrap_err();
        let message = error["errorMessage"].as_str().unwrap();
        assert!(message.contains(": user payment_processor was refused ("), "{message}");
        let origin = "the password is from secret user/payment_processor, the CA from secret ca";
        assert!(message.ends_with(origin), "{message}");

        let brokers: Vec<&str> = cluster.brokers().split(',').collect();
        let body = json!({"FunctionName": "payment_processor", "Topics": ["order_placed"],
            "StartingPosition": "TRIM_HORIZON", "SourceAccessConfigurations": access("payment_processor"),
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": brokers}}});
        let uuid = lambda.emulator.create_event_source_mapping(serde_json::from_value(body).unwrap()).unwrap();
        let deadline = Instant::now() + DEADLINE;
        let reason = loop {
            let status = lambda.emulator.mapping_status(&uuid).unwrap();
            if !status.reason.is_empty() {
                break status.reason;
            }
            assert!(Instant::now() < deadline, "{status:?}");
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(reason.starts_with("EVENT_SOURCE_AUTHN_ERROR: "), "{reason}");
        assert!(!reason.contains("wrong"), "{reason}");
    }
}
