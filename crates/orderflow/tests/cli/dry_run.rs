use serde_json::Value;

use crate::call::{orderflow, orders};

#[test]
fn every_event_of_an_order_is_logged_and_none_is_sent() {
    let ended = orderflow("run --dry-run --orders 40 --seed 7").end().with_status(0);
    assert_eq!(ended.stdout, "");
    let log = ended.log();
    assert_eq!(log.len(), ended.stderr.lines().count(), "{}", ended.stderr);
    let ids: Vec<&str> = log.iter().filter_map(|line| line["order_id"].as_str()).collect();
    for order in orders(40, 7).lines() {
        let order: Value = serde_json::from_str(order).unwrap();
        let told: Vec<[&str; 3]> = log
            .iter()
            .filter(|line| line["order_id"] == order["order_id"])
            .map(|line| ["event_type", "service", "status"].map(|field| line[field].as_str().unwrap()))
            .collect();
        let last = match &told[..] {
            [.., [last, ..]] => *last,
            [] => panic!("nothing of {order} among {ids:?}"),
        };
        let end = if last == "order_shipped" { "order_shipped" } else { "notification" };
        assert_eq!(
            told,
            [
                ["order_placed", "order_generator", "not_sent"],
                ["inventory_result", "inventory_manager", "not_sent"],
                ["inventory_result", "notification_handler", "handled"],
                ["payment_result", "payment_processor", "not_sent"],
                [end, "shipping_handler", "not_sent"],
                [end, "notification_handler", "handled"],
            ]
        );
    }
    assert!(log.iter().all(|line| line["timestamp"].is_string()));
    assert!(log.iter().any(|line| line["remark"].as_str().is_some_and(|remark| remark.ends_with("was declined"))));
}

#[test]
fn a_log_that_is_off_says_nothing() {
    let ended = orderflow("run --dry-run --orders 2 --seed 7").env("RUST_LOG", "off").end().with_status(0);
    assert_eq!((ended.stdout, ended.stderr), (String::new(), String::new()));
}

#[test]
fn a_seed_that_nobody_gave_is_printed() {
    let ended = orderflow("run --dry-run --orders 1").env("RUST_LOG", "off").end().with_status(0);
    let seed = ended.stderr.strip_prefix("seed ").and_then(|rest| rest.strip_suffix('\n'));
    assert!(seed.is_some_and(|seed| seed.parse::<u64>().is_ok()), "{}", ended.stderr);
}

#[test]
fn refused_lines_are_set_aside_as_in_a_run() {
    let lines = format!("{}no order\n", orders(1, 7));
    let ended = orderflow("run --dry-run --input -").stdin(lines).end().with_status(3);
    assert_eq!(ended.file("rejects.jsonl").len(), 1);
    assert_eq!(ended.log().len(), 6);
}

#[test]
fn what_only_a_run_obeys_is_refused() {
    for option in ["--duration 1s", "--rate 100", "--format json"] {
        let ended = orderflow(&format!("run --dry-run --orders 1 {option}")).end().with_status(2);
        assert!(ended.stderr.contains("cannot be used with"), "{}", ended.stderr);
    }
}
