//! What there is to order, and orders of it.

use events::saga::{StatedItem, StatedOrder};
use events::{OrderId, SignedCents, Timestamp, hash_of, hash64_of};
use messaging::{Draw, Rate};

const CUSTOMERS: u64 = 100;
const PRODUCTS: u64 = 200;
const MAX_ITEMS: u64 = 3;
const MAX_QUANTITY: u64 = 5;
/// Prices run from 2.00 to 99.99.
const PRICES_CENTS: std::ops::Range<u64> = 200..10_000;

/// Whether there is a product of this id: `SKU-00001` to `SKU-00200`.
pub fn is_known(product_id: &str) -> bool {
    let is_number = |digits: &&str| digits.len() == 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = product_id.strip_prefix("SKU-").filter(is_number).and_then(|digits| digits.parse().ok());
    number.is_some_and(|number: u64| (1..=PRODUCTS).contains(&number))
}

/// How many pieces of a product there are at first: `pieces`, or none of those products that are not in stock.
///
/// - `stocked`: share of products that are.
pub fn opening_level(product_id: &str, stocked: Rate, pieces: u32) -> u32 {
    let draw = Draw::from_bits(hash64_of(&[product_id, "stocked"]));
    if is_known(product_id) && stocked.includes(draw) { pieces } else { 0 }
}

/// The `n`-th order of a seed (0 for the first): one to three products, all of which there are.
///
/// A function of its arguments alone: whoever places it again, at any time and on any host, places the same bytes. Orders are one
/// millisecond apart, the first at `base_time`.
pub fn order(seed: u64, base_time: Timestamp, n: u64) -> StatedOrder {
    let order_id = OrderId::generated(seed, base_time, n);
    let mut digits = hash_of(&[order_id.as_str(), "catalogue", "order"]);
    // Several small numbers from one hash: its digits in a mixed radix. One order uses some 80 of the 128 bits.
    let mut below = |limit: u64| {
        let digit = digits % u128::from(limit);
        digits /= u128::from(limit);
        digit as u64
    };
    let customer_id = format!("CUST-{:05}", 1 + below(CUSTOMERS));
    let (mut items, mut total) = (Vec::<StatedItem>::new(), 0);
    for _ in 0..=below(MAX_ITEMS) {
        let product_id = format!("SKU-{:05}", 1 + below(PRODUCTS));
        let quantity = 1 + below(MAX_QUANTITY) as i64;
        // An order names each product once.
        if items.iter().all(|item| item.product_id != product_id) {
            let cents = price_cents(&product_id);
            total += quantity * cents;
            items.push(StatedItem { product_id, quantity, price: SignedCents::new(cents) });
        }
    }
    let total_amount = SignedCents::new(total);
    StatedOrder { order_id, customer_id, items, total_amount, timestamp: base_time.plus_ms(n) }
}

/// What a piece of a product costs.
fn price_cents(product_id: &str) -> i64 {
    let range = PRICES_CENTS.end - PRICES_CENTS.start;
    (PRICES_CENTS.start + hash64_of(&[product_id, "price"]) % range) as i64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::order_service;

    #[test]
    fn a_product_is_known_by_its_number() {
        for (product, known) in [("SKU-00001", true), ("SKU-00200", true), ("SKU-00000", false), ("SKU-00201", false)] {
            assert_eq!(is_known(product), known, "{product}");
        }
        assert!(!is_known("SKU-1") && !is_known("hat") && !is_known("SKU-+0001"));
    }

    #[test]
    fn orders_are_valid_depend_on_their_arguments_only_and_vary() {
        let (mut sizes, mut customers) = (BTreeSet::new(), BTreeSet::new());
        for n in 0..2_000 {
            let order = order(7, Timestamp::BASE, n);
            assert_eq!(order, self::order(7, Timestamp::BASE, n));
            order_service::validate(&order, is_known).unwrap();
            sizes.insert(order.items.len());
            customers.insert(order.customer_id);
        }
        assert_eq!((sizes, customers.len()), (BTreeSet::from([1, 2, 3]), 100));
        assert_ne!(order(7, Timestamp::BASE, 0), order(8, Timestamp::BASE, 0));
    }

    #[test]
    fn a_share_of_the_products_is_in_stock() {
        let products: Vec<String> = (1..=PRODUCTS).map(|number| format!("SKU-{number:05}")).collect();
        let stocked = |percent| {
            let rate = Rate::from_percent(percent).unwrap();
            products.iter().filter(|product| opening_level(product, rate, 9) == 9).count()
        };
        assert_eq!((stocked(0), stocked(100)), (0, 200));
        assert!((150..180).contains(&stocked(80)), "{}", stocked(80));
        assert_eq!(opening_level("hat", Rate::from_percent(100).unwrap(), 9), 0);
    }
}
