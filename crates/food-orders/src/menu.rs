//! A hundred customers, twenty dishes, and orders of them.

use std::ops::RangeInclusive;

use events::food::{FoodItem, FoodOrder};
use events::{Cents, OrderId, Timestamp, hash_of};

/// Customers: `CUST-00001` to `CUST-00100`.
pub const CUSTOMERS: u64 = 100;

/// A dish, and what a piece of it costs at different times, in cents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dish {
    /// Its name.
    pub name: &'static str,
    /// The lowest and the highest price.
    pub price_cents: RangeInclusive<u64>,
}

/// What there is to eat and to drink, between $2 and $15.
pub const DISHES: [Dish; 20] = [
    Dish { name: "Margherita Pizza", price_cents: 900..=1_300 },
    Dish { name: "Pepperoni Pizza", price_cents: 1_100..=1_500 },
    Dish { name: "Cheeseburger", price_cents: 800..=1_200 },
    Dish { name: "Veggie Burger", price_cents: 800..=1_150 },
    Dish { name: "Chicken Wings", price_cents: 700..=1_100 },
    Dish { name: "Caesar Salad", price_cents: 650..=1_000 },
    Dish { name: "Greek Salad", price_cents: 650..=950 },
    Dish { name: "Spaghetti Carbonara", price_cents: 1_000..=1_400 },
    Dish { name: "Lasagna", price_cents: 1_050..=1_450 },
    Dish { name: "Chicken Curry", price_cents: 950..=1_350 },
    Dish { name: "Pad Thai", price_cents: 950..=1_300 },
    Dish { name: "Sushi Rolls", price_cents: 1_000..=1_500 },
    Dish { name: "Beef Tacos", price_cents: 750..=1_100 },
    Dish { name: "Burrito Bowl", price_cents: 850..=1_250 },
    Dish { name: "Tomato Soup", price_cents: 450..=700 },
    Dish { name: "French Fries", price_cents: 300..=500 },
    Dish { name: "Garlic Bread", price_cents: 350..=550 },
    Dish { name: "Tiramisu", price_cents: 550..=800 },
    Dish { name: "Lemonade", price_cents: 250..=400 },
    Dish { name: "Mineral Water", price_cents: 200..=300 },
];

const MAX_ITEMS: u64 = 4;
const MAX_QUANTITY: u64 = 3;

/// The order with this id: who orders what follows from the seed and the id, so that whoever writes it again writes the same bytes.
pub fn order(seed: u64, order_id: OrderId, created_at: Timestamp) -> FoodOrder {
    // Several small numbers from one hash: its digits in a mixed radix. One order uses some 90 of the 128 bits.
    let mut digits = hash_of(&[&seed.to_string(), order_id.as_str(), "menu"]);
    let mut below = |limit: u64| {
        let digit = digits % u128::from(limit);
        digits /= u128::from(limit);
        digit as u64
    };
    let customer_id = format!("CUST-{:05}", 1 + below(CUSTOMERS));
    let mut items = Vec::<FoodItem>::new();
    for _ in 0..=below(MAX_ITEMS) {
        let Dish { name, price_cents } = &DISHES[below(DISHES.len() as u64) as usize];
        let quantity = 1 + below(MAX_QUANTITY) as u32;
        let price = price_cents.start() + below(price_cents.end() - price_cents.start() + 1);
        // An order names each dish once.
        if items.iter().all(|item| item.name != *name) {
            items.push(FoodItem { name: (*name).to_owned(), quantity, price: Cents::new(price) });
        }
    }
    let total_amount = items.iter().map(|item| item.price * item.quantity).sum();
    FoodOrder { order_id, customer_id, items, total_amount, created_at }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use events::Event;

    use super::*;

    fn orders(seed: u64) -> Vec<FoodOrder> {
        let id = |n: u64| OrderId::parse(&format!("ORD-20260101-{n:05}")).unwrap();
        (0..5_000).map(|n| order(seed, id(n), Timestamp::BASE)).collect()
    }

    #[test]
    fn n01_a_hundred_customers_order_twenty_dishes() {
        let orders = orders(7);
        let customers: BTreeSet<&str> = orders.iter().map(|order| order.customer_id.as_str()).collect();
        let expected: Vec<String> = (1..=100).map(|n| format!("CUST-{n:05}")).collect();
        assert_eq!(customers.into_iter().collect::<Vec<_>>(), expected);
        let items = || orders.iter().flat_map(|order| &order.items);
        let names: BTreeSet<&str> = items().map(|item| item.name.as_str()).collect();
        assert_eq!(names, DISHES.iter().map(|dish| dish.name).collect());
        let quantities: BTreeSet<u32> = items().map(|item| item.quantity).collect();
        let sizes: BTreeSet<usize> = orders.iter().map(|order| order.items.len()).collect();
        assert_eq!((quantities, sizes), (BTreeSet::from([1, 2, 3]), BTreeSet::from([1, 2, 3, 4])));
    }

    #[test]
    fn n01_each_dish_has_a_name_of_its_own_and_costs_between_2_and_15_dollars() {
        let names: BTreeSet<&str> = DISHES.iter().map(|dish| dish.name).collect();
        assert_eq!(names.len(), 20);
        for Dish { name, price_cents } in &DISHES {
            assert!(price_cents.start() < price_cents.end(), "{name}");
            assert!(*price_cents.start() >= 200 && *price_cents.end() <= 1_500, "{name}");
        }
        for item in orders(7).iter().flat_map(|order| &order.items) {
            assert!((Cents::new(200)..=Cents::new(1_500)).contains(&item.price), "{item:?}");
        }
    }

    #[test]
    fn n01_an_order_follows_from_seed_and_id_and_is_valid() {
        assert_eq!(orders(7), orders(7));
        assert_ne!(orders(7)[0].items, orders(8)[0].items);
        for order in orders(7) {
            assert_eq!(FoodOrder::check(&order.encode()).as_ref(), Ok(&order));
            let sum: Cents = order.items.iter().map(|item| item.price * item.quantity).sum();
            assert_eq!(order.total_amount, sum);
        }
    }
}
