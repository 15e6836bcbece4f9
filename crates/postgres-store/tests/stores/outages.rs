use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use messaging::store::{EventStore, RowKey, RowStore, Rows, StoreError, StoredEvent};
use postgres_server::Options;
use postgres_store::{Limits, Store};

use crate::contract::{due, event, ms, order};
use crate::database::{self, address, impatient, sql};

fn pen() -> RowKey {
    ("stock", "pen".to_owned())
}

fn set_pen(rows: &dyn RowStore, value: &str) -> Result<(), StoreError> {
    rows.update(&[pen()], &mut |rows| drop(rows.insert(pen(), Some(value.to_owned()))))
}

#[track_caller]
fn assert_away<T: std::fmt::Debug>(answer: Result<T, StoreError>, text: &str) {
    match answer {
        Err(StoreError::Away(reason)) => assert_eq!(reason, text),
        other => panic!("{other:?}, expected: {text}"),
    }
}

#[test]
fn what_is_stored_survives_a_restart_and_a_crash() {
    let mut server = database::start_with(Options::default());
    let store = Store::open(&server.url()).unwrap();
    store.events().append(&order("7f3a"), 0, &[event("created")], due(ms(1))).unwrap();
    server.restart().unwrap();
    let store = Store::open(&server.url()).unwrap();
    store.events().append(&order("7f3a"), 1, &[event("paid")], due(ms(1))).unwrap();
    set_pen(&store.rows(), "5").unwrap();
    server.kill().unwrap();
    server.restart().unwrap();
    let store = Store::open(&server.url()).unwrap();
    assert_eq!(store.events().load(&order("7f3a")), Ok(vec![event("created"), event("paid")]));
    assert_eq!(store.rows().table("stock").unwrap()["pen"], "5");
}

#[test]
fn a_killed_server_is_away_until_it_is_back() {
    let mut server = database::start();
    let address = address(&server);
    let store = Store::open(&server.url()).unwrap();
    let (events, rows) = (store.events(), store.rows());
    // As many connections as there may be: each of them breaks.
    thread::scope(|scope| {
        for n in 0..8 {
            let events = events.clone();
            scope.spawn(move || events.append(&order(&format!("{n}")), 0, &[event("created")], due(ms(1))).unwrap());
        }
    });
    server.kill().unwrap();
    assert_away(events.load(&order("0")), &format!("{address}: load 0: the connection was lost"));
    assert_away(events.load(&order("0")), &format!("{address}: load 0: connection refused"));
    let append = events.append(&order("0"), 1, &[event("paid")], None);
    assert_away(append, &format!("{address}: append to 0: connection refused"));
    assert_away(set_pen(&rows, "5"), &format!("{address}: change stock/pen: connection refused"));
    server.restart().unwrap();
    // At once: nobody stumbles over a connection of before.
    for n in 0..8 {
        events.append(&order(&format!("{n}")), 1, &[event("paid")], None).unwrap();
    }
    set_pen(&rows, "5").unwrap();
}

#[test]
fn a_server_that_ends_within_a_change_is_away_and_nothing_is_changed() {
    let mut server = database::start();
    let address = address(&server);
    let store = Store::open(&server.url()).unwrap();
    set_pen(&store.rows(), "5").unwrap();
    let change = &mut |rows: &mut Rows| {
        server.kill().unwrap();
        rows.insert(pen(), Some("4".to_owned()));
    };
    let answer = store.rows().update(&[pen()], change);
    assert_away(answer, &format!("{address}: change stock/pen: the connection was lost"));
    server.restart().unwrap();
    assert_eq!(store.rows().table("stock").unwrap()["pen"], "5");
}

#[test]
fn a_server_that_hangs_is_away_in_time_until_it_goes_on() {
    let server = database::start();
    let address = address(&server);
    let store = impatient(&server, 1_000);
    let (events, rows) = (store.events(), store.rows());
    events.append(&order("7f3a"), 0, &[event("created")], due(ms(1))).unwrap();
    server.freeze().unwrap();
    let before = Instant::now();
    // The first by the connection that it has, the second where it wants another.
    assert_away(events.load(&order("7f3a")), &format!("{address}: load 7f3a: no answer in time"));
    assert_away(set_pen(&rows, "5"), &format!("{address}: change stock/pen: no answer in time"));
    assert!(before.elapsed() < Duration::from_secs(5));
    server.thaw().unwrap();
    set_pen(&rows, "5").unwrap();
    assert_eq!(events.load(&order("7f3a")), Ok(vec![event("created")]));
}

#[test]
fn whoever_waits_too_long_for_others_is_told() {
    let server = database::start();
    let address = address(&server);
    let (wait, deadline) = (Duration::from_millis(50), Duration::from_millis(1_500));
    let store = Store::open_with(&server.url(), Limits { connections: 1, wait, deadline }).unwrap();
    let other = impatient(&server, 1_000);
    set_pen(&store.rows(), "5").unwrap();
    let is_changing = mpsc::sync_channel(1);
    let may_end = mpsc::sync_channel(1);
    // Whoever fails in here takes the signals with it, and nobody waits for them.
    let (store, other) = (&store, &other);
    thread::scope(move |scope| {
        let rows = store.rows();
        scope.spawn(move || {
            let mut calls = 0;
            let change = &mut |rows: &mut Rows| {
                calls += 1;
                // A row that is to go is locked; that is found out at the first call.
                rows.insert(pen(), None);
                if calls == 2 {
                    is_changing.0.send(()).unwrap();
                    may_end.1.recv().unwrap();
                }
            };
            // It takes too long itself: the server ends what it has begun.
            let _ = rows.update(&[pen()], change);
        });
        is_changing.1.recv().unwrap();
        assert_away(store.rows().table("stock"), &format!("{address}: read table stock: all 1 connections are in use"));
        let said = "canceling statement due to statement timeout (57014)";
        let answer = set_pen(&other.rows(), "4");
        let late = [said, "no answer in time"]
            .map(|reason| StoreError::Away(format!("{address}: change stock/pen: {reason}")));
        assert!(late.contains(answer.as_ref().unwrap_err()), "{answer:?}");
        may_end.0.send(()).unwrap();
    });
    set_pen(&other.rows(), "4").unwrap();
    set_pen(&store.rows(), "3").unwrap();
}

#[test]
fn a_change_that_panics_leaves_nothing_behind() {
    let server = database::start();
    let store = impatient(&server, 2_000);
    set_pen(&store.rows(), "5").unwrap();
    // At the first call nothing is locked, at the second one the row that is to go is.
    for last in 1..=2 {
        let mut calls = 0;
        let panics = &mut |rows: &mut Rows| {
            calls += 1;
            assert!(calls < last, "planted");
            rows.insert(pen(), None);
        };
        assert!(catch_unwind(AssertUnwindSafe(|| store.rows().update(&[pen()], panics))).is_err());
        assert_eq!(calls, last);
        assert_eq!(store.rows().table("stock").unwrap()["pen"], "5");
        set_pen(&store.rows(), "5").unwrap();
    }
}

#[test]
fn what_the_database_refuses_is_away_with_its_reason_and_leaves_nothing() {
    let server = database::start();
    let (url, address) = (server.url(), address(&server));
    let store = Store::open(&url).unwrap();
    let (events, rows) = (store.events(), store.rows());
    let no_json = StoredEvent { data: "paid".into(), ..event("paid") };
    let said = "invalid input syntax for type json (22P02)";
    let answer = events.append(&order("7f3a"), 0, &[event("created"), no_json], due(ms(1)));
    assert_away(answer, &format!("{address}: append to 7f3a: {said}"));
    let no_object = StoredEvent { data: "[1]".into(), ..event("paid") };
    let said = r#"new row for relation "events" violates check constraint "events_data_check" (23514)"#;
    let answer = events.append(&order("7f3a"), 0, &[event("created"), no_object], due(ms(1)));
    assert_away(answer, &format!("{address}: append to 7f3a: {said}"));
    assert_eq!(events.load(&order("7f3a")), Ok(vec![]));
    assert_eq!(events.streams(None, 10), Ok(vec![]));
    let said = r#"invalid byte sequence for encoding "UTF8": 0x00 (22021)"#;
    assert_away(set_pen(&rows, "\0"), &format!("{address}: change stock/pen: {said}"));

    sql(&url, "ALTER TABLE saga.rows RENAME TO lines");
    let said = r#"relation "saga.rows" does not exist (42P01)"#;
    assert_away(rows.table("stock"), &format!("{address}: read table stock: {said}"));
    assert_away(set_pen(&rows, "5"), &format!("{address}: change stock/pen: {said}"));
    sql(&url, "ALTER TABLE saga.lines RENAME TO rows");
    set_pen(&rows, "5").unwrap();
}

#[test]
fn a_database_that_may_only_be_read_is_away_for_those_who_write() {
    let server = database::start();
    let (url, address) = (server.url(), address(&server));
    Store::open(&url).unwrap().events().append(&order("7f3a"), 0, &[event("created")], None).unwrap();
    sql(&url, "ALTER DATABASE postgres SET default_transaction_read_only = on");
    let store = Store::open(&url).unwrap();
    let (events, rows) = (store.events(), store.rows());
    // As many connections as there may be: each of them is of the same kind.
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(events.load(&order("7f3a")), Ok(vec![event("created")]));
                }
            });
        }
    });
    let said = "cannot execute SELECT in a read-only transaction (25006)";
    let answer = events.append(&order("7f3a"), 1, &[event("paid")], None);
    assert_away(answer, &format!("{address}: append to 7f3a: {said}"));
    let said = "cannot execute SELECT FOR UPDATE in a read-only transaction (25006)";
    assert_away(set_pen(&rows, "5"), &format!("{address}: change stock/pen: {said}"));
    // As after a failover: the same store goes on, by new connections.
    sql(&url, "BEGIN; SET TRANSACTION READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; COMMIT");
    for n in 1..9 {
        events.append(&order("7f3a"), n, &[event("paid")], None).unwrap();
    }
}
