use std::thread;
use std::time::Duration;

use messaging::store::{EventStore, RowKey, RowStore, Rows};
use postgres_store::Store;

use crate::contract::{due, event, ms, order};
use crate::database::{self, texts};

/// How often a table was read as a whole.
const WHOLE: &str =
    "SELECT sum(seq_scan)::text FROM pg_stat_user_tables WHERE schemaname = 'saga' AND relname <> 'migrations'";
/// Those that were read by an index.
const BY_INDEX: &str = "SELECT relname::text FROM pg_stat_user_tables WHERE schemaname = 'saga' AND idx_scan > 0 AND relname <> 'migrations' ORDER BY 1";

#[test]
fn no_table_is_read_as_a_whole() {
    let server = database::start();
    let url = server.url();
    let store = Store::open(&url).unwrap();
    let before = texts(&url, WHOLE);
    let (events, rows) = (store.events(), store.rows());
    // More often than a plan is made anew.
    for n in 0..20 {
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
    drop((events, rows, store));
    // Each process of the server counts its own until it ends.
    while texts(&url, BY_INDEX) != ["events", "rows", "streams"] {
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(texts(&url, WHOLE), before);
}
