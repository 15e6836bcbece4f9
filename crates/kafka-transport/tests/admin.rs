//! What the administration promises where rdkafka answers nothing.
#![cfg(test)]

use std::collections::HashMap;
use std::time::{Duration, Instant};

use kafka_cluster::{Distribution, Options};
use kafka_transport::{Admin, Error, TopicShape};
use pollster::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;

const SHAPE: TopicShape = TopicShape { partitions: 1, replication: 1, retention_ms: 60_000, max_message_bytes: 2_000 };
const OTHER: &str = "segment.bytes";
const DEADLINE: Duration = Duration::from_secs(30);

#[test]
fn an_alteration_keeps_what_else_was_set_and_one_that_is_refused_is_told() {
    let cluster = Options::kraft().start(&Distribution::find().unwrap()).unwrap();
    let admin = Admin::connect(&cluster.connection()).unwrap();
    admin.create(&[("orders", SHAPE)]).unwrap();
    let somebody: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", cluster.brokers()).create().unwrap();
    let (orders, options) = (ResourceSpecifier::Topic("orders"), AdminOptions::new());
    let theirs = AlterConfig { specifier: orders, entries: HashMap::from([(OTHER, "1048576"), ("retention.ms", "1")]) };
    block_on(somebody.alter_configs(&[theirs], &options)).unwrap()[0].as_ref().unwrap();
    let other = || {
        let described = block_on(somebody.describe_configs(&[orders], &options)).unwrap().remove(0).unwrap();
        described.get(OTHER).unwrap().value.clone()
    };
    // The controller has it, and the broker hears of it a little later.
    let deadline = Instant::now() + DEADLINE;
    while other().as_deref() != Some("1048576") {
        assert!(Instant::now() < deadline, "{:?}", other());
    }

    admin.alter("orders", 70_000, 3_000).unwrap();

    let found = admin.describe(&["orders", "nowhere"]).unwrap();
    let altered = TopicShape { retention_ms: 70_000, max_message_bytes: 3_000, ..SHAPE };
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [("orders".to_owned(), altered)]);
    assert_eq!(other().as_deref(), Some("1048576"));

    // Below -1 no retention is allowed.
    let Err(Error::NotAltered { topic, kept, .. }) = admin.alter("orders", -2, 3_000) else { panic!("altered") };
    assert_eq!((topic.as_str(), kept.as_str()), ("orders", "retention.ms=70000 instead of -2"));
}
