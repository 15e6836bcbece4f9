use crate::call::orderflow;

#[test]
fn a_run_logs_nothing_unless_it_is_asked_to() {
    let ended = orderflow("run --orders 3 --seed 7").end().with_status(0);
    assert!(ended.log().is_empty(), "{}", ended.stderr);
    let ended = orderflow("run --orders 3 --seed 7 --format json").end().with_status(0);
    assert!(ended.log().is_empty(), "{}", ended.stderr);
}

#[test]
fn at_info_the_log_tells_what_each_customer_was_told() {
    let ended = orderflow("run --orders 3 --seed 7 --format json").env("RUST_LOG", "info").end().with_status(0);
    let log = ended.log();
    assert_eq!(log.len(), 6, "the stock and the end of each order: {}", ended.stderr);
    for line in log {
        for field in ["timestamp", "order_id", "event_type", "service", "status", "remark"] {
            assert!(line[field].as_str().is_some_and(|text| !text.is_empty()), "{field} in {line}");
        }
        assert_eq!((&line["service"], &line["status"]), (&"notification_handler".into(), &"handled".into()));
        let remark = line["remark"].as_str().unwrap();
        assert!(remark.contains(line["order_id"].as_str().unwrap()), "{line}");
    }
}

#[test]
fn a_log_level_that_does_not_exist_stops_nothing() {
    for level in ["garbage", "a=b=c,,=", "info,[", ""] {
        orderflow("run --orders 3 --seed 7").env("RUST_LOG", level).end().with_status(0);
    }
}
