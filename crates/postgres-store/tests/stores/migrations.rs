use std::thread;

use messaging::store::{EventStore, OrderTable};
use postgres_store::{Error, PostgresOrders, Store};

use crate::contract::{due, event, ms, order};
use crate::database::{self, address, sql, texts, url_of};
use crate::orders::order as food_order;

/// Everything that is there and is not PostgreSQL's own.
const RELATIONS: &str = "
    SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND c.relkind = 'r' ORDER BY 1";

/// Tables and columns without a comment.
const SILENT: &str = "
    SELECT c.relname || coalesce('.' || a.attname, '') FROM pg_class c
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND (a.attnum > 0 OR false)
    WHERE c.relnamespace::regnamespace::text IN ('saga', 'food') AND c.relkind = 'r' AND c.relname <> 'migrations'
    AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)";

/// A system that keeps something in a schema of its own.
struct System {
    schema: &'static str,
    /// Those of its steps.
    tables: &'static [&'static str],
    steps: usize,
    /// Makes the tables, or brings them up to date.
    open: fn(&str) -> Result<(), Error>,
    /// Opens them and keeps something.
    keep: fn(&str),
    /// Opens them, and tells whether that is there.
    is_kept: fn(&str) -> bool,
    reset: fn(&str),
    revert: fn(&str) -> Result<(), Error>,
}

const SYSTEMS: [System; 2] = [
    System {
        schema: "saga",
        tables: &["saga.events", "saga.migrations", "saga.rows", "saga.streams"],
        steps: 2,
        open: |url| Store::open(url).map(drop),
        keep: |url| {
            let events = Store::open(url).unwrap().events();
            events.append(&order("7f3a"), 0, &[event("created")], due(ms(1))).unwrap();
        },
        is_kept: |url| Store::open(url).unwrap().events().load(&order("7f3a")).unwrap() == [event("created")],
        reset: |url| Store::open(url).unwrap().reset().unwrap(),
        revert: Store::revert,
    },
    System {
        schema: "food",
        tables: &["food.migrations", "food.orders"],
        steps: 1,
        open: |url| PostgresOrders::open(url).map(drop),
        keep: |url| {
            PostgresOrders::open(url).unwrap().store(&[food_order(1)]).unwrap();
        },
        is_kept: |url| PostgresOrders::open(url).unwrap().orders(None, 10).unwrap() == [food_order(1)],
        reset: |url| PostgresOrders::open(url).unwrap().reset().unwrap(),
        revert: PostgresOrders::revert,
    },
];

#[test]
fn k05_tables_come_and_go_and_leave_others_alone() {
    let server = database::start();
    let url = server.url();
    sql(&url, "CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.of_somebody_else ()");
    let tables = || texts(&url, RELATIONS);
    for System { schema, tables: ours, open, keep, is_kept, reset, revert, .. } in SYSTEMS {
        for _ in 0..2 {
            keep(&url);
            assert_eq!(tables(), [&["elsewhere.of_somebody_else"], ours].concat());
            assert_eq!(texts(&url, SILENT), [""; 0]);
            // Open again: nothing is done twice, and nothing is lost.
            open(&url).unwrap();
            assert!(is_kept(&url), "{schema}");
            reset(&url);
            assert!(!is_kept(&url), "{schema}");
            revert(&url).unwrap();
            assert_eq!(tables(), ["elsewhere.of_somebody_else"]);
            let schemas = format!("SELECT nspname::text FROM pg_namespace WHERE nspname = '{schema}'");
            assert_eq!(texts(&url, &schemas), [""; 0]);
            revert(&url).unwrap();
        }
    }
}

#[test]
fn services_that_start_together_make_the_tables_once() {
    let server = database::start();
    for System { schema, steps, open, .. } in SYSTEMS {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| open(&server.url()).unwrap());
            }
        });
        let applied: Vec<String> = (1..=steps).map(|step| step.to_string()).collect();
        let query = format!("SELECT version::text FROM {schema}.migrations ORDER BY 1");
        assert_eq!(texts(&server.url(), &query), applied);
    }
}

#[test]
fn tables_of_another_program_are_refused() {
    let server = database::start();
    let (url, address) = (server.url(), address(&server));
    for System { schema, steps, open, revert, .. } in SYSTEMS {
        let refused = |expected: String| {
            assert_eq!(open(&url).unwrap_err().to_string(), expected);
            assert_eq!(revert(&url).unwrap_err().to_string(), expected);
        };
        open(&url).unwrap();
        sql(&url, &format!("INSERT INTO {schema}.migrations SELECT 7, 'later', now(), true, '', 0"));
        refused(format!("{address}: its tables are at migration 7, this program knows {steps}: run the newer program"));
        sql(&url, &format!("DELETE FROM {schema}.migrations WHERE version = 7"));
        sql(&url, &format!("UPDATE {schema}.migrations SET checksum = '' WHERE version = 1"));
        refused(format!(
            "{address}: migration 1 was applied with another text than this program has: a migration is never edited, undo that"
        ));
    }
}

#[test]
fn whoever_may_only_use_the_tables_may_open_them() {
    let server = database::start();
    Store::open(&server.url()).unwrap();
    sql(
        &server.url(),
        "CREATE ROLE service LOGIN PASSWORD 'service'; GRANT USAGE ON SCHEMA saga TO service; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA saga TO service",
    );
    let store = Store::open(&url_of(&server, "service")).unwrap();
    store.events().append(&order("7f3a"), 0, &[event("created")], None).unwrap();
    assert_eq!(store.events().load(&order("7f3a")), Ok(vec![event("created")]));
}
