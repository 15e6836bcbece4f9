use std::time::{Duration, Instant};

use postgres_server::Server;
use postgres_store::{PostgresOrders, TableState};

use crate::database::{self, address, sql, url_of};

/// A database whose table is another one's, and somebody who may use it.
fn prepared() -> Server {
    let server = database::start();
    drop(PostgresOrders::open(&server.url()).unwrap());
    sql(&server.url(), "CREATE ROLE kitchen LOGIN PASSWORD 'kitchen'; GRANT USAGE ON SCHEMA food TO kitchen");
    sql(&server.url(), "GRANT SELECT ON food.migrations TO kitchen; GRANT SELECT, INSERT ON food.orders TO kitchen");
    server
}

#[track_caller]
fn check(url: &str, expected: &TableState) {
    let look = PostgresOrders::look(url).unwrap();
    assert_eq!(&look.table, expected);
    assert!(look.version.starts_with(|first: char| first.is_ascii_digit()), "{}", look.version);
}

#[test]
fn a_look_tells_how_the_table_is() {
    let server = prepared();
    let (url, kitchen) = (server.url(), url_of(&server, "kitchen"));
    check(&url, &TableState::Usable);
    check(&kitchen, &TableState::Usable);
    let forbidden = |lacks: &[&str]| TableState::Forbidden {
        user: "kitchen".into(),
        lacks: lacks.iter().map(|&right| right.to_owned()).collect(),
    };
    sql(&url, "REVOKE INSERT ON food.orders FROM kitchen");
    check(&kitchen, &forbidden(&["INSERT ON food.orders"]));
    sql(&url, "REVOKE SELECT ON food.orders FROM kitchen; REVOKE USAGE ON SCHEMA food FROM kitchen");
    check(&kitchen, &forbidden(&["USAGE ON SCHEMA food", "SELECT ON food.orders", "INSERT ON food.orders"]));
    check(&url, &TableState::Usable);
    sql(&url, "ALTER ROLE kitchen SET default_transaction_read_only = on");
    check(&kitchen, &TableState::ReadOnly);
    sql(&url, "DROP TABLE food.orders");
    check(&url, &TableState::Gone);
    PostgresOrders::open(&url).map(drop).unwrap();
    check(&url, &TableState::Gone);
    sql(&url, "DROP SCHEMA food CASCADE");
    check(&url, &TableState::Missing);
}

#[test]
fn a_look_at_a_database_that_stands_still_ends_in_time() {
    let server = prepared();
    server.freeze().unwrap();
    let before = Instant::now();
    let error = PostgresOrders::look(&server.url()).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: connect: no answer in time", address(&server)));
    assert!(before.elapsed() < Duration::from_secs(10));
    assert!(error.may_pass());
}
