//! JSON in and out.
//!
//! [`Writer`] writes canonical bytes. [`Fields`] reads an object strictly, field by field, and every refusal is a
//! [`DecodeError`] that names the field, what was found and what is allowed.

use std::fmt::Display;

pub use fields::{Fields, MAX_VALUE_BYTES};
pub use writer::Writer;

mod fields; // an object's fields, by name and with their ranges
mod value; // JSON that borrows from the record
mod writer; // canonical bytes

/// Why a value was refused: which field, what was found, what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: found {found}, allowed {allowed}")]
pub struct DecodeError {
    field: String,
    found: String,
    allowed: String,
}

impl DecodeError {
    /// An error at `field`; what was found is shortened to fit a log line.
    pub fn new(field: &str, found: impl Display, allowed: impl Display) -> Self {
        const SHOWN_CHARS: usize = 60;
        let mut found = found.to_string();
        if let Some((cut, _)) = found.char_indices().nth(SHOWN_CHARS) {
            found.truncate(cut);
            found.push('…');
        }
        Self { field: field.to_owned(), found, allowed: allowed.to_string() }
    }

    /// The same error, one level further out: `quantity` within `items[1]` is `items[1].quantity`.
    pub(crate) fn within(mut self, list: &str, index: usize) -> Self {
        self.field = format!("{list}[{index}].{}", self.field);
        self
    }
}
