use std::collections::BTreeSet;

use events::Event;
use events::shop::OrderPlaced;
use kafka_cluster::{Cluster, Options};
use kafka_transport::TopicReader;
use messaging::Outgoing;
use serde_json::{Value, json};

use crate::call::Ended;
use crate::worker::Worker;
use crate::{on, start, until, write_orders};

const SHOP: &str = "payment_processor inventory_manager shipping_handler notification_handler";

fn trace(cluster: &Cluster, arguments: &str) -> Ended {
    on(cluster, &format!("trace {arguments}")).end()
}

fn document(cluster: &Cluster, order_id: &str) -> Value {
    trace(cluster, &format!("{order_id} --format json")).with_status(0).document()
}

/// The topics of a trace, in its order.
fn topics(document: &Value) -> Vec<&str> {
    document["records"].as_array().unwrap().iter().map(|record| record["topic"].as_str().unwrap()).collect()
}

/// The ids of the orders that were placed.
fn placed(cluster: &Cluster) -> Vec<String> {
    let mut reader = TopicReader::connect(&cluster.connection()).unwrap();
    let spans = reader.spans([OrderPlaced::TOPIC]).unwrap();
    let mut ids = Vec::new();
    let take = |record: &messaging::Record<'_>, _| {
        ids.push(String::from_utf8(record.key.unwrap().to_vec()).unwrap());
        Ok::<_, kafka_transport::Error>(())
    };
    reader.read_all(&spans, take).unwrap();
    ids
}

#[test]
fn an_order_is_followed_from_its_entrance_to_its_end_and_to_its_dead_letter() {
    let cluster = start(&Options::kraft());
    on(&cluster, "topics create").end().with_status(0);
    on(&cluster, "work order_generator --orders 200 --rate 3000 --seed 7").end().with_status(0);
    let orders = placed(&cluster);
    an_order_that_nobody_has_handled_awaits_those_who_will(&cluster, &orders[0]);

    let workers = Worker::start(on(&cluster, &format!("work {SHOP}")));
    on(&cluster, "audit --format json").end().with_status(0);
    every_order_has_come_to_its_end(&cluster, &orders);
    what_was_given_up_stands_below_its_record(&cluster, &orders[1]);
    an_order_that_is_not_there_is_told_with_where_it_was_looked_for(&cluster);
    who_follows_an_order_sees_it_come_and_end(&cluster);
    workers.terminate().with_status(0);
}

fn an_order_that_nobody_has_handled_awaits_those_who_will(cluster: &Cluster, order_id: &str) {
    let open = document(cluster, order_id);
    assert_eq!((topics(&open), &open["end"]), (vec!["order_placed"], &json!("open")), "{open}");
    let awaited = json!(["payment_processor.order_placed", "inventory_manager.order_placed"]);
    let (found, awaited) = (&open["records"][0]["awaited"], awaited.as_array().unwrap());
    assert!(awaited.iter().all(|group| found.as_array().unwrap().contains(group)), "{open}");
    let text = trace(cluster, order_id).with_status(0).stdout;
    assert!(text.contains("awaits ") && text.ends_with("not ended: 1 record so far, in 0 ms\n"), "{text}");
}

fn every_order_has_come_to_its_end(cluster: &Cluster, orders: &[String]) {
    for order_id in &orders[..10] {
        let ended = document(cluster, order_id);
        assert_eq!(ended["end"], "ended", "{ended}");
        let topics = topics(&ended);
        assert_eq!(topics[0], "order_placed", "{ended}");
        assert!(topics.contains(&"payment_result") && topics.contains(&"inventory_result"), "{ended}");
        let first = json!({ "topic": "order_placed", "partition": ended["records"][0]["partition"], "offset": ended["records"][0]["offset"] });
        let paid =
            ended["records"].as_array().unwrap().iter().find(|record| record["topic"] == "payment_result").unwrap();
        assert_eq!((&paid["follows_from"], &paid["awaited"]), (&first, &json!([])), "{ended}");
        let text = trace(cluster, order_id).with_status(0).stdout;
        assert!(text.contains("└─ payment_result") && text.contains("\nended: "), "{text}");
    }
}

fn what_was_given_up_stands_below_its_record(cluster: &Cluster, order_id: &str) {
    let corrupt = Outgoing {
        topic: OrderPlaced::TOPIC,
        key: order_id.as_bytes().to_vec(),
        value: b"\x1b[2J no order".to_vec(),
        event_id: events::EventId::of(&events::OrderId::parse(order_id).unwrap(), "order_placed", "corrupt", 1),
    };
    write_orders(cluster, &[corrupt]);
    until("both services have given it up", || {
        let found = document(cluster, order_id);
        topics(&found).iter().filter(|topic| topic.ends_with(".dead_letter")).count() == 2
    });
    let given_up = document(cluster, order_id);
    assert_eq!(given_up["end"], "ended", "it had come to its end before: {given_up}");
    let records = given_up["records"].as_array().unwrap();
    let letter = records.iter().find(|record| !record["dead_letter"].is_null()).unwrap();
    assert_eq!(letter["follows_from"]["topic"], "order_placed", "{given_up}");
    assert!(letter["dead_letter"]["reason"].as_str().unwrap().starts_with("value: found invalid JSON"), "{given_up}");
    let text = trace(cluster, order_id).with_status(0).stdout;
    assert!(text.contains("└─ dead letter") && !text.contains('\u{1b}'), "{text}");
}

fn an_order_that_is_not_there_is_told_with_where_it_was_looked_for(cluster: &Cluster) {
    let unknown = trace(cluster, "nobody").with_status(1);
    let expected = format!(" topics on {}; is the id right, and are its records kept as long?\n", cluster.brokers());
    assert!(
        unknown.stderr.starts_with("error: order nobody: nothing of it in the ") && unknown.stderr.ends_with(&expected),
        "{}",
        unknown.stderr
    );
}

fn who_follows_an_order_sees_it_come_and_end(cluster: &Cluster) {
    let order = shop::order_generator::generate_order_event(11, events::Timestamp::BASE, 5);
    let following = on(cluster, &format!("trace {} --follow --format json", order.order_id));
    let following = std::thread::spawn(move || following.end());
    write_orders(cluster, &[Outgoing::of(&order)]);
    let followed = following.join().unwrap().with_status(0);
    let mut lines: Vec<Value> = followed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.pop().unwrap(), json!({ "end": "ended" }), "{}", followed.stdout);
    let topics: Vec<&str> = lines.iter().map(|line| line["topic"].as_str().unwrap()).collect();
    let distinct: BTreeSet<&str> = topics.iter().copied().collect();
    assert_eq!((topics[0], topics.len()), ("order_placed", distinct.len()), "each once: {topics:?}");
    assert!(distinct.contains("payment_result") && distinct.contains("inventory_result"), "{topics:?}");
}
