//! What a record says: the wire types, encoded and decoded explicitly, byte for byte.
//!
//! An event is one JSON object. Encoding is canonical (fixed field order, no blanks, amounts with two decimals, times in
//! UTC with milliseconds), so that equal events are equal bytes; the golden files under `tests/golden` hold one of each.
//! Decoding is strict where it protects (types, ranges, sizes) and passes over unknown fields, so that a newer writer
//! does not break an older reader.
//!
//! Start with [`shop::OrderPlaced`]; the others have its shape.

pub mod food; // an order of food
pub mod saga; // orders that are paid and reserved, or undone
pub mod shop; // the events of the five services
pub mod wire; // JSON in and out, with errors that name the field

mod envelope; // what a log line says of a record
mod identity; // ids: an order's, an event's
mod money; // integer cents
mod timestamp; // RFC 3339, UTC, milliseconds
mod topic; // where a record stands

use wire::Fields;

pub use envelope::Envelope;
pub use identity::{EventId, OrderId, hash_of, hash64_of};
pub use money::{Cents, SignedCents};
pub use timestamp::Timestamp;
pub use topic::Topic;
pub use wire::DecodeError;

/// One kind of event: its type, its topic, its bytes.
pub trait Event: Sized {
    /// The value of the field `event_type`.
    const EVENT_TYPE: &'static str;
    /// The one topic on which this event is published.
    const TOPIC: Topic;

    /// The correlation id: the same in every event about one order.
    fn order_id(&self) -> &OrderId;

    /// The record's key, which decides the partition: events about one order keep their order.
    fn key(&self) -> &[u8] {
        self.order_id().as_str().as_bytes()
    }

    /// The event's identity, by which consumers recognise a redelivery.
    fn event_id(&self) -> EventId {
        EventId::of(self.order_id(), Self::EVENT_TYPE, "", 1)
    }

    /// The canonical bytes.
    fn encode(&self) -> Vec<u8>;

    /// Takes an event from its fields; that they are of this type is known.
    ///
    /// # Errors
    /// The first field that is missing, of another type or out of its range: its name, what was found, what is allowed.
    fn read(fields: Fields<'_, '_>) -> Result<Self, DecodeError>;

    /// Reads an event.
    ///
    /// # Errors
    /// Where the value is no object or of another type; what [`Event::read`] refuses.
    fn decode(value: &[u8]) -> Result<Self, DecodeError> {
        Fields::read(value, |fields| {
            fields.expect("event_type", Self::EVENT_TYPE)?;
            Self::read(fields)
        })
    }
}
