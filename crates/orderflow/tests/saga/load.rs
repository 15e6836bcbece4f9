use std::thread;
use std::time::Duration;

use events::Event;
use events::saga::OrderCreated;

use crate::scene::{Scene, end};

/// J06.
const RATE: u64 = 100;

/// What each worker may take.
const RESIDENT_MIB: u64 = 64;

/// How long an order takes is printed, and not asserted yet: each step commits by itself, and the p99 of 500 ms that J06 is to reach
/// needs steps that commit a batch at once.
#[test]
fn j06_a_hundred_orders_a_second_for_a_minute_in_flat_memory() {
    play(60);
}

#[test]
#[ignore = "takes five minutes: `ci/test --full saga` plays it"]
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
    assert!(late.iter().all(|mib| *mib <= RESIDENT_MIB), "{late:?}");
}
