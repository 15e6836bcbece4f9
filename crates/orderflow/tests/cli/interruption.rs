use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output};
use std::thread;

use tempfile::TempDir;

use crate::call::{Call, Ended, orderflow, orders, stock_is_checked_by_nobody};

pub(crate) fn send(signal: &str, child: &Child) {
    let kill = format!("kill -{signal} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

/// Starts a run and waits until its first orders flow, which its log shows.
fn flowing(call: Call) -> (Child, TempDir, thread::JoinHandle<Vec<u8>>) {
    let (mut child, folder) = call.env("RUST_LOG", "info").start();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("record handled") {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended before an order was handled");
    }
    // Read on, so that it is never blocked.
    let rest = thread::spawn(move || {
        let mut rest = Vec::new();
        log.read_to_end(&mut rest).unwrap();
        rest
    });
    (child, folder, rest)
}

fn ended((child, folder, rest): (Child, TempDir, thread::JoinHandle<Vec<u8>>)) -> Ended {
    let Output { status, stdout, .. } = child.wait_with_output().unwrap();
    Ended::of(Output { status, stdout, stderr: rest.join().unwrap() }, folder)
}

#[test]
fn a_signal_stops_the_intake_and_what_was_accepted_is_audited() {
    for signal in ["INT", "TERM"] {
        let run = flowing(orderflow("run --orders 20000000 --seed 7 --format json"));
        send(signal, &run.0);
        let document = ended(run).with_status(130).document();
        let accepted = document["orders"]["accepted"].as_u64().unwrap();
        assert!((1..20_000_000).contains(&accepted), "{document}");
        assert_eq!(document["audit"]["passed"], true);
        assert_eq!(document["records"]["order_placed"], accepted);
        let shipped = document["outcomes"]["shipped"].as_u64().unwrap();
        assert_eq!(document["outcomes"]["payment_failed"], accepted - shipped);
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    // These orders never end: without the second signal it would wait for them, and its audit would fail.
    let run = flowing(orderflow("run --orders 20 --seed 7").topology(stock_is_checked_by_nobody));
    send("INT", &run.0);
    send("INT", &run.0);
    assert_eq!(ended(run).with_status(130).stdout, "");
}

#[test]
fn a_signal_stops_a_run_whose_input_has_gone_silent() {
    let (call, mut input) = orderflow("run --input pipe --format json").pipe("pipe");
    input.write_all(orders(1, 7).as_bytes()).unwrap();
    let run = flowing(call);
    send("INT", &run.0);
    let document = ended(run).with_status(130).document();
    assert_eq!((&document["orders"]["accepted"], &document["audit"]["passed"]), (&1.into(), &true.into()));
    drop(input);
}
