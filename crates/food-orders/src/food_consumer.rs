//! Stores orders, each once: a batch in, by one call of the table.
//!
//! Process, then commit: a record is done once its order stands in the table, and the loop around this step commits its offset only then. A
//! record that comes again finds its order there, and changes nothing.

use std::sync::Arc;

use events::food::FoodOrder;
use events::{Envelope, Event};
use messaging::store::{OrderTable, StoredOrder, Storing};
use messaging::{BatchStep, Outcome, Record};

/// The service's name in `topology.json`.
pub const NAME: &str = "food_consumer";

/// Checks orders and has them stored. Several instances may share the table.
#[derive(Clone)]
pub struct FoodConsumer {
    /// Where orders stand.
    pub table: Arc<dyn OrderTable>,
}

impl BatchStep for FoodConsumer {
    fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
        let checked: Vec<Result<StoredOrder, String>> = batch.iter().map(|record| stored(record.value)).collect();
        let orders: Vec<StoredOrder> = checked.iter().filter_map(|order| order.as_ref().ok()).cloned().collect();
        let mut stored = match self.table.store(&orders) {
            Ok(stored) => Ok(stored.into_iter()),
            Err(error) => Err(error.to_string()),
        };
        let outcome = |order: Result<StoredOrder, String>| match (order, &mut stored) {
            (Err(faults), _) => Outcome::Reject(faults),
            (Ok(_), Err(reason)) => Outcome::Retry(reason.clone()),
            (Ok(order), Ok(stored)) => match stored.next() {
                Some(Storing::New | Storing::Known) => Outcome::Done(Vec::new()),
                Some(Storing::Other) => Outcome::Reject(format!(
                    "order_id: found {} once more with other content, allowed an id of its own for each order",
                    order.order_id
                )),
                Some(Storing::Refused(reason)) => Outcome::Reject(format!("the table refuses it: {reason}")),
                None => Outcome::Retry("the table gave no answer".into()),
            },
        };
        checked.into_iter().map(outcome).collect()
    }

    /// The key is the customer's, and the topic has orders alone.
    fn envelope(&self, record: &Record<'_>) -> Envelope {
        let Envelope { order_id, .. } = Envelope::of(None, record.value);
        Envelope { order_id, event_type: FoodOrder::EVENT_TYPE.to_owned() }
    }
}

/// The row of a record with this value, or all that makes it no order. Its key does not matter: whoever wrote it may have another rule for
/// partitions.
pub(crate) fn stored(value: Option<&[u8]>) -> Result<StoredOrder, String> {
    let value = value.ok_or("value: found nothing, allowed a JSON object")?;
    let order = FoodOrder::check(value).map_err(|faults| faults.to_string())?;
    let items = order.items_json();
    let FoodOrder { order_id, customer_id, total_amount, created_at, .. } = order;
    Ok(StoredOrder { order_id, customer_id, items, total_amount, status: FoodOrder::STATUS.into(), created_at })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use events::{OrderId, Timestamp};
    use messaging::NoHeaders;
    use messaging::store::{MemoryOrders, StoreError};

    use super::*;
    use crate::menu;

    fn order(number: u64) -> FoodOrder {
        menu::order(7, OrderId::numbered(Timestamp::BASE, number), Timestamp::BASE)
    }

    fn value(number: u64) -> String {
        String::from_utf8(order(number).encode()).unwrap()
    }

    fn record(value: Option<&str>) -> Record<'_> {
        let (topic, value) = (FoodOrder::TOPIC, value.map(str::as_bytes));
        Record { topic, partition: 0, offset: 0, key: None, value, headers: &NoHeaders, deliveries: None }
    }

    fn process(table: &Arc<impl OrderTable + 'static>, values: &[&str]) -> Vec<Outcome> {
        let records: Vec<Record<'_>> = values.iter().map(|value| record(Some(value))).collect();
        FoodConsumer { table: Arc::clone(table) as Arc<dyn OrderTable> }.process(&records)
    }

    fn ids(table: &impl OrderTable) -> Vec<String> {
        table.orders(None, 100).unwrap().iter().map(|order| order.order_id.to_string()).collect()
    }

    fn done() -> Outcome {
        Outcome::Done(Vec::new())
    }

    #[test]
    fn n04_a_valid_order_is_stored_with_all_that_it_says() {
        let table = Arc::new(MemoryOrders::default());
        assert_eq!(process(&table, &[&value(42)]), [done()]);
        let FoodOrder { order_id, customer_id, total_amount, created_at, .. } = order(42);
        let (items, status) = (order(42).items_json(), "pending".to_owned());
        let expected = StoredOrder { order_id, customer_id, items, total_amount, status, created_at };
        assert_eq!(table.orders(None, 10), Ok(vec![expected]));
    }

    #[test]
    fn n04_an_invalid_order_is_rejected_with_all_its_faults_and_those_around_it_are_stored() {
        let table = Arc::new(MemoryOrders::default());
        let bad = value(1).replacen("\"quantity\":", "\"quantity\":-", 1).replacen("pending", "eaten", 1);
        let outcomes = process(&table, &[&value(0), &bad, "garbage", &value(2)]);
        let [stored, Outcome::Reject(faults), Outcome::Reject(garbage), last] = &outcomes[..] else {
            panic!("{outcomes:?}")
        };
        assert_eq!([stored, last], [&done(), &done()]);
        assert!(faults.starts_with("items[0].quantity: found -"), "{faults}");
        assert!(faults.ends_with(r#"; status: found "eaten", allowed "pending""#), "{faults}");
        assert!(garbage.starts_with("value: found invalid JSON"), "{garbage}");
        assert_eq!(ids(&*table), ["ORD-20260101-00000", "ORD-20260101-00002"]);
    }

    #[test]
    fn n04_a_tombstone_is_no_order() {
        let mut consumer = FoodConsumer { table: Arc::new(MemoryOrders::default()) };
        let reason = "value: found nothing, allowed a JSON object";
        assert_eq!(consumer.process(&[record(None)]), [Outcome::Reject(reason.into())]);
    }

    #[test]
    fn the_log_names_a_record_by_its_order_and_never_by_its_customer() {
        let consumer = FoodConsumer { table: Arc::new(MemoryOrders::default()) };
        let envelope = |value: Option<&str>| {
            let Envelope { order_id, event_type } =
                consumer.envelope(&Record { key: Some(b"CUST-00042"), ..record(value) });
            (order_id, event_type)
        };
        let named = |order_id: &str| (order_id.to_owned(), "food_order".to_owned());
        assert_eq!(envelope(Some(&value(1))), named("ORD-20260101-00001"));
        assert_eq!(envelope(Some("garbage")), named(""));
        assert_eq!(envelope(None), named(""));
    }

    #[test]
    fn n05_an_order_that_comes_again_is_stored_once() {
        let table = Arc::new(MemoryOrders::default());
        let (one, two) = (value(1), value(2));
        assert_eq!(process(&table, &[&one, &two, &one]), [done(), done(), done()]);
        assert_eq!(process(&table, &[&two, &one]), [done(), done()]);
        assert_eq!(ids(&*table).len(), 2);
    }

    #[test]
    fn n05_another_order_under_an_id_is_rejected_and_the_first_one_stays() {
        let table = Arc::new(MemoryOrders::default());
        let other = value(1).replacen("CUST-", "CUST-9", 1);
        let reason =
            "order_id: found ORD-20260101-00001 once more with other content, allowed an id of its own for each order";
        assert_eq!(process(&table, &[&value(1), &other]), [done(), Outcome::Reject(reason.into())]);
        assert_eq!(table.orders(None, 10).unwrap()[0].customer_id, order(1).customer_id);
    }

    /// A table that answers as it is told, once, and notes how many orders it was given.
    struct Scripted(Result<Vec<Storing>, StoreError>, Mutex<Vec<usize>>);

    impl OrderTable for Scripted {
        fn store(&self, orders: &[StoredOrder]) -> Result<Vec<Storing>, StoreError> {
            self.1.lock().unwrap().push(orders.len());
            self.0.clone()
        }

        fn orders(&self, _: Option<&OrderId>, _: usize) -> Result<Vec<StoredOrder>, StoreError> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn while_the_table_is_away_valid_orders_come_again_and_invalid_ones_do_not() {
        let table = Arc::new(Scripted(Err(StoreError::Away("connection refused".into())), Mutex::default()));
        let outcomes = process(&table, &[&value(0), "garbage", &value(1)]);
        let again = || Outcome::Retry("the store is away: connection refused".into());
        assert!(matches!(&outcomes[1], Outcome::Reject(_)), "{outcomes:?}");
        assert_eq!([&outcomes[0], &outcomes[2]], [&again(), &again()]);
        assert_eq!(*table.1.lock().unwrap(), [2], "one call a batch");
    }

    #[test]
    fn what_the_table_refuses_is_rejected_and_what_it_does_not_answer_comes_again() {
        let table = Arc::new(Scripted(Ok(vec![Storing::Refused("too many anchovies".into())]), Mutex::default()));
        let outcomes = process(&table, &[&value(0), &value(1)]);
        let rejected = Outcome::Reject("the table refuses it: too many anchovies".into());
        assert_eq!(outcomes, [rejected, Outcome::Retry("the table gave no answer".into())]);
    }
}
