//! A million records that nobody meant: the consumer answers each, stores what is an order and nothing else, and never panics.
#![cfg(test)]

use std::sync::Arc;

use events::food::FoodOrder;
use events::{Event, OrderId, Timestamp};
use food_orders::food_consumer::FoodConsumer;
use food_orders::{Comparison, menu};
use messaging::audit::Drained;
use messaging::store::{MemoryOrders, OrderTable};
use messaging::{BatchStep, NoHeaders, Outcome, Record};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Records of a batch.
const BATCH: usize = 10;

/// Batches of each kind, together a million records; without optimization, where lines are counted, a hundredth of them.
const BATCHES: u32 = if cfg!(debug_assertions) { 500 } else { 50_000 };

/// Handles a batch; what the table holds then is what the records say.
fn check(values: &[Option<Vec<u8>>]) -> Result<(), TestCaseError> {
    let table = Arc::new(MemoryOrders::default());
    let topic = FoodOrder::TOPIC;
    let headers = &NoHeaders;
    let values = || values.iter().map(Option::as_deref);
    let record = |value| Record { topic, partition: 0, offset: 0, key: None, value, headers, deliveries: None };
    let records: Vec<Record<'_>> = values().map(record).collect();
    let outcomes = FoodConsumer { table: Arc::clone(&table) as Arc<dyn OrderTable> }.process(&records);
    prop_assert_eq!(outcomes.len(), records.len());
    for outcome in &outcomes {
        let is_answered = match outcome {
            Outcome::Done(written) => written.is_empty(),
            Outcome::Reject(reason) => reason.contains("allowed"),
            Outcome::Retry(_) => false,
        };
        prop_assert!(is_answered, "{:?}", outcome);
    }
    let mut comparison = Comparison::default();
    values().for_each(|value| comparison.record(0, value));
    table.orders(None, usize::MAX).unwrap().iter().for_each(|row| comparison.row(row));
    let verdict = comparison.verdict(Drained::Yes);
    prop_assert!(verdict.passed(), "{}", verdict);
    Ok(())
}

/// What may be done to an order's bytes.
#[derive(Clone, Debug)]
enum Mutation {
    Keep,
    /// One byte becomes another.
    Set(Index, u8),
    /// Some bytes stand twice.
    Repeat(Index, Index),
    /// Some bytes are gone.
    Cut(Index, Index),
    /// Something else stands in the place of a value.
    Replace(Index, &'static str),
}

const VALUES: [&str; 12] =
    ["0", "-1", "1e308", "1e-7", "NaN", "null", "true", "[]", "{}", "\"\"", "\"\\u0000\"", "18446744073709551616"];

impl Mutation {
    fn any() -> impl Strategy<Value = Self> {
        let index = any::<Index>;
        prop_oneof![
            Just(Self::Keep),
            (index(), any::<u8>()).prop_map(|(at, byte)| Self::Set(at, byte)),
            (index(), index()).prop_map(|(from, to)| Self::Repeat(from, to)),
            (index(), index()).prop_map(|(from, to)| Self::Cut(from, to)),
            (index(), prop::sample::select(&VALUES[..])).prop_map(|(at, text)| Self::Replace(at, text)),
        ]
    }

    fn apply(&self, mut value: Vec<u8>) -> Vec<u8> {
        let len = value.len();
        if len == 0 {
            return value;
        }
        let range = |from: &Index, to: &Index| {
            let (from, to) = (from.index(len), to.index(len));
            from.min(to)..from.max(to)
        };
        match self {
            Self::Keep => {}
            Self::Set(at, byte) => value[at.index(len)] = *byte,
            Self::Repeat(from, to) => {
                let range = range(from, to);
                let again = value[range.clone()].to_vec();
                value.splice(range.start..range.start, again);
            }
            Self::Cut(from, to) => drop(value.drain(range(from, to))),
            Self::Replace(at, text) => {
                let colons: Vec<usize> = (0..len).filter(|&index| value[index] == b':').collect();
                let Some(&colon) = colons.get(at.index(colons.len().max(1))) else { return value };
                let end = (colon + 1..len).find(|&index| b",}]".contains(&value[index]));
                value.splice(colon + 1..end.unwrap_or(len), text.bytes());
            }
        }
        value
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: BATCHES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_stop_the_consumer(values in vec(prop::option::weighted(0.99, vec(any::<u8>(), 0..200)), BATCH)) {
        check(&values)?;
    }

    /// Of few numbers: some orders have the id of another one.
    #[test]
    fn orders_that_are_changed_at_random_are_stored_or_refused(
        changes in vec((0_u64..6, vec(Mutation::any(), 1..4)), BATCH),
    ) {
        let order = |number| menu::order(7, OrderId::numbered(Timestamp::BASE, number), Timestamp::BASE).encode();
        let change = |(number, mutations): &(u64, Vec<Mutation>)| {
            Some(mutations.iter().fold(order(*number), |value, mutation| mutation.apply(value)))
        };
        let values: Vec<Option<Vec<u8>>> = changes.iter().map(change).collect();
        check(&values)?;
    }
}
