use std::fs;
use std::net::TcpListener;

use events::Timestamp;
use kafka_cluster::{ADMIN, Options};
use nix::sys::signal::Signal;
use serde_json::json;
use topology::Topology;

use crate::call::orderflow;
use crate::worker::Worker;
use crate::{start, until};

const ORDERS: u64 = 2_000;

/// An address that nobody listens at.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// What the table at the end says of each function, invocations and errors, and of mappings with a problem.
fn functions(table: &str) -> (Vec<(&str, u64, u64)>, Vec<&str>) {
    let (problems, rows): (Vec<&str>, Vec<&str>) = table.lines().skip(1).partition(|line| line.contains(": "));
    let number = |text: &str| text.replace(',', "").parse().unwrap();
    let row = |line| {
        let words: Vec<&str> = str::split_whitespace(line).collect();
        (words[0], number(words[1]), number(words[2]))
    };
    (rows.into_iter().map(row).collect(), problems)
}

#[test]
fn functions_with_the_secrets_of_their_users_pass_the_audit_with_the_digest_of_the_embedded_run() {
    // Given a secured cluster with the shop's topics, its users' credentials as files, and what an embedded run gives.
    let topology = Topology::built_in().unwrap();
    let cluster = start(&Options::secured(&topology));
    let admin = cluster.connection_as(ADMIN).unwrap();
    let as_admin = |arguments: &str| orderflow(arguments).on(&admin).end();
    as_admin("topics create").with_status(0);
    let credentials = tempfile::tempdir().unwrap();
    for service in topology.services() {
        let variables = cluster.connection_as(&service.name).unwrap().variables();
        let lines: String = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        fs::write(credentials.path().join(format!("{}.env", service.name)), lines).unwrap();
    }
    let seed = topology.service("order_generator").unwrap().setting("seed").unwrap();
    let embedded = orderflow(&format!("run --orders {ORDERS} --seed {seed} --format json")).end().with_status(0);

    for (run, options) in [("calm", ""), ("faults", "--partial --fail 5% --kill 5% --seed 7")] {
        // When all functions run behind their mappings, and orders are placed; an invocation that is killed is repeated.
        let (address, folder) = (free_address(), credentials.path().display());
        let up = format!("lambda up --credentials {folder} --listen {address} --logs logs --schedule off {options}");
        let lambda = Worker::start(orderflow(&up));
        let invoke = |arguments: &str| orderflow(&format!("lambda invoke {arguments} --endpoint {address}")).end();
        until("functions can be invoked", || invoke("hello_world").status == Some(0));
        let event = json!({"orders": ORDERS, "start": Timestamp::BASE.to_string(), "run": run});
        until("orders are placed", || invoke(&format!("order_generator --payload {event}")).status == Some(0));

        // Then the topics hold what the embedded run gave, and each order once.
        let audit = as_admin(&format!("audit --run {run} --format json")).with_status(0);
        assert_eq!(
            (audit.digest(), &audit.document()["orders"]["accepted"]),
            (embedded.digest(), &json!(ORDERS)),
            "{run}"
        );
        lambda.send(Signal::SIGINT);
        let ended = lambda.end().with_status(130);
        let (functions, problems) = functions(&ended.stdout);
        assert_eq!(functions.len(), 6, "{}", ended.stdout);
        for (function, invocations, _) in &functions {
            assert!(*invocations > 0, "{function}: never invoked");
        }
        let errors: u64 = functions.iter().map(|(_, _, errors)| errors).sum();
        assert_eq!(errors > 0, run == "faults", "{}", ended.stdout);
        assert!(run == "faults" || problems.is_empty(), "{problems:?}");
    }
}
