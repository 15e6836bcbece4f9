use serde_json::json;

use crate::call::orderflow;

#[test]
fn a_run_stores_every_order_in_a_database_of_its_own_which_ends_with_it() {
    let ended = orderflow("run food --orders 2500 --seed 7 --format json").end().with_status(0);
    let document = ended.document();
    let stored =
        (&document["orders"]["accepted"], &document["outcomes"]["stored"], &document["records"]["food-orders"]);
    assert_eq!(stored, (&json!(2_500), &json!(2_500), &json!(2_500)), "{document}");
    assert_eq!(document["audit"]["passed"], true);
    let again = orderflow("run food --orders 2500 --seed 7 --format json").end().with_status(0).document();
    assert_eq!(document["digest"], again["digest"]);
}

#[test]
fn orders_of_a_file_are_stored_and_others_set_aside_with_all_that_is_wrong_with_them() {
    let orders = orderflow("generate food --orders 3 --seed 7").end().with_status(0).stdout;
    let lines: Vec<&str> = orders.lines().collect();
    let bad = lines[1].replacen("\"quantity\":", "\"quantity\":-", 1).replacen("pending", "eaten", 1);
    let input = format!("{}\n{bad}\n{}\n{}\n", lines[0], lines[2], lines[0]);
    let call = orderflow("run food --input orders.jsonl --format json").file("orders.jsonl", input);
    let ended = call.end().with_status(3);
    let document = ended.document();
    assert_eq!(
        (&document["orders"]["accepted"], &document["orders"]["rejected"]),
        (&json!(2), &json!(2)),
        "{document}"
    );
    let rejects = ended.file("rejects.jsonl");
    let reason = |line: usize| rejects[line]["reason"].as_str().unwrap();
    assert!(reason(0).starts_with("items[0].quantity: found -") && reason(0).contains("; status: found \"eaten\""));
    assert!(reason(1).contains("on line 1 and on line 4, allowed once"), "{}", reason(1));
}

#[test]
fn under_planted_faults_every_order_is_stored_once() {
    let ended = orderflow("simulate food --seeds 0..200 --orders 50 --faults all").end().with_status(0);
    assert!(ended.stdout.contains("simulation passed: 200 schedules"), "{}", ended.stdout);
    assert_eq!(ended.stderr, "food is played without corruption\n");
    assert!(!ended.stdout.contains("none, because"), "each schedule comes to the same rows: {}", ended.stdout);
}

#[test]
fn a_rate_that_is_none_is_refused_before_anybody_is_asked() {
    for bad in ["0", "-1", "ten", "1.5", "1000001"] {
        let refused = orderflow("work food_producer --brokers 127.0.0.1:1").env("ORDER_RATE", bad).end().with_status(2);
        let expected =
            format!("error: ORDER_RATE: found {bad:?}, allowed a whole number of orders a second from 1 to 1000000\n");
        assert_eq!(refused.stderr, expected);
    }
}

#[test]
fn a_worker_that_stores_orders_for_others_wants_to_know_where() {
    let refused = orderflow("work food_consumer --brokers 127.0.0.1:1").end().with_status(2);
    let expected =
        "error: DATABASE_URL is not set: name the services' database, such as postgres://localhost/orderflow\n";
    assert!(refused.stderr.ends_with(expected), "{}", refused.stderr);
    let audit = orderflow("audit food --brokers 127.0.0.1:1 --run 7").env("DATABASE_URL", "").end().with_status(2);
    assert!(audit.stderr.ends_with(expected), "{}", audit.stderr);
}
