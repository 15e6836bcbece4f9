use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use events::food::FoodOrder;
use events::{Event, OrderId};
use kafka_cluster::{ADMIN, Node};
use kafka_transport::Admin;
use serde_json::{Value, json};

use crate::flows::{CONSUMER, PRODUCER, rows};
use crate::scene::Scene;
use crate::until;
use crate::worker::Worker;

/// What a producer tells at its end.
fn placed(log: &str) -> u64 {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let last = lines.rev().find(|line| line["status"] == "published");
    last.and_then(|line| line["placed"].as_u64()).unwrap_or_else(|| panic!("{log}"))
}

#[test]
fn n02_n06_orders_have_numbers_of_their_own_whoever_places_them_and_a_producer_that_ends_has_placed_what_it_says() {
    let scene = Scene::start(|options| options);
    let consumer = scene.work(CONSUMER, "", &[]);
    // Two at once, then one of them again: their seeds are the same, and so would their orders be if the ids were.
    let start = || Worker::start(scene.call(PRODUCER, "work food_producer --rate 500 --seed 7").env("ORDER_RATE", "1"));
    let both = [start(), start()];
    scene.await_records(FoodOrder::TOPIC, 1_500); // of a ticket's thousand numbers each
    let mut total: u64 = both.into_iter().map(|one| placed(&one.terminate().with_status(0).stderr)).sum();
    total += placed(
        &scene.call(PRODUCER, "work food_producer --orders 1500 --rate 10000 --seed 7").end().with_status(0).stderr,
    );
    let audit = scene.audit_of("food");
    assert_eq!(audit["orders"]["accepted"], json!(total), "{audit}");
    assert_eq!((&audit["audit"]["redelivered"], &audit["skipped"]), (&json!(0), &json!({})), "{audit}");
    assert_eq!(scene.records(FoodOrder::TOPIC), total);
    let ids: BTreeSet<OrderId> = rows(&scene).into_iter().map(|row| row.order_id).collect();
    assert_eq!(ids.len() as u64, total);
    consumer.terminate().with_status(0);
    l07_the_rate_is_what_the_environment_says(&scene);
    l08_what_no_retry_mends_is_told_at_once(&scene);
    k02_the_topic_keeps_orders_for_seven_days(&scene);
}

fn l07_the_rate_is_what_the_environment_says(scene: &Scene) {
    for (said, rate) in [("250", 250), ("", 10)] {
        let producer = scene.call(PRODUCER, "work food_producer --orders 1").env("ORDER_RATE", said);
        let log = producer.end().with_status(0).stderr;
        let mut lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let begins = lines.find(|line| line["status"] == "publishing").unwrap();
        assert_eq!(begins["rate"], json!(rate), "{said:?}");
    }
}

fn l08_what_no_retry_mends_is_told_at_once(scene: &Scene) {
    // The consumer's user may read orders, and neither draw numbers nor write.
    let refused = scene.call(CONSUMER, "work food_producer --orders 1").end().with_status(1);
    assert!(refused.stderr.contains("food-order-numbers"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("\"status\":\"retried\""), "{}", refused.stderr);
}

fn k02_the_topic_keeps_orders_for_seven_days(scene: &Scene) {
    let topic = FoodOrder::TOPIC.as_str();
    let found = Admin::connect(&scene.cluster.connection_as(ADMIN).unwrap()).unwrap().describe(&[topic]).unwrap();
    assert_eq!((found[topic].partitions, found[topic].retention_ms), (3, 7 * 24 * 3_600 * 1_000));
}

#[test]
#[ignore = "takes a minute and a half, of which the brokers stand still for forty seconds: `ci/test --full food` plays it"]
fn l08_orders_that_no_broker_takes_are_tried_again_and_stored_once_brokers_are_back() {
    let scene = Scene::start(|options| options.for_long());
    let consumer = scene.work(CONSUMER, "", &[]);
    let producer = Worker::start(scene.call(PRODUCER, "work food_producer --rate 50"));
    until("orders flow", || scene.records(FoodOrder::TOPIC) > 100);
    let brokers = [1, 2, 3].map(Node::Broker);
    brokers.iter().for_each(|&broker| scene.cluster.freeze(broker).unwrap());
    // A write is given up after half a minute.
    thread::sleep(Duration::from_secs(40));
    brokers.iter().for_each(|&broker| scene.cluster.thaw(broker).unwrap());
    until("an order is tried again", || producer.lines().iter().any(|line| line["status"] == "retried"));
    let before = scene.records(FoodOrder::TOPIC);
    until("orders flow again", || scene.records(FoodOrder::TOPIC) > before + 1_000); // those of the pause, too
    let placed = placed(&producer.terminate().with_status(0).stderr);
    let audit = scene.audit_of("food");
    assert_eq!((&audit["orders"]["accepted"], &audit["skipped"]), (&json!(placed), &json!({})), "{audit}");
    println!("{placed} orders, {}", audit["audit"]);
    drop(consumer);
}
