use std::net::TcpListener;

use crate::call::orderflow;

/// The call is refused with status 2, and its first line says why.
#[track_caller]
fn check(arguments: &str, reason: &str) {
    let ended = orderflow(arguments).end().with_status(2);
    let first = ended.stderr.lines().next().unwrap_or_default();
    assert!(first.starts_with("error: ") && first.contains(reason), "{arguments}: {}", ended.stderr);
    assert_eq!(ended.stdout, "", "{arguments}");
}

#[test]
fn numbers_out_of_range_are_refused() {
    check("run --orders -1", "-1");
    check("run --orders 99999999999999999999", "too large");
    check("run --orders many", "'many' for '--orders");
    check("run --rate 0", "0 is not in 1..=1000000");
    check("run --rate 1000001", "1000001 is not in 1..=1000000");
    check("run --seed=-1", "'-1' for '--seed");
    check("run --seed -1", "-1");
    check("run --duration fast", "'fast' for '--duration");
    check("generate --orders 1.5", "'1.5' for '--orders");
    check("simulate --orders 0", "0 is not in 1..=1000000");
}

#[test]
fn words_that_do_not_exist_are_refused() {
    check("runn", "'runn'");
    check("run shopp", "'shopp'");
    check("run --format yaml", "'yaml' for '--format");
    check("run --what", "'--what'");
    check("topology show --format svg", "'svg' for '--format");
}

#[test]
fn options_that_exclude_each_other_are_refused() {
    check("run --input orders.jsonl --seed 1", "'--input <FILE>' cannot be used with '--seed");
    check("run --input orders.jsonl --orders 1", "'--input <FILE>' cannot be used with '--orders");
    check("run --dry-run --report report.html", "'--dry-run' cannot be used with '--report");
    check("run --rejects refused.jsonl", "required arguments were not provided");
}

#[test]
fn a_worker_that_is_asked_for_what_is_not_there_says_what_is() {
    check(
        "work payment_procesor --brokers localhost:1",
        "no service `payment_procesor`; there are food_consumer, food_producer, inventory_manager, inventory_service, notification_handler, \
         notification_service, order_generator, order_orchestrator, order_service, payment_processor, payment_service, \
         shipping_handler",
    );
    for given in ["--orders 5", "--rate 5", "--seed 5"] {
        check(
            &format!("work payment_processor {given} --brokers localhost:1"),
            "--orders, --rate and --seed are for order_generator, order_service and food_producer, none of which is among the services",
        );
    }
    check("work --brokers localhost:1", "required arguments were not provided");

    check("work payment_processor --listen 9400", "'9400' for '--listen");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let reason = TcpListener::bind(address).unwrap_err(); // in the words of this system's C library
    check(
        &format!("work payment_processor --brokers localhost:1 --listen {address}"),
        &format!("--listen {address}: {reason}; choose another, or port 0 for any that is free"),
    );
}

#[test]
fn a_stderr_that_cannot_be_written_to_is_no_reason_to_stop() {
    for (arguments, status) in
        [("run --orders 10", 0), ("run --dry-run --orders 10", 0), ("generate --orders 2", 0), ("run --input nope", 2)]
    {
        orderflow(arguments).without_stderr().end().with_status(status);
    }
}
