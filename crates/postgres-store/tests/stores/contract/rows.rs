use std::collections::BTreeMap;
use std::thread;

use messaging::store::{RowKey, RowStore, Rows};

use super::Stores;

fn stock(product: &str) -> RowKey {
    ("stock", product.to_owned())
}

fn payment(order: &str) -> RowKey {
    ("payments", order.to_owned())
}

fn table(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Sets rows, whatever stands there.
fn set(store: &dyn RowStore, rows: &[(RowKey, Option<&str>)]) {
    let keys: Vec<RowKey> = rows.iter().map(|(key, _)| key.clone()).collect();
    let rows: Rows = rows.iter().map(|(key, value)| (key.clone(), value.map(str::to_owned))).collect();
    store.update(&keys, &mut |there| there.clone_from(&rows)).unwrap();
}

fn read(store: &dyn RowStore, keys: &[RowKey]) -> Vec<Option<String>> {
    let mut read = Vec::new();
    store.update(keys, &mut |rows| read = rows.values().cloned().collect()).unwrap();
    read
}

/// Adds one to a number; none is zero.
fn count(row: &mut Option<String>) {
    let number = row.as_deref().map_or(0, |row| row.parse::<u32>().unwrap());
    *row = Some((number + 1).to_string());
}

pub(crate) fn a_row_that_is_not_there_is_none(Stores { rows, .. }: &Stores) {
    assert_eq!(read(&**rows, &[stock("pen"), payment("7f3a")]), [None, None]);
    assert_eq!(read(&**rows, &[]), []);
    assert_eq!(rows.table("stock"), Ok(table(&[])));
}

pub(crate) fn rows_are_made_changed_and_removed_together(Stores { rows, .. }: &Stores) {
    set(&**rows, &[(stock("ink"), Some("3")), (stock("pen"), Some("5")), (payment("7f3a"), None)]);
    let keys = [stock("pen"), payment("7f3a"), stock("ink"), stock("nib")];
    let mut seen = Rows::new();
    let change = &mut |rows: &mut Rows| {
        seen = rows.clone();
        rows.insert(stock("pen"), Some("4".into()));
        rows.insert(stock("ink"), None);
        rows.insert(payment("7f3a"), Some(r#"{ "paid" : true }"#.into()));
    };
    rows.update(&keys, change).unwrap();
    let expected = [
        (payment("7f3a"), None),
        (stock("ink"), Some("3".to_owned())),
        (stock("nib"), None),
        (stock("pen"), Some("5".to_owned())),
    ];
    assert_eq!(seen, BTreeMap::from(expected));
    assert_eq!(rows.table("stock"), Ok(table(&[("pen", "4")])));
    assert_eq!(rows.table("payments"), Ok(table(&[("7f3a", r#"{ "paid" : true }"#)])));
}

pub(crate) fn a_row_that_was_not_asked_for_is_not_written(Stores { rows, .. }: &Stores) {
    set(&**rows, &[(stock("pen"), Some("5")), (stock("ink"), Some("3"))]);
    let change = &mut |rows: &mut Rows| {
        rows.insert(stock("pen"), Some("4".into()));
        rows.insert(stock("ink"), None);
        rows.insert(stock("nib"), Some("1".into()));
    };
    rows.update(&[stock("pen")], change).unwrap();
    assert_eq!(rows.table("stock"), Ok(table(&[("ink", "3"), ("pen", "4")])));
}

pub(crate) fn a_row_that_is_left_alone_stays(Stores { rows, .. }: &Stores) {
    set(&**rows, &[(stock("pen"), Some("5")), (stock("ink"), Some("3"))]);
    rows.update(&[stock("pen"), stock("ink"), stock("nib")], &mut Rows::clear).unwrap();
    rows.update(&[stock("pen"), stock("nib")], &mut |_| {}).unwrap();
    assert_eq!(rows.table("stock"), Ok(table(&[("ink", "3"), ("pen", "5")])));
}

pub(crate) fn a_row_that_is_asked_for_twice_is_one_row(Stores { rows, .. }: &Stores) {
    let keys = [stock("pen"), stock("ink"), stock("pen")];
    for _ in 0..2 {
        rows.update(&keys, &mut |rows| rows.values_mut().for_each(count)).unwrap();
    }
    assert_eq!(rows.table("stock"), Ok(table(&[("ink", "2"), ("pen", "2")])));
}

pub(crate) fn a_table_has_its_own_rows_alone(Stores { rows, .. }: &Stores) {
    let of = |table: &'static str| (table, "a".to_owned());
    set(&**rows, &[(of("stock"), Some("1")), (of("stocks"), Some("2")), (of("Stock"), Some("3")), (of("stoc"), None)]);
    assert_eq!(rows.table("stock"), Ok(table(&[("a", "1")])));
    assert_eq!(rows.table("stoc"), Ok(table(&[])));
}

pub(crate) fn of_changes_to_the_same_rows_at_once_none_is_lost(Stores { rows, .. }: &Stores) {
    set(&**rows, &["a", "b", "c"].map(|product| (stock(product), Some("0"))));
    thread::scope(|scope| {
        for n in 0..8 {
            // Each asks in an order of its own: whoever locked rows in the order of asking would wait for each other.
            let mut keys = ["a", "b", "c"].map(stock);
            keys.rotate_left(n % 3);
            if n % 2 == 0 {
                keys.reverse();
            }
            scope.spawn(move || {
                for _ in 0..25 {
                    rows.update(&keys[..2], &mut |rows| rows.values_mut().for_each(count)).unwrap();
                }
            });
        }
    });
    let sum: u32 = rows.table("stock").unwrap().values().map(|row| row.parse::<u32>().unwrap()).sum();
    assert_eq!(sum, 8 * 25 * 2);
}

pub(crate) fn of_those_who_make_the_same_rows_at_once_none_is_lost(Stores { rows, .. }: &Stores) {
    for round in 0..20 {
        let keys = [payment(&format!("{round}")), stock(&format!("{round}"))];
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| rows.update(&keys, &mut |rows| rows.values_mut().for_each(count)).unwrap());
            }
        });
        assert_eq!(read(&**rows, &keys), [Some("8".to_owned()), Some("8".to_owned())]);
    }
}

pub(crate) fn what_was_decided_because_a_row_is_missing_holds(Stores { rows, .. }: &Stores) {
    for round in 0..50 {
        let both = [payment(&format!("{round}")), stock(&format!("{round}"))];
        thread::scope(|scope| {
            // Each makes its own row only if the other's is not there: so one of them is made, and not both.
            for (own, other) in [(0, 1), (1, 0)] {
                let both = &both;
                let change = move |rows: &mut Rows| {
                    if rows[&both[other]].is_none() {
                        rows.insert(both[own].clone(), Some("made".into()));
                    }
                };
                scope.spawn(move || rows.update(both, &mut { change }).unwrap());
            }
        });
        let made = read(&**rows, &both).into_iter().flatten().count();
        assert_eq!(made, 1, "in round {round}");
    }
}
