use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use events::food::FoodOrder;
use events::{Event, OrderId};
use kafka_cluster::{ADMIN, Node};
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
    thread::sleep(Duration::from_secs(2));
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
    k02_the_topic_keeps_orders_for_seven_days(&scene);
}

fn l07_the_rate_is_what_the_environment_says(scene: &Scene) {
    let producer = scene.call(PRODUCER, "work food_producer --orders 1").env("ORDER_RATE", "250").end().with_status(0);
    assert!(producer.stderr.contains("\"rate\":250"), "{}", producer.stderr);
    let producer = scene.call(PRODUCER, "work food_producer --orders 1").end().with_status(0);
    assert!(producer.stderr.contains("\"rate\":10"), "{}", producer.stderr);
    for bad in ["0", "-1", "ten", "1.5", "1000001"] {
        let refused = scene.call(PRODUCER, "work food_producer").env("ORDER_RATE", bad).end().with_status(2);
        let expected =
            format!("error: ORDER_RATE: found {bad:?}, allowed a whole number of orders a second from 1 to 1000000\n");
        assert!(refused.stderr.ends_with(&expected), "{}", refused.stderr);
    }
}

fn k02_the_topic_keeps_orders_for_seven_days(scene: &Scene) {
    let diff = scene.call(ADMIN, "topics diff").end().with_status(0);
    assert!(diff.stdout.contains("food-orders") || !diff.stdout.contains("retention"), "{}", diff.stdout);
    scene.call(CONSUMER, "work food_consumer").env("DATABASE_URL", "").end().with_status(2);
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
