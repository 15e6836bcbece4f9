//! The command on the secured cluster: who lacks a right is told which, whatever was asked.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use kafka_cluster::{ADMIN, Cluster, Options};
use kafka_transport::Admin;
use serde_json::Value;
use topology::Topology;

use crate::call::{Call, Ended, orderflow};
use crate::topics::{assert_all_as_the_topology_says, shape};
use crate::worker::Worker;
use crate::{PATIENCE, start};

const ORDERS: u64 = 20;

/// How soon a refusal is told: nobody waits for a deadline.
const AT_ONCE: Duration = Duration::from_secs(5);

#[test]
fn who_lacks_a_right_is_told_which_and_the_administrator_may_do_all() {
    let topology = Topology::built_in().unwrap();
    let cluster = start(&Options::secured(&topology));
    each_topic_has_its_replicas(&cluster);
    nobody_else_changes_topics(&cluster);
    whoever_asks_for_what_is_not_his_is_told_the_right(&cluster, &topology);
    a_wrong_password_is_told_and_not_repeated(&cluster);
    a_monitor_sees_all_groups_or_none(&cluster, &topology);
    an_audit_reads_all_topics_or_none(&cluster);
    the_page_of_a_worker_shows_what_its_user_may_see(&cluster);
}

fn of(cluster: &Cluster, user: &str, arguments: &str) -> Call {
    orderflow(arguments).on(&cluster.connection_as(user).unwrap())
}

fn call(cluster: &Cluster, user: &str, arguments: &str) -> Ended {
    of(cluster, user, arguments).end()
}

#[track_caller]
fn refused_at_once(cluster: &Cluster, user: &str, arguments: &str) -> String {
    let started = Instant::now();
    let refused = call(cluster, user, arguments).with_status(1);
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    refused.stderr
}

fn each_topic_has_its_replicas(cluster: &Cluster) {
    let created = call(cluster, ADMIN, "topics create").with_status(0);
    assert_eq!(created.stderr, "");
    assert_all_as_the_topology_says(&Admin::connect(&cluster.connection()).unwrap(), 3);
    assert!(call(cluster, ADMIN, "topics create").with_status(0).stdout.starts_with("nothing to do: "));
}

fn nobody_else_changes_topics(cluster: &Cluster) {
    for arguments in ["topics create", "topics diff", "reset --yes"] {
        let refused = call(cluster, "payment_processor", arguments).with_status(1);
        let expected = format!(
            "error: {}: user payment_processor may not DESCRIBE topic food-order-numbers: check its ACLs",
            cluster.brokers()
        );
        assert!(refused.stderr.starts_with(&expected), "{}", refused.stderr);
    }
}

fn whoever_asks_for_what_is_not_his_is_told_the_right(cluster: &Cluster, topology: &Topology) {
    let service = Admin::connect(&cluster.connection_as("payment_processor").unwrap()).unwrap();
    let missing = |result: Result<(), kafka_transport::Error>| {
        let told = result.unwrap_err().to_string();
        let (_, right) = told.split_once("user payment_processor may not ").unwrap_or_else(|| panic!("{told}"));
        right.split_once(':').unwrap().0.to_owned()
    };
    let shape = shape(topology, "order_placed", 3);
    for (tried, expected) in [
        (service.describe(&["order_placed"]).map(drop), "DESCRIBE_CONFIGS topic order_placed"),
        (service.create(&[("new", shape)]), "CREATE topic new"),
        (service.add_partitions(&[("order_placed", 4)]), "ALTER topic order_placed"),
        (service.alter("order_placed", 60_000, 2_000), "DESCRIBE_CONFIGS topic order_placed"),
        (service.offsets("inventory_result", 1).map(drop), "DESCRIBE topic inventory_result"),
        (service.empty(&[("order_placed", 3)]), "DELETE topic order_placed"),
        (service.delete_groups(&["payment_processor.order_placed"]), "DELETE group payment_processor.order_placed"),
    ] {
        assert_eq!(missing(tried), expected);
    }
}

fn a_wrong_password_is_told_and_not_repeated(cluster: &Cluster) {
    let refused = of(cluster, ADMIN, "topics diff").env("KAFKA_PASSWORD", "wrong").end().with_status(1);
    assert!(refused.stderr.contains(": user admin was refused (SASL authentication error"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("wrong"), "{}", refused.stderr);
}

fn a_monitor_sees_all_groups_or_none(cluster: &Cluster, topology: &Topology) {
    let seen = call(cluster, ADMIN, "monitor --once --interval 250ms --format json").with_status(0).document();
    let groups = seen["groups"].as_array().unwrap();
    assert_eq!((groups.len(), &seen["brokers"]), (topology.groups().count(), &3.into()));
    assert!(groups.iter().all(|group| group["lag"] == 0), "{seen}");

    let refused = refused_at_once(cluster, "payment_processor", "monitor --once --system shop");
    let expected =
        "user payment_processor may not DESCRIBE group inventory_manager.order_placed and topic order_placed";
    assert!(refused.contains(expected), "{refused}");
}

fn an_audit_reads_all_topics_or_none(cluster: &Cluster) {
    call(cluster, ADMIN, &format!("work order_generator --orders {ORDERS} --seed 7")).with_status(0);
    let early = call(cluster, ADMIN, "audit --wait 0s --format json").with_status(1).document();
    assert_eq!(early["audit"]["unfinished"], ORDERS);
    let refused = refused_at_once(cluster, "shipping_handler", "audit");
    assert!(refused.contains(": user shipping_handler may not DESCRIBE topic order_placed"), "{refused}");
}

fn the_page_of_a_worker_shows_what_its_user_may_see(cluster: &Cluster) {
    const GROUP: &str = "payment_processor.order_placed";
    let worker = Worker::start(of(cluster, "payment_processor", "work payment_processor --listen 127.0.0.1:0"));
    let lag = |seen: &Value, name: &str| {
        let group = seen["groups"].as_array()?.iter().find(|group| group["group"] == name)?;
        Some(group["lag"].clone())
    };
    let handled = |seen: &Value| {
        let groups = seen["workers"][0]["groups"].as_array().cloned().unwrap_or_default();
        groups.first().is_some_and(|group| group["handled"] == ORDERS)
    };
    let seen = await_seen(&worker, |seen| lag(seen, GROUP) == Some(0.into()) && handled(seen));
    assert!(
        seen["refusal"].as_str().unwrap().contains("user payment_processor may not DESCRIBE group inventory_manager."),
        "{seen}"
    );
    assert_eq!(lag(&seen, "inventory_manager.order_placed"), Some(Value::Null), "{seen}");
    worker.terminate().with_status(0);
}

/// Looks at what the page of a worker is told until it is so; answers with that.
#[track_caller]
fn await_seen(worker: &Worker, is_so: impl Fn(&Value) -> bool) -> Value {
    let address = worker.await_told("listening")["address"].as_str().unwrap().to_owned();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /api/live HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let deadline = Instant::now() + PATIENCE;
    for line in BufReader::new(stream).lines() {
        let Some(document) = line.unwrap().strip_prefix("data: ").map(str::to_owned) else { continue };
        let seen = serde_json::from_str(&document).unwrap();
        if is_so(&seen) {
            return seen;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}; the last that was told: {seen}");
    }
    panic!("the page has ended");
}
