use std::thread;

use messaging::store::EventStore;
use postgres_store::Store;

use crate::contract::{due, event, ms, order};
use crate::database::{self, address, sql, texts, url_of};

/// Everything that is there and is not PostgreSQL's own.
const RELATIONS: &str = "
    SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND c.relkind = 'r' ORDER BY 1";

const SILENT: &str = "
    SELECT c.relname || coalesce('.' || a.attname, '') FROM pg_class c
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND (a.attnum > 0 OR false)
    WHERE c.relnamespace = 'saga'::regnamespace AND c.relkind = 'r' AND c.relname <> 'migrations'
    AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)";

#[test]
fn tables_come_and_go_and_leave_others_alone() {
    let server = database::start();
    let url = server.url();
    sql(&url, "CREATE TABLE public.of_somebody_else ()");
    let tables = || texts(&url, RELATIONS);
    let ours = ["public.of_somebody_else", "saga.events", "saga.migrations", "saga.rows", "saga.streams"];
    for _ in 0..2 {
        let store = Store::open(&url).unwrap();
        store.events().append(&order("7f3a"), 0, &[event("created")], due(ms(1))).unwrap();
        assert_eq!(tables(), ours);
        assert_eq!(texts(&url, SILENT), [""; 0], "tables and columns without a comment");
        // Open again: nothing is done twice, and nothing is lost.
        let again = Store::open(&url).unwrap();
        assert_eq!(again.events().load(&order("7f3a")), Ok(vec![event("created")]));
        again.reset().unwrap();
        assert_eq!(again.events().load(&order("7f3a")), Ok(vec![]));
        Store::revert(&url).unwrap();
        assert_eq!(tables(), ["public.of_somebody_else"]);
        assert_eq!(texts(&url, "SELECT nspname::text FROM pg_namespace WHERE nspname = 'saga'"), [""; 0]);
        Store::revert(&url).unwrap();
    }
}

#[test]
fn services_that_start_together_make_the_tables_once() {
    let server = database::start();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| Store::open(&server.url()).map(drop).unwrap());
        }
    });
    assert_eq!(texts(&server.url(), "SELECT version::text FROM saga.migrations ORDER BY 1"), ["1", "2"]);
}

#[test]
fn tables_of_another_program_are_refused() {
    let server = database::start();
    let (url, address) = (server.url(), address(&server));
    let refused = |expected: String| {
        assert_eq!(Store::open(&url).map(drop).unwrap_err().to_string(), expected);
        assert_eq!(Store::revert(&url).unwrap_err().to_string(), expected);
    };
    Store::open(&url).unwrap();
    sql(&url, "INSERT INTO saga.migrations SELECT 7, 'later', now(), true, '', 0");
    refused(format!("{address}: its tables are at migration 7, this program knows 2: run the newer program"));
    sql(
        &url,
        "DELETE FROM saga.migrations WHERE version = 7; UPDATE saga.migrations SET checksum = '' WHERE version = 1",
    );
    refused(format!(
        "{address}: migration 1 was applied with another text than this program has: a migration is never edited, undo that"
    ));
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
