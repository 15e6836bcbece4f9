//! Places orders: the one service that reads nothing.

use events::shop::{Item, OrderPlaced};
use events::{Cents, OrderId, Timestamp, hash_of};

/// The service's name in `topology.json`.
pub const NAME: &str = "order_generator";

/// The setting with the seed that a host places orders from where nobody names another.
pub const SEED: &str = "seed";

const CUSTOMERS: u64 = 100;
const PRODUCTS: u64 = 200;
const MAX_ITEMS: u64 = 3;
const MAX_QUANTITY: u64 = 5;
/// Prices run from 2.00 to 99.99.
const PRICES_CENTS: std::ops::Range<u64> = 200..10_000;

/// The `n`-th order of a seed (0 for the first).
///
/// A function of its arguments alone: whoever places it again, at any time and on any host, places the same bytes. Orders
/// are one millisecond apart, the first at `base_time`.
pub fn generate_order_event(seed: u64, base_time: Timestamp, n: u64) -> OrderPlaced {
    let order_id = OrderId::generated(seed, base_time, n);
    let mut chance = Digits(hash_of(&[order_id.as_str(), NAME, "order"]));
    let customer_id = format!("CUST-{:05}", 1 + chance.below(CUSTOMERS));
    let items = (0..=chance.below(MAX_ITEMS))
        .map(|_| Item {
            product_id: format!("SKU-{:05}", 1 + chance.below(PRODUCTS)),
            quantity: 1 + chance.below(MAX_QUANTITY) as u32,
            price: Cents::new(PRICES_CENTS.start + chance.below(PRICES_CENTS.end - PRICES_CENTS.start)),
        })
        .collect();
    OrderPlaced { order_id, timestamp: base_time.plus_ms(n), customer_id, items }
}

/// Several small numbers from one hash: its digits in a mixed radix. One order uses 76 of the 128 bits.
struct Digits(u128);

impl Digits {
    fn below(&mut self, limit: u64) -> u64 {
        let digit = self.0 % u128::from(limit);
        self.0 /= u128::from(limit);
        digit as u64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use events::Event;

    use super::*;

    #[test]
    fn an_order_depends_on_seed_base_time_and_number_only() {
        let order = generate_order_event(7, Timestamp::BASE, 42);
        assert_eq!(order, generate_order_event(7, Timestamp::BASE, 42));
        for other in [
            generate_order_event(8, Timestamp::BASE, 42),
            generate_order_event(7, Timestamp::BASE.plus_ms(1), 42),
            generate_order_event(7, Timestamp::BASE, 43),
        ] {
            assert_ne!(order.order_id, other.order_id);
        }
    }

    #[test]
    fn every_order_is_one_that_the_wire_accepts() {
        for n in 0..2_000 {
            let order = generate_order_event(1, Timestamp::BASE, n);
            assert_eq!(OrderPlaced::decode(&order.encode()).as_ref(), Ok(&order), "order {n}");
        }
    }

    #[test]
    fn order_ids_do_not_repeat() {
        let ids: BTreeSet<OrderId> =
            (0..10_000).map(|n| generate_order_event(1, Timestamp::BASE, n).order_id).collect();
        assert_eq!(ids.len(), 10_000);
    }

    #[test]
    fn every_customer_product_and_size_occurs() {
        let orders: Vec<OrderPlaced> = (0..5_000).map(|n| generate_order_event(1, Timestamp::BASE, n)).collect();
        let customers: BTreeSet<&str> = orders.iter().map(|order| order.customer_id.as_str()).collect();
        let items = || orders.iter().flat_map(|order| &order.items);
        let products: BTreeSet<&str> = items().map(|item| item.product_id.as_str()).collect();
        let quantities: BTreeSet<u32> = items().map(|item| item.quantity).collect();
        let sizes: BTreeSet<usize> = orders.iter().map(|order| order.items.len()).collect();
        assert_eq!(customers.len() as u64, CUSTOMERS);
        assert_eq!(products.len() as u64, PRODUCTS);
        assert_eq!(quantities, (1..=5).collect());
        assert_eq!(sizes, (1..=3).collect());
        assert!(items().all(|item| (Cents::new(200)..Cents::new(10_000)).contains(&item.price)));
    }
}
