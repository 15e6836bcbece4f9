use messaging::store::{RowKey, RowStore, Rows};
use postgres_store::Store;

use crate::database;

fn hats() -> RowKey {
    ("stock", "hats".to_owned())
}

fn reservation() -> RowKey {
    ("reservations", "7f3a".to_owned())
}

/// Both rows as they are made or changed while somebody else thinks about them; and what stands there in the end.
#[track_caller]
fn check(before: [Option<&str>; 2], meanwhile: [Option<&str>; 2], after: [&str; 2]) {
    let server = database::start();
    let (store, other) = (Store::open(&server.url()).unwrap().rows(), Store::open(&server.url()).unwrap().rows());
    let both = [hats(), reservation()];
    let set = |to: [Option<&str>; 2]| {
        let to: Rows = both.iter().cloned().zip(to.map(|row| row.map(str::to_owned))).collect();
        other.update(&both, &mut |rows| rows.clone_from(&to)).unwrap();
    };
    set(before);
    let mut seen = Vec::new();
    // One more of each.
    store
        .update(&both, &mut |rows| {
            seen.push(both.clone().map(|key| rows[&key].clone()));
            if seen.len() == 1 {
                set(meanwhile);
            }
            rows.values_mut().for_each(|row| *row = Some(row.as_deref().unwrap_or("").to_owned() + "+"));
        })
        .unwrap();
    assert_eq!(seen, [before, meanwhile].map(|rows| rows.map(|row| row.map(str::to_owned))), "it is asked anew");
    let row = |(table, key): RowKey| store.table(table).unwrap()[&key].clone();
    assert_eq!(both.clone().map(row), after);
}

#[test]
fn a_row_that_others_change_meanwhile_is_read_again_before_anything_is_written() {
    check([Some("3"), None], [Some("2"), None], ["2+", "+"]);
    check([Some("3"), Some("a")], [Some("3"), Some("b")], ["3+", "b+"]);
}

#[test]
fn a_row_that_others_remove_meanwhile_is_missing_when_it_is_read_again() {
    check([Some("3"), None], [None, None], ["+", "+"]);
    check([Some("3"), Some("a")], [Some("3"), None], ["3+", "+"]);
}

#[test]
fn a_missing_row_that_others_make_meanwhile_is_there_when_it_is_read_again() {
    check([Some("3"), None], [Some("3"), Some("a")], ["3+", "a+"]);
    check([None, None], [Some("3"), None], ["3+", "+"]);
}
