use serde_json::Value;

use crate::call::{orderflow, stock_is_checked_by_nobody};

fn number(document: &Value, pointer: &str) -> u64 {
    document.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer} in {document}"))
}

#[test]
fn the_document_has_every_key_that_the_issue_lists() {
    let ended = orderflow("run --orders 50 --seed 7 --format json").end().with_status(0);
    let document = ended.document();
    let keys = "/system /seed /run /orders/accepted /orders/rejected /records/order_placed /outcomes/shipped \
        /outcomes/payment_failed /outcomes/inventory_available /outcomes/inventory_short /oversold /latency_ms/p50 \
        /latency_ms/p99 /latency_ms/max /orders_per_s /cpu_us_per_order /peak_rss_mib /digest /audit/passed /audit/lost \
        /audit/doubled /audit/redelivered /audit/dead_lettered /audit/unfinished";
    for key in keys.split_whitespace() {
        assert!(document.pointer(key).is_some_and(|value| !value.is_null()), "{key} in {document}");
    }
    assert_eq!((&document["system"], number(&document, "/seed")), (&"shop".into(), 7));
}

#[test]
fn the_numbers_of_the_document_agree_with_each_other() {
    let document = orderflow("run --orders 500 --seed 7 --format json").end().with_status(0).document();
    let at = |pointer: &str| number(&document, pointer);
    assert_eq!(at("/orders/accepted"), 500);
    assert_eq!(at("/outcomes/shipped") + at("/outcomes/payment_failed"), 500);
    assert_eq!(at("/outcomes/inventory_available") + at("/outcomes/inventory_short"), 500);
    assert!(at("/oversold") <= at("/outcomes/shipped").min(at("/outcomes/inventory_short")));
    for topic in ["order_placed", "payment_result", "inventory_result"] {
        assert_eq!(at(&format!("/records/{topic}")), 500, "{topic}");
    }
    assert_eq!(at("/records/order_shipped"), at("/outcomes/shipped"));
    assert_eq!(at("/records/notifications"), at("/outcomes/payment_failed"));
    for (topic, records) in document["records"].as_object().unwrap() {
        assert!(!topic.ends_with(".dead_letter") || records == 0, "{topic}: {records}");
    }
    for count in ["lost", "doubled", "redelivered", "dead_lettered", "unfinished", "unexpected"] {
        assert_eq!(at(&format!("/audit/{count}")), 0, "{count}");
    }
    assert_eq!(document["audit"]["passed"], true);
    let latency = ["/latency_ms/p50", "/latency_ms/p99", "/latency_ms/max"].map(|key| document.pointer(key).unwrap());
    let [p50, p99, max] = latency.map(|latency| latency.as_f64().unwrap());
    assert!(0.0 < p50 && p50 <= p99 && p99 <= max, "{p50} {p99} {max}");
}

#[test]
fn without_a_command_ten_thousand_orders_run() {
    let ended = orderflow("").end().with_status(0);
    assert!(ended.stdout.contains("audit passed: 10000 accepted, 10000 ended"), "{}", ended.stdout);
}

#[test]
fn a_random_seed_is_printed_and_repeats_the_run() {
    let random = orderflow("run --orders 50 --format json").end().with_status(0);
    let seed = number(&random.document(), "/seed");
    let again = orderflow(&format!("run --orders 50 --seed {seed}")).end().with_status(0);
    assert!(again.stdout.contains(&random.digest()), "{}", again.stdout);
    assert!(again.stderr.contains(&format!("seed {seed}")), "{}", again.stderr);
}

#[test]
fn off_a_terminal_the_summary_is_plain_lines_with_the_numbers_of_the_document() {
    let ended = orderflow("run --orders 900 --seed 7").end().with_status(0);
    for text in [&ended.stdout, &ended.stderr] {
        assert!(text.chars().all(|char| char == '\n' || !char.is_control()), "{text:?}");
    }
    let rows: Vec<Vec<&str>> = ended.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    let document = orderflow("run --orders 900 --seed 7 --format json").end().with_status(0).document();
    for (name, pointer, configured) in [
        ("shipped", "/outcomes/shipped", "90.0"),
        ("payment failed", "/outcomes/payment_failed", "10.0"),
        ("inventory available", "/outcomes/inventory_available", "80.0"),
        ("inventory short", "/outcomes/inventory_short", "20.0"),
        ("oversold", "/oversold", "18.0"),
    ] {
        let count = number(&document, pointer);
        let row = format!("{name} {count} {:.1} % {configured} %", count as f64 / 9.0);
        assert!(rows.contains(&row.split_whitespace().collect()), "{row} in\n{}", ended.stdout);
    }
    for topic in ["order_placed", "payment_result", "inventory_result", "order_shipped", "notifications"] {
        let count = number(&document, &format!("/records/{topic}")).to_string();
        assert!(rows.contains(&vec![topic, &count]), "{topic} {count} in\n{}", ended.stdout);
    }
    let digest = document["digest"].as_str().unwrap();
    assert!(rows.contains(&vec!["digest", digest]), "{digest} in\n{}", ended.stdout);
    for word in ["latency", "throughput", "cost", "audit"] {
        assert!(rows.iter().any(|row| row.first() == Some(&word)), "{word} in\n{}", ended.stdout);
    }
}

#[test]
fn a_rate_and_a_duration_bound_the_intake() {
    let timed = orderflow("run --rate 100 --duration 1s --format json").end().with_status(0).document();
    let accepted = number(&timed, "/orders/accepted");
    assert!((50..=101).contains(&accepted), "{accepted} orders in one second at 100 a second");
    let counted = orderflow("run --orders 5 --rate 1000 --duration 1h --format json").end().with_status(0).document();
    assert_eq!(number(&counted, "/orders/accepted"), 5);
}

#[test]
fn no_orders_are_a_run_that_holds() {
    let document = orderflow("run --orders 0 --format json").end().with_status(0).document();
    assert_eq!((number(&document, "/orders/accepted"), &document["audit"]["passed"]), (0, &true.into()));
}

#[test]
fn orders_that_never_end_are_named_and_the_run_fails_by_itself() {
    let ended = orderflow("run --orders 20 --seed 7").topology(stock_is_checked_by_nobody).end().with_status(1);
    assert!(ended.stdout.contains("audit FAILED: 20 accepted, 0 ended"), "{}", ended.stdout);
    assert!(ended.stdout.contains("20 lost"), "{}", ended.stdout);
    assert!(ended.stdout.contains(": seen order_placed, payment_result (success)"), "{}", ended.stdout);
}

#[test]
fn a_service_that_a_run_cannot_do_without_is_missed_before_it_starts() {
    let without_settings = orderflow("run --orders 20")
        .topology(|topology| topology["services"]["payment_processor"]["settings"] = serde_json::json!({}));
    let ended = without_settings.end().with_status(2);
    assert!(ended.stderr.contains("services.payment_processor.settings.success_percent: missing"), "{}", ended.stderr);
}
