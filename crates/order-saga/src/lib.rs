//! The saga: orders that are paid and reserved, or undone without a trace.
//!
//! Pure: events in, events out. An order begins valid ([`order_service`]); its [`saga`] then asks for payment and reservation at once,
//! and comes to exactly one end, whatever the two answer, and whenever. Start there.

pub mod books; // do money, stock and e-mails add up?
pub mod catalogue; // what there is to order, and orders of it
pub mod history; // its past, event by event; what is kept beside, made anew
pub mod inventory_service; // conditional reservations, all of an order or none
pub mod notification_service; // e-mails, each once
pub mod order_orchestrator; // the saga as a service: a record in, what follows from it out
pub mod order_service; // is it an order at all?
pub mod outside; // the payment gateway and the mailer, simulated
pub mod payment_service; // charges once, refunds once
pub mod saga; // decide and evolve: one saga an order
pub mod stored; // its events as a store keeps them

mod flow; // what the audit knows of the saga
mod leg; // how far a participant's part is
mod services; // the handlers by name, with their settings
#[cfg(test)]
mod still; // a clock for tests

pub use flow::{Outcomes, SagaFlow};
pub use leg::{Leg, Participant, Question};
pub use services::{Ground, SagaServices};
