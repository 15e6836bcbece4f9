//! N08: orders in the table, asked by SQL; and what only a database can refuse.

use std::process::Command;

use events::{Cents, EventId};
use messaging::store::{MemoryOrders, OrderTable, StoreError, StoredOrder, Storing};
use postgres_store::PostgresOrders;

use crate::contract::{self, ms};
use crate::database::{self, sql, texts};

/// One of many, each with an id of its own.
pub(crate) fn order(n: u32) -> StoredOrder {
    StoredOrder {
        order_id: contract::order(&format!("ORD-20260101-{n:05}")),
        customer_id: "CUST-00042".into(),
        items: r#"[{"name": "Pizza", "price": 8.50, "quantity": 2}]"#.into(),
        total_amount: Cents::new(1_700),
        status: "pending".into(),
        created_at: ms(123),
    }
}

#[test]
fn a_table_in_memory_keeps_the_contract() {
    contract::orders::CASES.iter().for_each(|case| case(&MemoryOrders::default()));
}

#[test]
fn n08_a_table_in_postgresql_keeps_the_contract() {
    let server = database::start();
    for case in contract::orders::CASES {
        let table = PostgresOrders::open(&server.url()).unwrap();
        case(&table);
        table.reset().unwrap();
    }
}

#[test]
fn n08_an_order_is_found_by_sql_with_its_amount_to_the_cent_and_its_items() {
    let server = database::start();
    let table = PostgresOrders::open(&server.url()).unwrap();
    table.store(&[order(42)]).unwrap();
    let row = "SELECT concat_ws('|', order_id, customer_id, total_amount, status, created_at AT TIME ZONE 'UTC',
        items->0->>'name', processed_at > now() - interval '1 hour') FROM food.orders";
    let expected = "ORD-20260101-00042|CUST-00042|17.00|pending|2026-01-01 00:00:00.123|Pizza|t";
    assert_eq!(texts(&server.url(), row), [expected]);
}

/// What a program of PostgreSQL prints.
fn output(command: &mut Command) -> String {
    let ended = command.output().unwrap();
    assert!(ended.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}

#[test]
fn k05_the_table_made_by_hand_is_the_one_that_the_migration_makes_and_the_sample_queries_run() {
    let server = database::start();
    sql(&server.url(), "CREATE DATABASE by_hand");
    let by_hand = server.url_of("by_hand");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/init.sql");
    let psql = |url: &str| output(Command::new("psql").args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", file, url]));
    psql(&by_hand);
    // The program takes it for its own, and has orders stored in it.
    let table = PostgresOrders::open(&by_hand).unwrap();
    table.store(&(0..30).map(order).collect::<Vec<_>>()).unwrap();
    let told = psql(&by_hand); // once more: nothing is changed, and each question has its answer
    assert!(told.contains("ORD-20260101-00029") && told.contains("Pizza"), "{told}");
    assert_eq!(table.orders(None, 100).unwrap().len(), 30);

    drop(PostgresOrders::open(&server.url()).unwrap());
    let schema = |url: &str| {
        let text = output(Command::new("pg_dump").args(["--schema-only", "--schema=food", "--no-owner", url]));
        // Newer versions write a random word into their dumps.
        text.lines().filter(|line| !line.contains("restrict ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(schema(&by_hand), schema(&server.url()));
}

#[test]
fn an_order_that_the_database_refuses_keeps_no_other_one_out() {
    let server = database::start();
    let table = PostgresOrders::open(&server.url()).unwrap();
    sql(&server.url(), "ALTER TABLE food.orders ADD CONSTRAINT no_anchovies CHECK (items::text NOT LIKE '%Anchovy%')");
    let mut orders: Vec<StoredOrder> = (0..100).map(order).collect();
    orders[17].items = r#"[{"name": "Anchovy Pizza"}]"#.into();
    orders[60].items = r#"[{"name": "\u0000"}]"#.into();
    orders[61].items = "no JSON".into();
    let stored = table.store(&orders).unwrap();
    let refused: Vec<(usize, &Storing)> =
        stored.iter().enumerate().filter(|(_, storing)| **storing != Storing::New).collect();
    let why = |reason: &str| Storing::Refused(reason.to_owned());
    assert_eq!(
        refused,
        [
            (17, &why(r#"new row for relation "orders" violates check constraint "no_anchovies" (23514)"#)),
            (60, &why("unsupported Unicode escape sequence (22P05)")),
            (61, &why("invalid input syntax for type json (22P02)")),
        ]
    );
    assert_eq!(texts(&server.url(), "SELECT count(*)::text FROM food.orders"), ["97"]);
}

/// Stores three orders under a rule of the database, which refuses the second one with these words and no other one.
#[track_caller]
fn check_refusal(rule: &str, spoil: impl FnOnce(&mut StoredOrder), reason: &str) {
    let server = database::start();
    let table = PostgresOrders::open(&server.url()).unwrap();
    sql(&server.url(), rule);
    let mut orders = [order(1), order(2), order(3)];
    spoil(&mut orders[1]);
    let refused = Storing::Refused(reason.to_owned());
    assert_eq!(table.store(&orders), Ok(vec![Storing::New, refused, Storing::New]), "{rule}");
}

#[test]
fn an_order_is_refused_alone_whatever_kind_of_rule_refuses_it() {
    check_refusal(
        "CREATE FUNCTION food.guard() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN IF new.status = 'cold' THEN RAISE EXCEPTION 'no cold food'; END IF; RETURN new; END $$;
        CREATE TRIGGER guard BEFORE INSERT ON food.orders FOR EACH ROW EXECUTE FUNCTION food.guard()",
        |order| order.status = "cold".into(),
        "no cold food (P0001)",
    );
    check_refusal(
        "ALTER TABLE food.orders RENAME TO all_orders;
        CREATE VIEW food.orders AS SELECT * FROM food.all_orders WHERE status <> 'cold' WITH CHECK OPTION",
        |order| order.status = "cold".into(),
        r#"new row violates check option for view "orders" (44000)"#,
    );
    check_refusal(
        "CREATE INDEX by_customer ON food.orders (customer_id)",
        // Of letters that no compression makes fewer.
        |order| order.customer_id = (0..200).map(|n| EventId::of(&order.order_id, "", "", n).to_string()).collect(),
        r#"index row size 7216 exceeds btree version 4 maximum 2704 for index "by_customer" (54000)"#,
    );
    check_refusal("SELECT", |order| order.items = "[".repeat(1_000_000), "stack depth limit exceeded (54001)");
}

#[test]
fn a_table_that_is_not_there_is_away_with_its_reason_until_it_is_back() {
    let server = database::start();
    let address = database::address(&server);
    let table = PostgresOrders::open(&server.url()).unwrap();
    sql(&server.url(), "ALTER TABLE food.orders RENAME TO elsewhere");
    let reason = r#"relation "food.orders" does not exist (42P01)"#;
    let away = StoreError::Away(format!("{address}: store 1 orders: {reason}"));
    assert_eq!(table.store(&[order(1)]), Err(away));
    sql(&server.url(), "ALTER TABLE food.elsewhere RENAME TO orders");
    assert_eq!(table.store(&[order(1)]), Ok(vec![Storing::New]));
}
