use serde_json::Value;

use crate::call::{orderflow, orders};

/// The reason why a line is refused that stands behind a good one.
#[track_caller]
fn refusal(line: &[u8]) -> String {
    let mut lines = orders(1, 7).into_bytes();
    lines.extend_from_slice(line);
    let ended = orderflow("run --input orders.jsonl --format json").file("orders.jsonl", lines).end().with_status(3);
    let document = ended.document();
    assert_eq!(document["orders"], serde_json::json!({ "accepted": 1, "rejected": 1 }));
    assert_eq!(document["audit"]["passed"], true);
    let rejects = ended.file("rejects.jsonl");
    assert_eq!((rejects.len(), &rejects[0]["line"]), (1, &2.into()));
    let input = rejects[0]["input"].as_str().unwrap();
    let line = String::from_utf8_lossy(line);
    assert!(line.trim_end_matches(['\r', '\n']).starts_with(input), "{input}");
    rejects[0]["reason"].as_str().unwrap().to_owned()
}

#[track_caller]
fn check(line: impl AsRef<[u8]>, reason: &str) {
    let found = refusal(line.as_ref());
    assert!(found.contains(reason), "{found}");
}

/// The second order of seed 7, changed.
fn second(from: &str, to: &str) -> String {
    let lines = orders(2, 7);
    let second = lines.lines().nth(1).unwrap();
    assert!(second.contains(from), "{second}");
    second.replacen(from, to, 1)
}

#[test]
fn text_that_is_no_order_is_refused() {
    check("{\"order_id\":\n", "value: found invalid JSON");
    check("[1]\n", "allowed a JSON object");
    check("\n", "found an empty line, allowed one JSON object a line");
    check([second("CUST", "").as_bytes(), b"\xff\xfe\n"].concat(), "found invalid JSON");
    check([&br#"{"order_id":""#[..], b"\xff\xfe", br#""}"#].concat(), "allowed a JSON object in UTF-8");
}

#[test]
fn a_field_that_is_wrong_or_missing_is_named() {
    check(second(r#""total":"#, r#""total":9"#), "total: found 9");
    check(second(r#""customer_id""#, r#""customer""#), "customer_id: found nothing, allowed ");
    check(second(r#""quantity":"#, r#""quantity":-"#), "items[0].quantity: found -");
}

#[test]
fn a_line_that_is_far_too_long_is_refused_and_the_next_one_is_read() {
    let mut lines = "x".repeat(100 * 1024);
    lines.push('\n');
    lines.push_str(&orders(1, 7));
    let ended = orderflow("run --input - --format json").stdin(lines).end().with_status(3);
    assert_eq!(ended.document()["orders"], serde_json::json!({ "accepted": 1, "rejected": 1 }));
    let reject = &ended.file("rejects.jsonl")[0];
    assert_eq!(reject["line"], 1);
    assert!(reject["reason"].as_str().unwrap().ends_with("allowed 65536 bytes at most"), "{reject}");
    assert!(reject["input"].as_str().unwrap().len() <= 2_000, "only its beginning is kept");
}

#[test]
fn an_order_that_comes_again_names_both_lines() {
    let order = orders(1, 7);
    let order_id = serde_json::from_str::<Value>(&order).unwrap()["order_id"].clone();
    let lines = [&order, "\n", &orders(2, 8), &order, &order].concat();
    let ended = orderflow("run --input - --format json --rejects again.jsonl").stdin(lines).end().with_status(3);
    assert_eq!(ended.document()["orders"], serde_json::json!({ "accepted": 3, "rejected": 3 }));
    let rejects = ended.file("again.jsonl");
    let refused: Vec<(u64, &str)> = rejects[1..]
        .iter()
        .map(|reject| (reject["line"].as_u64().unwrap(), reject["reason"].as_str().unwrap()))
        .collect();
    let reasons = [5, 6].map(|line| format!("order_id: found {order_id} on line 1 and on line {line}, allowed once"));
    assert_eq!(refused, [(5, &*reasons[0]), (6, &*reasons[1])]);
}

#[test]
fn line_ends_of_windows_and_a_last_line_without_one_are_fine() {
    let lines = orders(5, 7);
    let ended =
        orderflow("run --input - --format json").stdin(lines.replace('\n', "\r\n").trim_end()).end().with_status(0);
    let same = orderflow("run --orders 5 --seed 7 --format json").end().with_status(0);
    assert_eq!((&ended.document()["orders"]["accepted"], ended.digest()), (&5.into(), same.digest()));
    assert_eq!(ended.file("rejects.jsonl").len(), 0);
}

#[test]
fn accepted_and_rejected_are_the_lines_read() {
    let good = orders(300, 7);
    let lines: String = good
        .lines()
        .enumerate()
        .map(|(n, line)| if n % 3 == 0 { "no\n".into() } else { format!("{line}\n") })
        .collect();
    let ended = orderflow("run --input -").stdin(lines).end().with_status(3);
    assert!(ended.stdout.contains("audit passed: 200 accepted, 200 ended"), "{}", ended.stdout);
    assert!(ended.stdout.contains("rejected     100 input lines"), "{}", ended.stdout);
    let numbers: Vec<u64> = ended.file("rejects.jsonl").iter().map(|reject| reject["line"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..100).map(|n| 3 * n + 1).collect::<Vec<_>>());
}

#[test]
fn an_empty_input_is_a_run_of_no_orders() {
    let ended = orderflow("run --input empty.jsonl --format json").file("empty.jsonl", "").end().with_status(0);
    assert_eq!(ended.document()["orders"], serde_json::json!({ "accepted": 0, "rejected": 0 }));
}

#[test]
fn an_input_that_cannot_be_read_is_one_clear_line() {
    for (arguments, error) in [
        ("--input .", "--input .: is a folder, allowed a file of JSON lines or -"),
        ("--input nowhere.jsonl", "--input nowhere.jsonl: No such file or directory"),
    ] {
        let ended = orderflow(&format!("run {arguments}")).end().with_status(2);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.starts_with(&format!("error: {error}")), "{}", ended.stderr);
    }
}

#[test]
fn rejects_that_cannot_be_written_are_an_error_of_the_call() {
    for (path, reason) in [("nowhere/r.jsonl", "No such file or directory"), (".", "Is a directory")] {
        let ended = orderflow(&format!("run --input - --rejects {path}")).stdin("no order\n").end().with_status(2);
        let error = format!("error: --rejects {path}: {reason}");
        assert!(ended.stderr.lines().any(|line| line.starts_with(&error)), "{}", ended.stderr);
    }
}

#[test]
fn rejects_never_overwrite_the_input() {
    let lines = format!("no order\n{}", orders(1, 7));
    let ended = orderflow("run --input ./rejects.jsonl").file("rejects.jsonl", &lines).end().with_status(2);
    assert_eq!(std::fs::read_to_string(ended.path("rejects.jsonl")).unwrap(), lines);
    assert_eq!(ended.stderr, "error: --rejects rejects.jsonl: is the input, allowed another file\n");
}

#[test]
fn rejects_never_overwrite_the_input_under_another_name() {
    let call = orderflow("run --input orders.jsonl --rejects link.jsonl").file("orders.jsonl", orders(3, 7));
    let ended = call.hard_link("orders.jsonl", "link.jsonl").end().with_status(2);
    assert_eq!(ended.stderr, "error: --rejects link.jsonl: is the input, allowed another file\n");
    assert_eq!(std::fs::read_to_string(ended.path("orders.jsonl")).unwrap(), orders(3, 7));
}

#[test]
fn where_the_rejects_cannot_be_written_the_run_ends_and_what_was_accepted_is_audited() {
    let lines = [orders(3, 7), "no order\n".into(), orders(3, 8)].concat();
    let ended = orderflow("run --input - --rejects /dev/full").stdin(lines).end().with_status(1);
    assert!(ended.stdout.contains("audit passed: 3 accepted, 3 ended"), "{}", ended.stdout);
    assert!(ended.stderr.contains("error: --rejects /dev/full: "), "{}", ended.stderr);
}

#[test]
fn accepted_and_rejected_are_the_lines_taken_also_where_the_time_is_over_before_the_input_is() {
    let lines: String = (0..300).map(|seed| format!("{}no order\n", orders_of(seed))).collect();
    let ended = orderflow("run --input - --rate 100 --duration 1s --format json").stdin(lines).end().with_status(3);
    let count = |name: &str| ended.document()["orders"][name].as_u64().unwrap();
    let last = ended.file("rejects.jsonl").last().unwrap()["line"].as_u64().unwrap();
    assert!((last..=last + 1).contains(&(count("accepted") + count("rejected"))), "last reject on line {last}");
}

/// One order of a seed, without a process for each.
fn orders_of(seed: u64) -> String {
    use events::Event;
    let order = shop::order_generator::generate_order_event(seed, events::Timestamp::BASE, 0);
    format!("{}\n", String::from_utf8(order.encode()).unwrap())
}
