use std::time::{Duration, Instant};

use events::Event;
use events::shop::PaymentResult;
use kafka_transport::EmbeddedCluster;
use messaging::{Outcome, Outgoing};
use serde_json::Value;

use crate::call::{Call, Ended, orderflow, orders};
use crate::flow::{Flow, placed};

const ORDERS: u64 = 200;

fn audit(cluster: &EmbeddedCluster, arguments: &str) -> Call {
    orderflow(&format!("audit --brokers {} --wait 2s --format json {arguments}", cluster.brokers()))
}

/// The audit of a flow of one run is this, beside what all of them are: all orders accepted.
#[track_caller]
fn check(cluster: &EmbeddedCluster, arguments: &str, status: i32, expected: &[(&str, u64)]) -> Ended {
    let ended = audit(cluster, arguments).end().with_status(status);
    let document = ended.document();
    assert_eq!(document["audit"]["passed"], status == 0, "{document}");
    for count in ["lost", "doubled", "redelivered", "dead_lettered", "unfinished", "unexpected"] {
        let expected = expected.iter().find(|(name, _)| *name == count).map_or(0, |&(_, count)| count);
        assert_eq!(document["audit"][count], expected, "{count}: {document}");
    }
    ended
}

fn clean() -> String {
    orderflow(&format!("run --seed 7 --orders {ORDERS} --format json")).end().with_status(0).digest()
}

#[test]
fn a_run_is_found_in_its_topics_as_it_was() {
    let cluster = Flow::new().run([("one", placed(7, ORDERS))]);
    let ended = check(&cluster, "--no-redeliveries --orders orders.jsonl", 0, &[]);
    let document = ended.document();
    assert_eq!((&document["run"], &document["system"]), (&"one".into(), &"shop".into()));
    assert_eq!(
        (&document["orders"]["accepted"], &document["records"]["payment_result"]),
        (&ORDERS.into(), &ORDERS.into())
    );
    assert_eq!(ended.digest(), clean());
    assert_eq!(document["lag"].as_object().unwrap().len(), 6);
    assert!(document["lag"].as_object().unwrap().values().all(|lag| lag == 0), "{document}");
    let ended_orders = &document["outcomes"];
    assert_eq!(ended_orders["shipped"].as_u64().unwrap() + ended_orders["payment_failed"].as_u64().unwrap(), ORDERS);

    let mut written = ended.file("orders.jsonl");
    let mut generated: Vec<Value> = orders(ORDERS, 7).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for orders in [&mut written, &mut generated] {
        orders.sort_by_key(ToString::to_string);
    }
    assert_eq!(written, generated);

    let text = orderflow(&format!("audit --brokers {}", cluster.brokers())).end().with_status(0).stdout;
    assert!(text.starts_with("run one\n  outcome "), "{text}");
    assert!(text.ends_with("0 lost, 0 doubled, 0 unfinished, 0 unexpected; 0 redelivered\n"), "{text}");
    for row in ["lag", "memory", "digest", "audit passed:"] {
        assert!(text.contains(row), "{row}: {text}");
    }
}

#[test]
fn the_newest_run_is_judged_unless_another_is_named_and_neither_hears_of_the_other() {
    let (older, newer) = (placed(7, ORDERS), placed(7, 3));
    let cluster = Flow::new().run([("older", older), ("newer", newer)]);
    let newest = check(&cluster, "", 0, &[]).document();
    assert_eq!((&newest["run"], &newest["orders"]["accepted"]), (&"newer".into(), &3.into()));
    let named = check(&cluster, "--run older --orders orders.jsonl", 0, &[]);
    assert_eq!((named.digest(), named.file("orders.jsonl").len() as u64), (clean(), ORDERS));

    let unknown = audit(&cluster, "--run nobody").end().with_status(1);
    assert!(unknown.stderr.starts_with("error: run nobody: none of its orders stands"), "{}", unknown.stderr);
    let few = audit(&cluster, "--run older --max-orders 50").end().with_status(1);
    assert!(few.stderr.contains("50 orders at most") && few.stderr.contains("raise --max-orders"), "{}", few.stderr);
}

#[test]
fn a_record_that_was_dropped_leaves_its_order_lost() {
    let drop = |count, outcome| if count == 40 { Outcome::Done(Vec::new()) } else { outcome };
    let cluster = Flow::new().altering("payment_processor.order_placed", drop).run([("one", placed(7, ORDERS))]);
    check(&cluster, "", 1, &[("lost", 1)]);
}

#[test]
fn other_bytes_under_one_event_id_are_doubled() {
    let double = |count, outcome| match outcome {
        Outcome::Done(mut records) if count == 40 => {
            let mut result = PaymentResult::decode(&records[0].value).unwrap();
            result.timestamp = result.timestamp.plus_ms(1);
            records.push(Outgoing::of(&result));
            Outcome::Done(records)
        }
        outcome => outcome,
    };
    let cluster = Flow::new().altering("payment_processor.order_placed", double).run([("one", placed(7, ORDERS))]);
    // The other result, and what the next service makes of it.
    check(&cluster, "", 1, &[("doubled", 2)]);
}

#[test]
fn a_record_that_stands_twice_is_no_fault_unless_that_is_asked() {
    let twice = [placed(7, ORDERS), placed(7, 1)].concat();
    let cluster = Flow::new().run([("one", twice)]);
    // The order, its two results, its end.
    check(&cluster, "", 0, &[("redelivered", 4)]);
    let ended = check(&cluster, "--no-redeliveries --orders orders.jsonl", 1, &[("redelivered", 4)]);
    assert!(ended.stderr.contains("error: 4 records stand again"), "{}", ended.stderr);
    assert_eq!(ended.file("orders.jsonl").len() as u64, ORDERS);
}

/// Orders, and one among them that nobody can decode.
fn with_a_broken_one() -> Vec<Outgoing> {
    let mut records = placed(7, ORDERS);
    records[20].value.truncate(30);
    records
}

#[test]
fn a_record_that_nobody_can_decode_needs_its_dead_letters() {
    let cluster = Flow::new().run([("one", with_a_broken_one())]);
    let ended = check(&cluster, "--orders orders.jsonl", 0, &[("dead_lettered", 1)]);
    assert_eq!(ended.document()["orders"]["accepted"], ORDERS);
    assert_eq!(ended.file("orders.jsonl").len() as u64, ORDERS - 1);
    assert!(ended.stderr.contains("1 orders that nobody can decode are not in orders.jsonl"), "{}", ended.stderr);

    let forget = |_, outcome| if let Outcome::Reject(_) = outcome { Outcome::Done(Vec::new()) } else { outcome };
    let group = "payment_processor.order_placed";
    let cluster = Flow::new().altering(group, forget).run([("one", with_a_broken_one())]);
    // The other group that reads it has given it up as it should.
    check(&cluster, "", 1, &[("lost", 1), ("dead_lettered", 1)]);
    let text = orderflow(&format!("audit --brokers {}", cluster.brokers())).end().with_status(1).stdout;
    assert!(text.contains(&format!("given up by {group} without a dead letter")), "{text}");
}

#[test]
fn a_group_that_lags_is_waited_for_then_named_and_its_orders_are_unfinished() {
    let group = "notification_handler.inventory_result";
    let cluster = Flow::new().without(group).run([("one", placed(7, ORDERS))]);
    let started = Instant::now();
    let ended = check(&cluster, "", 1, &[("unfinished", ORDERS)]);
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(ended.document()["lag"][group], ORDERS);
    let told = format!(
        "error: not at the end of their topics when the wait was over: {group} ({ORDERS} records of inventory_result)\n"
    );
    assert_eq!(ended.stderr, told);
}

#[test]
fn without_any_run_it_says_so_at_once() {
    let cluster = Flow::new().run([]);
    let ended = audit(&cluster, "").end().with_status(1);
    assert_eq!(ended.stderr, "error: no run found: no order with the header `run` in order_placed\n");
}

#[test]
fn without_settings_or_with_wrong_ones_it_does_not_start() {
    for (arguments, reason) in [
        ("audit", "KAFKA_BROKERS   missing: set HOST:PORT,HOST:PORT"),
        ("audit --brokers nowhere", "--brokers       found \"nowhere\", allowed HOST:PORT,HOST:PORT"),
        ("audit --run a --since 1h", "'--run <ID>' cannot be used with '--since <TIME>'"),
        ("audit --since yesterday", "allowed a time such as 2026-11-27T09:30:00Z, or how long ago, such as 1h"),
        ("audit --wait soon", "'soon' for '--wait"),
        ("audit --max-orders 0", "0 is not in 1..=20000000"),
        ("audit --brokers localhost:1 --orders no/where.jsonl", "--orders no/where.jsonl: No such file"),
    ] {
        let ended = orderflow(arguments).end().with_status(2);
        assert!(ended.stderr.starts_with("error: ") && ended.stderr.contains(reason), "{arguments}: {}", ended.stderr);
    }
}
