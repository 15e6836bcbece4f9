use std::collections::BTreeSet;

use events::food::FoodOrder;
use events::{Event, OrderId, Timestamp};
use food_orders::menu;
use messaging::Outgoing;
use messaging::store::{OrderTable, StoredOrder};
use postgres_store::PostgresOrders;
use serde_json::{Value, json};

use crate::scene::Scene;
use crate::until;
use crate::worker::Worker;

pub(crate) const PRODUCER: &str = "food_producer";
pub(crate) const CONSUMER: &str = "food_consumer";

/// All rows, by their ids.
pub(crate) fn rows(scene: &Scene) -> Vec<StoredOrder> {
    let table = PostgresOrders::open(&scene.database.url()).unwrap();
    table.orders(None, 1_000_000).unwrap()
}

/// A counter of a worker's metrics, over all of its labels that begin so.
pub(crate) fn counter(worker: &Worker, begins: &str) -> u64 {
    let (_, metrics) = worker.get("/metrics");
    let lines = metrics.lines().filter(|line| line.starts_with(begins));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64).sum()
}

/// The partitions that a consumer speaks of as its own.
fn partitions(worker: &Worker) -> BTreeSet<String> {
    let (_, metrics) = worker.get("/metrics");
    let lines = metrics.lines().filter(|line| line.starts_with("orderflow_lag_records{"));
    lines.filter_map(|line| Some(line.split_once("partition=\"")?.1.split_once('"')?.0.to_owned())).collect()
}

#[test]
fn n07_n08_n09_n10_orders_of_a_group_of_two_are_stored_each_once_and_invalid_ones_are_skipped_and_counted() {
    let scene = Scene::start(|options| options);
    n07_ten_orders_are_stored_by_a_consumer_that_comes_after_them(&scene);
    let consumers = n09_two_consumers_share_the_partitions(&scene);
    n09_the_log_tells_which_partitions_came_and_went(&consumers);
    n10_fifty_orders_are_in_the_table_as_they_were_sent(&scene);
    while_orders_are_placed_and_stored_the_audit_holds(&scene);
    m06_an_order_that_comes_again_is_stored_once(&scene);
    m10_what_is_no_order_is_skipped_and_counted_under_its_reason(&scene, &consumers);
    let placed = consumers.iter().map(|consumer| counter(consumer, "orderflow_records_total{")).sum::<u64>();
    assert_eq!(placed + 10, scene.records(FoodOrder::TOPIC), "but for the first ten, every record was answered once");
    consumers.into_iter().for_each(|consumer| drop(consumer.terminate().with_status(0)));
}

fn n07_ten_orders_are_stored_by_a_consumer_that_comes_after_them(scene: &Scene) {
    scene.call(PRODUCER, "work food_producer --orders 10 --rate 1000 --seed 7").end().with_status(0);
    let consumer = scene.work(CONSUMER, "", &[]); // auto.offset.reset=earliest
    let audit = scene.audit_of("food");
    assert_eq!((&audit["orders"]["accepted"], &audit["outcomes"]["stored"]), (&json!(10), &json!(10)), "{audit}");
    let ended = consumer.terminate().with_status(0); // commits and closes
    assert!(ended.stderr.contains("\"status\":\"stopped\""), "{}", ended.stderr);
}

fn n09_two_consumers_share_the_partitions(scene: &Scene) -> [Worker; 2] {
    let all = BTreeSet::from(["0", "1", "2"].map(str::to_owned));
    let first = scene.work(CONSUMER, "", &[]);
    until("the first has all partitions", || partitions(&first) == all);
    let consumers = [first, scene.work(CONSUMER, "", &[])];
    until("both have partitions, and each partition has one of them", || {
        let [one, other] = [&consumers[0], &consumers[1]].map(partitions);
        !one.is_empty() && !other.is_empty() && one.is_disjoint(&other) && one.union(&other).eq(&all)
    });
    consumers
}

fn n09_the_log_tells_which_partitions_came_and_went([first, second]: &[Worker; 2]) {
    let told = |worker: &Worker, status: &str| worker.lines().iter().any(|line| line["status"] == status);
    assert!(told(first, "assigned") && told(first, "revoked") && told(second, "assigned"));
}

fn n10_fifty_orders_are_in_the_table_as_they_were_sent(scene: &Scene) {
    let before: BTreeSet<OrderId> = rows(scene).into_iter().map(|row| row.order_id).collect();
    scene.call(PRODUCER, "work food_producer --orders 50 --rate 1000 --seed 8").end().with_status(0);
    let audit = scene.audit_of("food");
    assert_eq!((&audit["orders"]["accepted"], &audit["audit"]["passed"]), (&json!(60), &json!(true)), "{audit}");
    let new: Vec<StoredOrder> = rows(scene).into_iter().filter(|row| !before.contains(&row.order_id)).collect();
    assert_eq!(new.len(), 50);
    for row in new {
        let order = menu::order(8, row.order_id.clone(), row.created_at);
        let stored = (row.customer_id, FoodOrder::items_of(&row.items), row.total_amount, row.status.as_str());
        assert_eq!(stored, (order.customer_id.clone(), Some(order.items_json()), order.total_amount, "pending"));
    }
}

fn while_orders_are_placed_and_stored_the_audit_holds(scene: &Scene) {
    let producer = Worker::start(scene.call(PRODUCER, "work food_producer --rate 50 --seed 11"));
    producer.await_told("ready");
    for _ in 0..3 {
        scene.audit_of("food");
    }
    producer.terminate().with_status(0);
    scene.audit_of("food");
}

/// An order of a day that no producer has.
fn order(number: u64) -> Outgoing {
    Outgoing::of(&menu::order(9, OrderId::numbered(Timestamp::BASE, number), Timestamp::BASE))
}

fn m06_an_order_that_comes_again_is_stored_once(scene: &Scene) {
    let (rows_before, order) = (rows(scene).len(), order(1));
    scene.publish(PRODUCER, FoodOrder::TOPIC, &vec![order; 100], "again");
    let audit = scene.audit_of("food");
    assert_eq!((&audit["audit"]["redelivered"], rows(scene).len()), (&json!(99), rows_before + 1), "{audit}");
}

/// What is bad about an order, and the field under which it is counted.
fn bad() -> Vec<(Vec<u8>, &'static str)> {
    let good = order(2);
    let with = |field: &str, value: Value| {
        let mut order: Value = serde_json::from_slice(&good.value).unwrap();
        order[field] = value;
        order.to_string().into_bytes()
    };
    let text = String::from_utf8(good.value.clone()).unwrap();
    let total = text.split_once("\"total_amount\":").unwrap().1.split_once(',').unwrap().0;
    let raw = |from: &str, to: &str| text.replacen(from, to, 1).into_bytes();
    let item = |name: &str, quantity: i64| json!([{"name": name, "quantity": quantity, "price": 2.5}]);
    vec![
        (with("order_id", Value::Null), "order_id"),
        (with("order_id", json!("no id")), "order_id"),
        (with("customer_id", json!(7)), "customer_id"),
        (with("items", json!([])), "items"),
        (with("items", item("Soup", -2)), "items"),
        (with("items", item("So\0up", 1)), "items"),
        (with("items", json!("Soup")), "items"),
        (with("total_amount", json!(0)), "total_amount"),
        (with("total_amount", json!("12.50")), "total_amount"),
        (raw(&format!("\"total_amount\":{total}"), "\"total_amount\":NaN"), "value"),
        (raw(&format!("\"total_amount\":{total}"), "\"total_amount\":1e300"), "total_amount"),
        (with("status", json!("eaten")), "status"),
        (with("created_at", json!("2026-02-30T00:00:00.000Z")), "created_at"),
        (b"\xff\xfe".to_vec(), "value"),
        (b"[]".to_vec(), "value"),
        (Vec::new(), "value"),
        (vec![b' '; 1_000_000], "value"),
    ]
}

fn m10_what_is_no_order_is_skipped_and_counted_under_its_reason(scene: &Scene, consumers: &[Worker; 2]) {
    let before = rows(scene).len();
    let bad = bad();
    let mut records: Vec<Outgoing> =
        bad.iter().map(|(value, _)| Outgoing { value: value.clone(), ..order(2) }).collect();
    // In a name everything may stand that a person can read: it is a name, and no part of a statement.
    let drops = br#"{"order_id":"ORD-1","customer_id":"CUST-00001","items":[{"name":"'); DROP TABLE food.orders; --","quantity":1,"price":2.00}],"total_amount":2.00,"status":"pending","created_at":"2026-01-01T00:00:00.000Z"}"#;
    records.push(Outgoing { value: drops.to_vec(), ..order(2) });
    // Another order that has the id of one that is stored.
    let other = FoodOrder { customer_id: "CUST-99999".into(), ..FoodOrder::decode(&order(1).value).unwrap() };
    records.push(Outgoing::of(&other));
    scene.publish(PRODUCER, FoodOrder::TOPIC, &records, "bad");
    let audit = scene.audit_of("food");
    let mut expected = serde_json::Map::new();
    for field in bad.iter().map(|(_, field)| *field).chain(["order_id"]) {
        let count = expected.get(field).and_then(Value::as_u64).unwrap_or(0);
        expected.insert(field.to_owned(), json!(count + 1));
    }
    assert_eq!(audit["skipped"], Value::Object(expected), "{audit}");
    assert_eq!(rows(scene).len(), before + 1, "the name alone was fine");
    let of_status = |one: &Worker| {
        let (_, metrics) = one.get("/metrics");
        let lines = metrics.lines().filter(|line| line.contains("status=\"skipped\""));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum::<u64>()
    };
    assert_eq!(consumers.iter().map(of_status).sum::<u64>(), bad.len() as u64 + 1);
    let skipped = |line: &Value| line["status"] == "skipped";
    let lines: Vec<Value> = consumers.iter().flat_map(Worker::lines).filter(skipped).collect();
    assert!(lines.iter().all(|line| line["event_type"] == FoodOrder::EVENT_TYPE), "{lines:?}");
    let ids: BTreeSet<&str> = lines.iter().map(|line| line["order_id"].as_str().unwrap()).collect();
    assert!(ids.contains("") && ids.iter().all(|id| !id.starts_with("CUST")), "never the customer's: {ids:?}");
}
