use events::shop::OrderPlaced;
use events::{Event, Timestamp};
use kafka_cluster::{Cluster, Options};
use messaging::Outgoing;
use serde_json::{Value, json};
use shop::order_generator::generate_order_event;

use crate::call::Ended;
use crate::worker::Worker;
use crate::{on, start, until, write_orders};

fn dead_letters(cluster: &Cluster, arguments: &str) -> Ended {
    on(cluster, &format!("dead-letters {arguments}")).end()
}

fn listed(cluster: &Cluster, arguments: &str) -> Value {
    dead_letters(cluster, &format!("list --format json {arguments}")).with_status(0).document()
}

/// The places of those that are listed.
fn places(listed: &Value) -> Vec<String> {
    let place = |letter: &Value| {
        let [topic, partition, offset] = ["topic", "partition", "offset"].map(|field| &letter[field]);
        format!("{}-{partition}@{offset}", topic.as_str().unwrap())
    };
    listed["dead_letters"].as_array().unwrap().iter().map(place).collect()
}

#[test]
fn what_services_have_given_up_is_listed_by_reason_and_shown_with_all_that_it_holds() {
    let cluster = start(&Options::kraft());
    on(&cluster, "topics create").end().with_status(0);
    assert_eq!(dead_letters(&cluster, "list").with_status(0).stdout, "0 dead letters\n");

    let orders: Vec<Outgoing> = (0..4).map(|n| Outgoing::of(&generate_order_event(7, Timestamp::BASE, n))).collect();
    let ids: Vec<String> = orders.iter().map(|order| String::from_utf8(order.key.clone()).unwrap()).collect();
    let text = |order: &Outgoing| String::from_utf8(order.value.clone()).unwrap();
    let dear = text(&orders[1]).replacen("\"total\":", "\"total\":-", 1).into_bytes();
    let broken = Outgoing { value: b"\x1b[2J\n no order".to_vec(), ..orders[0].clone() };
    write_orders(&cluster, &[broken, Outgoing { value: dear, ..orders[1].clone() }, orders[2].clone()]);
    let workers = Worker::start(on(&cluster, "work payment_processor inventory_manager"));
    until("both have given both up", || listed(&cluster, "")["count"] == 4);

    those_that_are_asked_for_are_listed(&cluster, &ids);
    one_is_shown(&cluster);
    what_is_not_there_is_told(&cluster);
    workers.terminate().with_status(0);
}

fn those_that_are_asked_for_are_listed(cluster: &Cluster, ids: &[String]) {
    let count = |filter: &str| listed(cluster, filter)["count"].as_u64().unwrap();
    assert_eq!(count("--service payment_processor"), 2);
    assert_eq!((count(&format!("--order {}", ids[0])), count(&format!("--order {}", ids[2]))), (2, 0));
    assert_eq!((count("--reason total:"), count("--since 1h"), count("--since 0s")), (2, 4, 0));
    let all = listed(cluster, "--limit 1");
    assert_eq!((all["count"].as_u64(), all["dead_letters"].as_array().unwrap().len()), (Some(4), 1));
    let reasons = all["by_reason"].as_array().unwrap();
    let of_payment = json!({ "service": "payment_processor", "about": "total", "dead_letters": 1 });
    assert!(reasons.contains(&of_payment), "{all}");
    let text = dead_letters(cluster, "list").with_status(0).stdout;
    assert!(text.ends_with("4 dead letters\n") && text.contains("of order_placed-"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    let refused = dead_letters(cluster, "list --service nobody").with_status(2);
    assert!(refused.stderr.starts_with("error: --service: no service `nobody` has dead letters"), "{}", refused.stderr);
}

fn one_is_shown(cluster: &Cluster) {
    let letters = listed(cluster, "--reason invalid --service payment_processor");
    let place = &places(&letters)[0];
    let text = dead_letters(cluster, &format!("show {place}")).with_status(0).stdout;
    for part in [
        &format!("place      {place}\n"),
        "by         payment_processor\n",
        "reason     value: found invalid JSON",
        "\\u{1b}[2J\\n no order (14 bytes)",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let document = dead_letters(cluster, &format!("show {place} --format json")).with_status(0).document();
    assert_eq!(document["value"], "\u{1b}[2J\n no order");
    let names: Vec<&str> =
        document["headers"].as_array().unwrap().iter().map(|header| header["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"event_id") && names.contains(&"kafka_dlt-exception-message"), "{names:?}");
}

fn what_is_not_there_is_told(cluster: &Cluster) {
    let topic = "payment_processor.order_placed.dead_letter";
    let missing = dead_letters(cluster, &format!("show {topic}-0@1000000")).with_status(1);
    assert_eq!(missing.stderr, format!("error: {topic}-0@1000000: nothing stands there, or not any more\n"));
    dead_letters(cluster, &format!("show {topic}-99@0")).with_status(1);
    let other = dead_letters(cluster, &format!("show {}-0@0", OrderPlaced::TOPIC)).with_status(2);
    assert!(other.stderr.starts_with("error: order_placed: no topic of dead letters; there are "), "{}", other.stderr);
    dead_letters(cluster, "show somewhere").with_status(2);
}
