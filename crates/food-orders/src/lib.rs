//! Food orders: who orders what, under which number.
//!
//! Pure: where numbers come from, when an order is due and where it is stored is a host's work. What makes an order valid stands with its
//! wire type, [`events::food`]. Start with [`food_consumer`].

pub mod food_consumer; // food-orders -> a row each
pub mod food_producer; // nothing -> food-orders, food-order-numbers
pub mod menu; // customers, dishes, and orders of them
pub mod number; // numbers that no two orders share

mod comparison; // topic and table, beside each other
mod flow; // what the audit knows of food orders
mod services; // the consumer by its name, on a table

pub use comparison::Comparison;
pub use flow::FoodFlow;
pub use services::services;
