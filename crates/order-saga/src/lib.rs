//! The saga: orders that are paid and reserved, or undone without a trace.
//!
//! Pure: events in, events out. An order begins valid ([`order_service`]); the [`orchestrator`] then asks for its payment and its
//! reservation at once, and brings it to exactly one end, whatever the two answer, and whenever. Start there.

pub mod inventory_service; // conditional reservations, all of an order or none
pub mod orchestrator; // decide and evolve: one saga an order
pub mod order_service; // is it an order at all?
pub mod payment_service; // charges once, refunds once

mod leg; // how far a participant's part is

pub use leg::{Leg, Participant};
