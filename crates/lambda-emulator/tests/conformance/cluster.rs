use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use events::{EventId, OrderId};
use kafka_cluster::{Distribution, Options};
use kafka_transport::{Admin, Connection, TopicShape, Writer};
use lambda_emulator::CreateEventSourceMapping;
use messaging::{Follows, Outgoing};
use serde_json::{Value, json};
use topology::Topology;

use crate::fixture::{Fixture, function};
use crate::mappings::TOPIC;

/// A user of the secured cluster without any right.
const STRANGER: &str = "stranger";

fn mapping(brokers: &str, more: &Value) -> CreateEventSourceMapping {
    let brokers: Vec<&str> = brokers.split(',').collect();
    let mut body = json!({"FunctionName": "f", "Topics": [TOPIC.as_str()], "StartingPosition": "TRIM_HORIZON",
        "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": brokers}}, "MaximumBatchingWindowInSeconds": 0});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(body).unwrap()
}

fn write(connection: &Connection, values: std::ops::Range<u64>) {
    let writer = Writer::new(connection, &[(TOPIC, 1)], Duration::from_secs(20)).unwrap();
    writer.open(0);
    for value in values.map(|number| number.to_string().into_bytes()) {
        let event_id = EventId::of(&OrderId::parse("7f3a").unwrap(), "order_placed", "", 1);
        writer.publish(0, &Outgoing { topic: TOPIC, key: value.clone(), value, event_id }, Follows::NOTHING);
    }
    writer.confirm(0, Instant::now() + Duration::from_secs(20)).unwrap();
}

fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()
}

/// A moment behind everything that was written before, and before everything that is written after.
fn moment_ms() -> u128 {
    let begun_ms = now_ms();
    while now_ms() < begun_ms + 4 {
        std::thread::yield_now();
    }
    begun_ms + 2
}

/// API, StartingPosition: AT_TIMESTAMP begins at the first record of that time or later.
#[test]
fn a_mapping_at_a_timestamp_begins_at_the_first_record_of_that_time() {
    crate::needs_python!();
    let cluster = Options::kraft().start(&Distribution::find().unwrap()).unwrap();
    let shape = TopicShape { partitions: 1, replication: 1, retention_ms: 86_400_000, max_message_bytes: 1_000_000 };
    Admin::connect(&cluster.connection()).unwrap().create(&[(TOPIC.as_str(), shape)]).unwrap();
    write(&cluster.connection(), 0..3);
    let moment_ms = moment_ms();
    write(&cluster.connection(), 3..5);
    let fixture = Fixture::without_function();
    let folder = json!({"FOLDER": fixture.folder.path()});
    fixture.emulator.create_function(&function(&json!({"Environment": {"Variables": folder}}))).unwrap();
    let at = json!({"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": moment_ms as f64 / 1_000.0});
    fixture.emulator.create_event_source_mapping(mapping(cluster.brokers(), &at)).unwrap();
    let came = || -> Vec<i64> {
        let notes = std::fs::read_to_string(fixture.path("notes")).unwrap_or_default();
        let offsets = |line: &str| serde_json::from_str::<(String, Vec<i64>, Vec<String>, String)>(line).unwrap().1;
        notes.lines().flat_map(offsets).collect()
    };
    fixture.until("the later records", || came().len() >= 2);
    assert_eq!(came(), [3, 4]);
}

/// API, state reasons: EVENT_SOURCE_AUTHN_ERROR with a password that the brokers do not take, EVENT_SOURCE_AUTHZ_ERROR with a user
/// who may not read. The mapping says so, and nothing of the secret.
#[test]
fn a_mapping_that_the_brokers_refuse_says_whether_they_know_it_or_forbid_it() {
    let topology = Topology::built_in().unwrap();
    let cluster = Options::secured(&topology).with_user(STRANGER).start(&Distribution::find().unwrap()).unwrap();
    let ca = std::fs::read_to_string(cluster.ca_file().unwrap()).unwrap();
    let user = |password: &str| json!({"username": STRANGER, "password": password}).to_string();
    let secrets = [
        ("wrong".to_owned(), user("guessed-at-random")),
        ("right".to_owned(), user(cluster.password(STRANGER).unwrap())),
        ("ca".to_owned(), json!({"certificate": ca}).to_string()),
    ];
    let fixture = Fixture::with_options(|options| options.secrets = secrets.into());
    fixture.emulator.create_function(&function(&json!({}))).unwrap();
    for (secret, code) in [("wrong", "EVENT_SOURCE_AUTHN_ERROR: "), ("right", "EVENT_SOURCE_AUTHZ_ERROR: ")] {
        let access = json!({"SourceAccessConfigurations": [
            {"Type": "SASL_SCRAM_512_AUTH", "URI": secret}, {"Type": "SERVER_ROOT_CA_CERTIFICATE", "URI": "ca"}]});
        let uuid = fixture.emulator.create_event_source_mapping(mapping(cluster.brokers(), &access)).unwrap();
        let reason = || fixture.emulator.mapping_status(&uuid).unwrap().reason;
        fixture.until("the reason", || !reason().is_empty());
        assert!(reason().starts_with(code), "{}", reason());
        assert!(!reason().contains("guessed-at-random"), "{}", reason());
        fixture.emulator.enable_event_source_mapping(&uuid, false).unwrap();
    }
}
