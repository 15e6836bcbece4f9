use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use events::Event;
use events::shop::OrderPlaced;
use kafka_transport::Error;
use messaging::{BatchStep, Outcome, Record};
use rdkafka::types::RDKafkaApiKey;
use rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS as TOO_FEW;

use crate::broker_faults::{cluster, told};
use crate::from_outside::ends;
use crate::run::{Shop, orders};
use crate::steps::{Gate, altered, gated};

const PAYMENT: &str = "payment_processor.order_placed";
const STOCK: &str = "inventory_manager.order_placed";

#[test]
fn a_pipeline_dropped_in_the_middle_of_work_ends_soon_and_leaves_no_thread() {
    let shop = Shop::with_partitions(3).only([PAYMENT]).subscribed(PAYMENT, |group| {
        group.group = "to-be-dropped".into(); // its thread's name: other tests run beside this one
        group.batch_records = 1;
    });
    let mut run = shop.start();
    run.until("its thread", |_| threads().contains(&"to-be-dropped".to_owned()));
    run.take(&orders(1_000));
    run.until("work", |run| run.pipeline.handled() > 0);
    assert!(run.pipeline.handled() < 1_000);
    let started = Instant::now();
    drop(run);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(!threads().contains(&"to-be-dropped".to_owned()));
}

/// The names of this process's threads.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    // A thread that ends meanwhile has no name any more.
    tasks
        .filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect()
}

#[test]
fn a_drain_right_behind_the_intake_confirms_every_order_that_was_taken_in() {
    const ORDERS: u64 = 2_000;
    let mut run = Shop::with_partitions(3).start();
    run.take(&orders(ORDERS));
    let ended = run.drain();
    assert_eq!(ended.records(OrderPlaced::TOPIC), ORDERS);
    assert_eq!(ends(&ended.brokers, OrderPlaced::TOPIC, 3).iter().sum::<i64>(), ORDERS as i64);
    // What no group has read yet stays on its way; nothing contradicts itself.
    let verdict = ended.audit.verdict(messaging::audit::Drained::No);
    assert_eq!((verdict.accepted, verdict.ended + verdict.unfinished, verdict.doubled), (ORDERS, ORDERS, 0));
}

#[test]
fn a_drain_waits_for_orders_that_the_broker_has_not_confirmed_yet() {
    let shop = Shop::with_partitions(3);
    let cluster = cluster(&shop.topics);
    let mut run = shop.start_on(&cluster.bootstrap_servers());
    // Each refusal delays the orders by a tenth of a second.
    told(&cluster, |cluster| cluster.request_errors(RDKafkaApiKey::Produce, &[TOO_FEW; 9]));
    run.take(&orders(30));
    let ended = run.drain();
    assert_eq!(ended.records(OrderPlaced::TOPIC), 30);
}

#[test]
fn a_drain_confirms_the_batch_that_a_group_is_at() {
    let gate = Gate::closed();
    let mut run = Shop::with_partitions(1).only([PAYMENT]).stepping(PAYMENT, gated(&gate)).start();
    run.take(&orders(10));
    gate.wait_for_arrival();
    let opened = std::thread::spawn(move || gate.open());
    let ended = run.drain();
    opened.join().unwrap();
    let written = ended.records(events::shop::PaymentResult::TOPIC);
    let committed = crate::from_outside::committed(&ended.brokers, PAYMENT, OrderPlaced::TOPIC, 1);
    assert_eq!(committed, [Some(written as i64)]);
    assert!(written > 0);
}

#[test]
fn a_step_that_panics_ends_the_pipeline_with_its_groups_name() {
    let panics = altered(|_: &Record<'_>, _| panic!("planted"));
    let mut run = Shop::with_partitions(1).stepping(PAYMENT, panics).start();
    run.take(&orders(1));
    let error = run.until_it_fails();
    assert_eq!(error.to_string(), "payment_processor.order_placed: its thread panicked");
}

/// Takes its time to end, and says when it is gone: with its group's thread.
struct LastWords {
    inner: Box<dyn BatchStep>,
    is_gone: Arc<AtomicBool>,
}

impl BatchStep for LastWords {
    fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
        self.inner.process(batch)
    }
}

impl Drop for LastWords {
    fn drop(&mut self) {
        std::thread::sleep(Duration::from_millis(300));
        self.is_gone.store(true, Ordering::Release);
    }
}

#[test]
fn a_drain_that_finds_one_group_failed_ends_the_other_groups_all_the_same() {
    let (has_panicked, is_gone) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let seen = Arc::clone(&has_panicked);
    let panics = altered(move |_: &Record<'_>, _| {
        seen.store(true, Ordering::Release);
        panic!("planted")
    });
    let mut run = Shop::with_partitions(1)
        .only([PAYMENT, STOCK])
        .stepping(STOCK, panics) // the first to be joined
        .stepping(PAYMENT, |inner| LastWords { inner, is_gone: Arc::clone(&is_gone) })
        .start();
    run.publish(&[messaging::Outgoing::of(&orders(1)[0])]);
    while !has_panicked.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
    let error = run.drain().drained.unwrap_err();
    assert!(matches!(&error, Error::Panicked(group) if group == STOCK), "{error}");
    assert!(is_gone.load(Ordering::Acquire), "a group outlives its pipeline");
}
