use std::thread;
use std::time::Duration;

use messaging::store::{EventStore, OrderTable, RowKey, RowStore, Rows, StoredOrder};
use postgres_store::{PostgresOrders, Store};

use crate::contract::{due, event, ms, order};
use crate::database::{self, texts};
use crate::orders::order as food_order;

/// How often tables were read as a whole.
const WHOLE: &str = "SELECT sum(seq_scan)::text FROM pg_stat_user_tables WHERE relname <> 'migrations'";
/// Those that were read by an index.
const BY_INDEX: &str = "SELECT schemaname || '.' || relname FROM pg_stat_user_tables WHERE idx_scan > 0 AND relname <> 'migrations' ORDER BY 1";
/// More often than a plan is made anew.
const TIMES: u32 = 20;

/// Uses tables that are there already, and looks how they were read.
#[track_caller]
fn check(prepare: fn(&str), use_them: fn(&str), expected: &[&str]) {
    let server = database::start();
    let url = server.url();
    prepare(&url);
    let before = texts(&url, WHOLE);
    use_them(&url);
    // Each process of the server counts its own until it ends.
    while texts(&url, BY_INDEX) != expected {
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(texts(&url, WHOLE), before);
}

#[test]
fn no_table_is_read_as_a_whole() {
    check(|url| drop(Store::open(url).unwrap()), use_saga, &["saga.events", "saga.rows", "saga.streams"]);
    check(|url| drop(PostgresOrders::open(url).unwrap()), use_food, &["food.orders"]);
}

fn use_food(url: &str) {
    let table = PostgresOrders::open(url).unwrap();
    for n in 0..TIMES {
        // New ones, the same once more, and another one under an id.
        let orders: Vec<StoredOrder> = (n * 10..n * 10 + 10).map(food_order).collect();
        let other = StoredOrder { status: "cold".into(), ..orders[3].clone() };
        table.store(&orders).unwrap();
        table.store(&[&orders[..], &[other]].concat()).unwrap();
        table.orders(Some(&orders[0].order_id), 10).unwrap();
    }
}

fn use_saga(url: &str) {
    let store = Store::open(url).unwrap();
    let (events, rows) = (store.events(), store.rows());
    for n in 0..TIMES {
        let stream = order(&format!("{n}"));
        events.append(&stream, 0, &["created", "paid"].map(event), due(ms(1))).unwrap();
        events.restate(&stream, 2, due(ms(2))).unwrap();
        events.load(&stream).unwrap();
        events.due(ms(1), ms(5), 10).unwrap();
        events.unfinished().unwrap();
        events.streams(Some(&stream), 10).unwrap();
        // One is made, one is changed, one removed, and one is not there.
        let keys = ["a", "b", "c", "d"].map(|key| -> RowKey { ("stock", key.to_owned()) });
        let set = |to: [Option<&str>; 4]| {
            let to: Rows = keys.iter().cloned().zip(to.map(|value| value.map(str::to_owned))).collect();
            rows.update(&keys, &mut |rows| rows.clone_from(&to)).unwrap();
        };
        set([None, Some("1"), Some("1"), None]);
        set([Some("1"), Some("2"), None, None]);
        // One is changed and one is made: nothing that would have to be locked first.
        let pair = [keys[1].clone(), ("stock", format!("{n}"))];
        rows.update(&pair, &mut |rows| rows.values_mut().for_each(|row| *row = Some("3".to_owned()))).unwrap();
        rows.table("stock").unwrap();
    }
}
