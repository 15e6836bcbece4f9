use std::fs;
use std::net::TcpListener;

use events::Timestamp;
use kafka_cluster::{ADMIN, Cluster, Options};
use nix::sys::signal::Signal;
use serde_json::json;
use topology::Topology;

use crate::call::{Call, orderflow};
use crate::worker::Worker;
use crate::{start, until};

const ORDERS: u64 = 2_000;

/// A call as this user of the cluster.
fn call_as(cluster: &Cluster, user: &str, call: Call) -> Call {
    let variables = cluster.connection_as(user).unwrap().variables();
    variables.into_iter().fold(call, |call, (name, value)| call.env(name, &value))
}

/// An address that nobody listens at.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn functions_with_the_secrets_of_their_users_pass_the_audit_with_the_digest_of_the_embedded_run() {
    // Given a secured cluster with the shop's topics, and its users' credentials as files.
    let topology = Topology::built_in().unwrap();
    let cluster = start(&Options::secured(&topology));
    let as_admin = |arguments: &str| call_as(&cluster, ADMIN, orderflow(arguments)).end();
    as_admin("topics create").with_status(0);
    let credentials = tempfile::tempdir().unwrap();
    for service in topology.services() {
        let variables = cluster.connection_as(&service.name).unwrap().variables();
        let lines: String = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        fs::write(credentials.path().join(format!("{}.env", service.name)), lines).unwrap();
    }

    // When all functions run behind their mappings, and orders are placed.
    let (address, folder) = (free_address(), credentials.path().display());
    let lambda = Worker::start(orderflow(&format!("lambda up --credentials {folder} --listen {address} --logs logs")));
    until("functions can be invoked", || {
        orderflow(&format!("lambda invoke hello_world --endpoint {address}")).end().status == Some(0)
    });
    let event = json!({"orders": ORDERS, "start": Timestamp::BASE.to_string(), "run": "behind-mappings"});
    let invoke = orderflow(&format!("lambda invoke order_generator --endpoint {address} --payload {event}"));
    invoke.end().with_status(0);

    // Then the topics hold what an embedded run of the same orders gives, and each order once.
    let audit = as_admin("audit --format json").with_status(0);
    let seed = topology.service("order_generator").unwrap().setting("seed").unwrap();
    let embedded = orderflow(&format!("run --orders {ORDERS} --seed {seed} --format json")).end().with_status(0);
    assert_eq!((audit.digest(), &audit.document()["orders"]["accepted"]), (embedded.digest(), &json!(ORDERS)));
    lambda.send(Signal::SIGINT);
    let ended = lambda.end().with_status(130);
    assert!(!ended.stdout.contains("PROBLEM") && !ended.stdout.contains("EVENT_SOURCE"), "{}", ended.stdout);
    for line in ended.stdout.lines().skip(1) {
        assert!(line.ends_with("  OK") || line.ends_with("  No records processed"), "{line}");
    }
}
