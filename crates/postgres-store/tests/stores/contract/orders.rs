use std::thread;

use events::{Cents, OrderId};
use messaging::store::{OrderTable, StoredOrder, Storing};

use super::{ms, order as id};

fn order(order_id: &str) -> StoredOrder {
    StoredOrder {
        order_id: id(order_id),
        customer_id: "CUST-00042".into(),
        items: r#"[{"name": "Pizza", "price": 8.50, "quantity": 2}]"#.into(),
        total_amount: Cents::new(1_700),
        status: "pending".into(),
        created_at: ms(123),
    }
}

fn other(order_id: &str) -> StoredOrder {
    StoredOrder { total_amount: Cents::new(1_701), ..order(order_id) }
}

fn ids(table: &dyn OrderTable) -> Vec<String> {
    table.orders(None, 1_000).unwrap().iter().map(|order| order.order_id.to_string()).collect()
}

/// Asked of every table of orders, an empty one each.
pub(crate) const CASES: [fn(&dyn OrderTable); 7] = [
    nothing_is_stored_of_nothing,
    orders_come_back_as_they_were_stored,
    an_order_that_is_stored_again_is_known,
    another_order_under_its_id_leaves_it_as_it_is,
    an_id_that_comes_twice_at_once_is_the_first_ones,
    orders_are_listed_page_by_page_in_the_order_of_their_ids,
    of_those_who_store_the_same_orders_at_once_one_does,
];

fn nothing_is_stored_of_nothing(table: &dyn OrderTable) {
    assert_eq!(table.store(&[]), Ok(vec![]));
    assert_eq!(table.orders(None, 10), Ok(vec![]));
}

fn orders_come_back_as_they_were_stored(table: &dyn OrderTable) {
    let hostile = StoredOrder {
        items: r#"[{"name": "Robert'); DROP TABLE food.orders;--"}, {"name": "寿司 \\ \" ☕"}]"#.into(),
        total_amount: Cents::MAX,
        ..order("b")
    };
    assert_eq!(table.store(&[hostile.clone(), order("a")]), Ok(vec![Storing::New, Storing::New]));
    assert_eq!(table.orders(None, 10), Ok(vec![order("a"), hostile]));
}

fn an_order_that_is_stored_again_is_known(table: &dyn OrderTable) {
    table.store(&[order("a")]).unwrap();
    let again = table.store(&[order("b"), order("a"), order("c")]);
    assert_eq!(again, Ok(vec![Storing::New, Storing::Known, Storing::New]));
    assert_eq!(ids(table), ["a", "b", "c"]);
}

fn another_order_under_its_id_leaves_it_as_it_is(table: &dyn OrderTable) {
    table.store(&[order("a")]).unwrap();
    assert_eq!(table.store(&[other("a"), order("a")]), Ok(vec![Storing::Other, Storing::Known]));
    assert_eq!(table.orders(None, 10), Ok(vec![order("a")]));
}

fn an_id_that_comes_twice_at_once_is_the_first_ones(table: &dyn OrderTable) {
    let stored = table.store(&[order("b"), order("a"), other("a"), order("a"), order("c")]);
    assert_eq!(stored, Ok(vec![Storing::New, Storing::New, Storing::Other, Storing::Known, Storing::New]));
    assert_eq!(table.orders(None, 10), Ok(["a", "b", "c"].map(order).into()));
}

fn orders_are_listed_page_by_page_in_the_order_of_their_ids(table: &dyn OrderTable) {
    table.store(&["c", "B", "a"].map(order)).unwrap();
    assert_eq!(ids(table), ["B", "a", "c"]);
    let behind = |after: &OrderId| table.orders(Some(after), 1).unwrap();
    assert_eq!((behind(&id("B")), behind(&id("c"))), (vec![order("a")], vec![]));
}

fn of_those_who_store_the_same_orders_at_once_one_does(table: &dyn OrderTable) {
    let all: Vec<StoredOrder> = (0..100).map(|n| order(&format!("{n:03}"))).collect();
    let new: usize = thread::scope(|scope| {
        let store = |turned: bool| {
            let mut orders = all.clone();
            // In an order of its own: two who stored them as they came would wait for each other.
            if turned {
                orders.reverse();
            }
            let stored = table.store(&orders).unwrap();
            stored.iter().filter(|storing| **storing == Storing::New).count()
        };
        let threads: Vec<_> = (0..4).map(|n| scope.spawn(move || store(n % 2 == 0))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((new, ids(table).len()), (100, 100));
}
