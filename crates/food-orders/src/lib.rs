//! Food orders: who orders what, under which number.
//!
//! Pure: where numbers come from, when an order is due and where it is stored is a host's work. What makes an order valid stands with its
//! wire type, [`events::food`]. Start with [`food_consumer`].

pub mod food_consumer; // food-orders -> a row each
pub mod menu; // customers, dishes, and orders of them
pub mod number; // numbers that no two orders share
