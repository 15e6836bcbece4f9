//! Topic and table, compared: does each valid order stand in the table as its record has it, and nothing else?

use std::collections::{BTreeMap, BTreeSet};

use events::food::FoodOrder;
use events::{OrderId, Timestamp, hash_of};
use messaging::about;
use messaging::audit::{Drained, Verdict};
use messaging::store::StoredOrder;

use crate::food_consumer::stored;

/// How many orders are told by name.
const EXAMPLES: usize = 10;

/// Takes in all records of the topic, then all rows of the table, then what was written meanwhile. About 150 bytes an order.
#[derive(Debug, Default)]
pub struct Comparison {
    orders: BTreeMap<OrderId, Known>,
    /// When the first order was placed that each partition has left.
    first: BTreeMap<i32, Timestamp>,
    /// The partitions whose first records were deleted: of what these said nobody knows anything.
    shortened: BTreeSet<i32>,
    redelivered: u64,
    /// Records that no consumer stores, by the field that is wrong first.
    invalid: BTreeMap<String, u64>,
    others: usize,
    stored: u64,
    altered: u64,
    /// Rows without a record.
    unexpected: BTreeSet<OrderId>,
    examples: Vec<String>,
}

/// What the records say of an order.
#[derive(Debug)]
struct Known {
    content: u128,
    /// What other records say that have its id. Which of them came first is known to nobody where they stand in several partitions.
    others: BTreeSet<u128>,
    is_stored: bool,
}

impl Comparison {
    /// Takes in that the first records of a partition were deleted, as retention does.
    pub fn shortened(&mut self, partition: i32) {
        self.shortened.insert(partition);
    }

    /// Takes in the value of a record.
    pub fn record(&mut self, partition: i32, value: Option<&[u8]>) {
        let order = match stored(value) {
            Ok(order) => order,
            Err(fault) => {
                *self.invalid.entry(about(&fault).to_owned()).or_default() += 1;
                return;
            }
        };
        let content = content(&order);
        self.first.entry(partition).or_insert(order.created_at);
        let Some(known) = self.orders.get_mut(&order.order_id) else {
            self.orders.insert(order.order_id, Known { content, others: BTreeSet::new(), is_stored: false });
            return;
        };
        if known.content == content || !known.others.insert(content) {
            self.redelivered += 1;
        } else {
            self.others += 1;
            *self.invalid.entry("order_id".into()).or_default() += 1;
        }
    }

    /// Takes in a row, once all records are known. One that is older than they are, or than those that are left of a shortened partition, is
    /// of an order that the topic keeps no longer.
    pub fn row(&mut self, row: &StoredOrder) {
        if !self.row_of_ours(row) && !self.is_older(row.created_at) {
            self.unexpected.insert(row.order_id.clone());
        }
    }

    /// The same where rows of others may stand in the table: those are passed over. Whether it is of an order that a record told of.
    pub fn row_of_ours(&mut self, row: &StoredOrder) -> bool {
        let Some(known) = self.orders.get_mut(&row.order_id) else { return false };
        known.is_stored = true;
        let content = content(row);
        if known.content == content || known.others.contains(&content) {
            self.stored += 1;
        } else {
            self.altered += 1;
            self.examples.push(format!("order {}: the row says something else than its record", row.order_id));
            self.examples.truncate(EXAMPLES);
        }
        true
    }

    /// Takes in a record that was written after the others were read, once all rows are known: it may be where a row is from.
    pub fn later(&mut self, value: Option<&[u8]>) {
        if let Ok(order) = stored(value) {
            self.unexpected.remove(&order.order_id);
        }
    }

    /// Whether an order may have stood before all that is left: it was placed before the first record of every partition, or of one whose
    /// first ones were deleted. The first: an order of an old date may stand behind it.
    fn is_older(&self, created_at: Timestamp) -> bool {
        let is_before = |first: Option<&Timestamp>| first.is_none_or(|first| created_at < *first);
        is_before(self.first.values().min())
            || self.shortened.iter().any(|partition| is_before(self.first.get(partition)))
    }

    /// Distinct orders so far, those under the id of another and rows without a record included: each takes its place in memory.
    pub fn orders(&self) -> usize {
        self.orders.len() + self.others + self.unexpected.len()
    }

    /// Records that no consumer stores, by the field that is wrong first; with `order_id` those that have the id of another order, too.
    pub fn invalid(&self) -> &BTreeMap<String, u64> {
        &self.invalid
    }

    /// The verdict, in the audit's words: `lost` is a valid order without its row, `doubled` a row that says something else than its
    /// record, `unexpected` a row without one, `dead_lettered` a record that no consumer stores.
    #[must_use]
    pub fn verdict(&self, drained: Drained) -> Verdict {
        let missing = || self.orders.iter().filter(|(_, known)| !known.is_stored).map(|(order_id, _)| order_id);
        let absent = missing().count() as u64;
        let unexpected = self.unexpected.iter().map(|order_id| format!("order {order_id}: a row without a record"));
        let missing = missing().map(|order_id| format!("order {order_id}: no row of it"));
        let examples = self.examples.iter().cloned().chain(unexpected).chain(missing).take(EXAMPLES).collect();
        let (lost, unfinished) = if drained == Drained::Yes { (absent, 0) } else { (0, absent) };
        let digest = self.orders.values().fold(0, |digest: u128, known| digest.wrapping_add(known.content));
        Verdict {
            accepted: self.orders.len() as u64,
            ended: self.stored,
            lost,
            doubled: self.altered,
            redelivered: self.redelivered,
            dead_lettered: self.invalid.values().sum(),
            unfinished,
            unexpected: self.unexpected.len() as u64,
            digest,
            examples,
        }
    }
}

/// What a row says of an order. The database writes JSON its own way: a list of items is compared by what it says.
fn content(order: &StoredOrder) -> u128 {
    let items = FoodOrder::items_of(&order.items).unwrap_or_else(|| order.items.clone());
    let (total, created_at) = (order.total_amount.to_string(), order.created_at.as_ms().to_string());
    hash_of(&[order.order_id.as_str(), &order.customer_id, &items, &total, &order.status, &created_at])
}

#[cfg(test)]
mod tests {
    use events::Event;

    use super::*;
    use crate::menu;

    fn order(number: u64) -> FoodOrder {
        menu::order(7, OrderId::numbered(Timestamp::BASE, number), Timestamp::BASE.plus_ms(number))
    }

    fn row(number: u64) -> StoredOrder {
        stored(Some(&order(number).encode())).unwrap()
    }

    fn given(records: &[&[u8]], rows: &[StoredOrder]) -> Comparison {
        let mut comparison = Comparison::default();
        records.iter().for_each(|record| comparison.record(0, Some(record)));
        rows.iter().for_each(|row| comparison.row(row));
        comparison
    }

    /// Everything but the digest, which another test is about.
    #[track_caller]
    fn check(comparison: &Comparison, expected: Verdict) {
        assert_eq!(Verdict { digest: 0, ..comparison.verdict(Drained::Yes) }, expected);
    }

    fn passed(orders: u64) -> Verdict {
        Verdict {
            accepted: orders,
            ended: orders,
            lost: 0,
            doubled: 0,
            redelivered: 0,
            dead_lettered: 0,
            unfinished: 0,
            unexpected: 0,
            digest: 0,
            examples: Vec::new(),
        }
    }

    #[test]
    fn a_row_for_each_order_is_what_there_should_be() {
        let [one, two] = [order(1).encode(), order(2).encode()];
        check(&given(&[&one, &two], &[row(1), row(2)]), passed(2));
        check(&given(&[&one, &two, &one], &[row(1), row(2)]), Verdict { redelivered: 1, ..passed(2) });
        check(&given(&[], &[]), passed(0));
    }

    #[test]
    fn an_order_without_its_row_is_lost_and_unfinished_before_everything_drained() {
        let comparison = given(&[&order(1).encode(), &order(2).encode()], &[row(2)]);
        let examples = vec!["order ORD-20260101-00001: no row of it".to_owned()];
        check(&comparison, Verdict { ended: 1, lost: 1, examples, ..passed(2) });
        let before = comparison.verdict(Drained::No);
        assert_eq!((before.lost, before.unfinished, before.passed()), (0, 1, false));
    }

    #[test]
    fn a_row_that_says_something_else_than_its_record_is_doubled() {
        let eaten = StoredOrder { status: "eaten".into(), ..row(1) };
        let examples = vec!["order ORD-20260101-00001: the row says something else than its record".to_owned()];
        check(&given(&[&order(1).encode()], &[eaten]), Verdict { ended: 0, doubled: 1, examples, ..passed(1) });
    }

    /// A partition with these orders each, and which of them were shortened.
    fn in_partitions(partitions: &[&[u64]], shortened: &[i32]) -> Comparison {
        let mut comparison = Comparison::default();
        shortened.iter().for_each(|&partition| comparison.shortened(partition));
        for (partition, numbers) in (0..).zip(partitions) {
            numbers.iter().for_each(|&number| comparison.record(partition, Some(&order(number).encode())));
        }
        comparison
    }

    fn unexpected(mut comparison: Comparison, rows: &[u64]) -> Vec<String> {
        rows.iter().for_each(|&number| comparison.row(&row(number)));
        comparison.unexpected.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_row_without_a_record_is_unexpected_unless_it_is_older_than_the_topic() {
        let examples = vec!["order ORD-20260101-00003: a row without a record".to_owned()];
        let comparison = given(&[&order(2).encode()], &[row(1), row(2), row(3)]);
        check(&comparison, Verdict { unexpected: 1, examples, ..passed(1) });
        assert_eq!(unexpected(in_partitions(&[&[2], &[5]], &[]), &[1, 3]), ["ORD-20260101-00003"]);
    }

    #[test]
    fn a_row_may_be_of_any_partition_whose_first_records_were_deleted() {
        assert_eq!(unexpected(in_partitions(&[&[2], &[5, 9]], &[1]), &[3, 7]), ["ORD-20260101-00007"]);
        let nothing: [&str; 0] = [];
        assert_eq!(unexpected(in_partitions(&[&[2], &[]], &[1]), &[3, 7]), nothing, "all of a partition was deleted");
        assert_eq!(
            unexpected(in_partitions(&[&[], &[]], &[]), &[3, 7]),
            nothing,
            "a topic that is empty knows of nothing"
        );
        assert_eq!(unexpected(in_partitions(&[&[2], &[]], &[]), &[3]), ["ORD-20260101-00003"], "nothing was deleted");
        assert_eq!(unexpected(in_partitions(&[&[5, 1]], &[0]), &[3]), nothing, "an old date stands behind the first");
    }

    #[test]
    fn rows_of_others_are_passed_over_where_they_may_stand_there() {
        let mut comparison = given(&[&order(1).encode()], &[]);
        assert_eq!([row(1), row(9)].map(|row| comparison.row_of_ours(&row)), [true, false]);
        check(&comparison, passed(1));
    }

    #[test]
    fn a_row_whose_record_was_written_meanwhile_is_expected() {
        let mut comparison = given(&[&order(1).encode()], &[row(1), row(2), row(3)]);
        comparison.later(Some(&order(2).encode()));
        comparison.later(Some(b"garbage"));
        let examples = vec!["order ORD-20260101-00003: a row without a record".to_owned()];
        check(&comparison, Verdict { unexpected: 1, examples, ..passed(1) });
    }

    #[test]
    fn of_two_orders_with_one_id_either_may_stand_there() {
        let (first, other) = (order(1), FoodOrder { customer_id: "CUST-00999".into(), ..order(1) });
        let other_row = stored(Some(&other.encode())).unwrap();
        for row in [row(1), other_row] {
            let comparison = given(&[&first.encode(), &other.encode(), &other.encode()], &[row]);
            check(&comparison, Verdict { redelivered: 1, dead_lettered: 1, ..passed(1) });
            assert_eq!(comparison.invalid(), &BTreeMap::from([("order_id".to_owned(), 1)]));
        }
    }

    #[test]
    fn records_that_are_no_orders_are_counted_by_what_is_wrong() {
        let bad =
            |from: &str, to: &str| String::from_utf8(order(1).encode()).unwrap().replacen(from, to, 1).into_bytes();
        let mut comparison = given(&[&bad("quantity\":", "quantity\":-"), &bad("pending", "eaten"), b"{"], &[]);
        comparison.record(0, None);
        let expected = [("items", 1), ("status", 1), ("value", 2)].map(|(field, count)| (field.to_owned(), count));
        assert_eq!(comparison.invalid(), &BTreeMap::from(expected));
        check(&comparison, Verdict { dead_lettered: 4, ..passed(0) });
    }

    #[test]
    fn the_way_the_database_writes_json_makes_no_difference() {
        let spaced = StoredOrder { items: row(1).items.replace(":", ": ").replace(",\"", ", \""), ..row(1) };
        assert_ne!(spaced.items, row(1).items);
        check(&given(&[&order(1).encode()], &[spaced]), passed(1));
    }

    #[test]
    fn equal_topics_have_equal_digests_in_whatever_order() {
        let [one, two, three] = [order(1).encode(), order(2).encode(), order(3).encode()];
        let digest = |records: &[&[u8]]| given(records, &[]).verdict(Drained::Yes).digest;
        assert_eq!(digest(&[&one, &two]), digest(&[&two, &one, &two]));
        assert_ne!(digest(&[&one, &two]), digest(&[&one, &three]));
    }
}
