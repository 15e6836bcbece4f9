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
fn a_log_level_that_does_not_exist_is_told_and_stops_nothing() {
    for (level, is_told) in [("garbage", false), ("a=b=c,,=", true), ("info,=loud", true), ("", false), (",", false)] {
        let ended = orderflow("run --orders 3 --seed 7").env("RUST_LOG", level).end().with_status(0);
        assert_eq!(ended.stderr.contains("RUST_LOG: "), is_told, "{level}: {}", ended.stderr);
        assert!(ended.log().is_empty(), "{level}: {}", ended.stderr);
    }
}

#[test]
fn a_comma_too_many_asks_for_nothing_and_a_target_for_its_own_events() {
    for (level, lines) in
        [("info,", 6), (",info,,", 6), ("off,kafka_transport=info", 6), ("info,kafka_transport=warn", 0)]
    {
        let ended = orderflow("run --orders 3 --seed 7").env("RUST_LOG", level).end().with_status(0);
        assert_eq!(ended.log().len(), lines, "{level}: {}", ended.stderr);
    }
}
