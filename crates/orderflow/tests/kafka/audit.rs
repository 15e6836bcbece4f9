use std::thread;
use std::time::{Duration, SystemTime};

use kafka_cluster::{Cluster, Options};

use crate::call::{Ended, orderflow};
use crate::worker::Worker;
use crate::{on, start};

const CONSUMERS: &str = "payment_processor inventory_manager shipping_handler notification_handler";

fn publish(cluster: &Cluster, orders: u64) {
    on(cluster, &format!("work order_generator --orders {orders} --rate 3000 --seed 7")).end().with_status(0);
}

fn audit(cluster: &Cluster, arguments: &str) -> Ended {
    on(cluster, &format!("audit --format json {arguments}")).end()
}

/// The digest of the first orders of seed 7 on the embedded cluster.
fn embedded(orders: u64) -> String {
    orderflow(&format!("run --orders {orders} --seed 7 --format json")).end().with_status(0).digest()
}

#[test]
fn what_workers_did_is_found_in_the_topics_with_the_digest_of_the_embedded_run() {
    const ORDERS: u64 = 3_000;
    let cluster = start(&Options::kraft());
    on(&cluster, "topics create").end().with_status(0);
    publish(&cluster, ORDERS);

    // Nobody has handled anything.
    let early = audit(&cluster, "--wait 0s").with_status(1).document();
    assert_eq!((&early["audit"]["unfinished"], &early["audit"]["lost"]), (&ORDERS.into(), &0.into()));
    assert_eq!(early["lag"]["payment_processor.order_placed"], ORDERS);

    let workers = Worker::start(on(&cluster, &format!("work {CONSUMERS}")));
    let first = audit(&cluster, "--no-redeliveries --orders orders.jsonl").with_status(0);
    assert_eq!((first.digest(), first.document()["orders"]["accepted"].as_u64()), (embedded(ORDERS), Some(ORDERS)));
    assert_eq!(first.file("orders.jsonl").len() as u64, ORDERS);

    thread::sleep(Duration::from_millis(10));
    let between = humantime::format_rfc3339_millis(SystemTime::now());
    publish(&cluster, 50);
    let second = audit(&cluster, "").with_status(0);
    assert_eq!((second.digest(), second.document()["orders"]["accepted"].as_u64()), (embedded(50), Some(50)));
    assert_ne!(second.document()["run"], first.document()["run"]);
    let since = audit(&cluster, &format!("--since {between}")).with_status(0);
    assert_eq!(since.document()["run"], second.document()["run"]);
    let all = audit(&cluster, "--since 1h").with_status(0).stdout;
    let runs: Vec<serde_json::Value> =
        serde_json::Deserializer::from_str(&all).into_iter().map(Result::unwrap).collect();
    let digests: Vec<&str> = runs.iter().filter_map(|run| run["digest"].as_str()).collect();
    assert_eq!(digests, [first.digest(), second.digest()]);

    let none = audit(&cluster, "--since 0s").with_status(1);
    assert!(none.stderr.starts_with("error: no run has begun since then"), "{}", none.stderr);
    workers.terminate().with_status(0);
}
