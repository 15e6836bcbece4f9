//! The shop: five services that talk through topics only.
//!
//! Pure: records in, records out. How they travel is a host's work. Start with [`payment_processor`]; the others have its
//! shape. Who reads and writes which topic stands in `topology.json`.

pub mod inventory_manager; // order_placed -> inventory_result
pub mod notification_handler; // inventory_result, order_shipped, notifications -> nothing
pub mod order_generator; // (seed, base time, n) -> order_placed
pub mod payment_processor; // order_placed -> payment_result
pub mod shipping_handler; // payment_result -> order_shipped if paid, else notifications

mod flow; // what the audit knows of the shop
mod services; // the handlers by name, with their settings

pub use flow::{Outcomes, ShopFlow};
pub use services::{Rates, services, services_with};
