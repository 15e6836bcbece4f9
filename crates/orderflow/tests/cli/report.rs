use std::fs;

use crate::call::{Ended, orderflow, orders, stock_is_checked_by_nobody};

fn page(ended: &Ended) -> String {
    fs::read_to_string(ended.path("report.html")).unwrap()
}

#[test]
fn a_page_tells_the_run_its_seed_and_its_verdict_and_asks_nobody_for_anything() {
    let ended = orderflow("run --orders 200 --format json --report report.html").end().with_status(0);
    let (document, page) = (ended.document(), page(&ended));
    let seed = document["seed"].as_u64().unwrap();
    for part in [
        document["run"].as_str().unwrap(),
        &format!("orderflow run shop --orders 200 --seed {seed}"),
        "✓ Passed",
        "Each of 200 accepted orders came to exactly one end",
        &ended.digest(),
        "order_placed",
    ] {
        assert!(page.contains(part), "{part} in\n{page}");
    }
    for foreign in ["http://", "https://", "src=", "href=", "<script", "url(", "@import"] {
        assert!(!page.contains(foreign), "{foreign} in\n{page}");
    }
    assert!(ended.stderr.contains("report: report.html"), "{}", ended.stderr);
}

#[test]
fn the_page_of_a_failed_audit_names_what_is_missing() {
    let run = orderflow("run --orders 20 --seed 7 --report report.html").topology(stock_is_checked_by_nobody);
    let page = page(&run.end().with_status(1));
    for part in ["✗ Failed", "20 lost", ": seen order_placed, payment_result (success)", "--topology topology.json"] {
        assert!(page.contains(part), "{part} in\n{page}");
    }
}

#[test]
fn a_page_that_cannot_be_written_is_refused_before_anything_runs() {
    let ended = orderflow("run --orders 200 --report missing/report.html").end().with_status(2);
    assert_eq!((ended.stdout.as_str(), ended.stderr.lines().count()), ("", 1), "{}", ended.stderr);
    assert!(ended.stderr.starts_with("error: --report missing/report.html: No such file"), "{}", ended.stderr);
}

#[test]
fn a_page_does_not_take_the_place_of_what_is_read() {
    let input = orders(3, 7);
    let ended = orderflow("run --input orders.jsonl --report ./orders.jsonl").file("orders.jsonl", &input);
    let ended = ended.end().with_status(2);
    assert!(ended.stderr.contains("allowed another file"), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(ended.path("orders.jsonl")).unwrap(), input);
}

#[test]
fn a_page_takes_the_place_of_an_older_one_and_leaves_nothing_beside_it() {
    let ended =
        orderflow("run --orders 0 --report report.html").file("report.html", "an older one").end().with_status(0);
    assert!(page(&ended).contains("No order was taken in."), "{}", page(&ended));
    assert_eq!(fs::read_dir(ended.path("")).unwrap().count(), 1);
}
