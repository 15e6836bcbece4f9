use std::thread;
use std::time::Duration;

use events::Event;
use events::saga::OrderCreated;

use crate::scene::{Scene, end};

/// J06.
const RATE: u64 = 100;

/// The whole way, from an order's first record to its last.
const P99_MS: u64 = 500;

/// What each worker may take.
const RESIDENT_MIB: u64 = 64;

#[test]
fn j06_a_hundred_orders_a_second_for_a_minute_in_half_a_second_each_and_in_flat_memory() {
    play(60);
}

#[test]
#[ignore = "takes five minutes: `ci/test --full kafka` plays it"]
fn j06_a_hundred_orders_a_second_for_five_minutes() {
    play(300);
}

fn play(seconds: u64) {
    let scene = Scene::start(false);
    let orders = RATE * seconds;
    let workers = scene.work_all(&format!("--orders {orders} --rate {RATE} --seed 7"), &[], &[]);
    scene.await_records(OrderCreated::TOPIC, orders / 10);
    let resident = || -> Vec<u64> { workers.values().map(crate::worker::Worker::resident_mib).collect() };
    let early = resident();
    thread::sleep(Duration::from_secs(seconds).saturating_sub(Duration::from_secs(seconds / 10)));
    let late = resident();
    scene.await_records(OrderCreated::TOPIC, orders);
    let document = scene.audit();
    end(workers);
    println!("{seconds} s of {RATE} orders/s: {}", document["latency_ms"]);
    println!("resident MiB after a tenth of the time {early:?}, at the end {late:?}");
    assert_eq!(document["orders"]["accepted"], orders, "{document}");
    assert_eq!(document["audit"]["redelivered"], 0, "nothing was overdue, killed or retried: {document}");
    assert!(document["latency_ms"]["p99"].as_u64().unwrap() <= P99_MS, "{document}");
    assert!(late.iter().all(|mib| *mib <= RESIDENT_MIB), "{late:?}");
}
