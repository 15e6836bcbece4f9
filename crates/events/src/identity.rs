//! Ids are hashes: the same order gives the same ids on every host, in every run, at every redelivery.

use std::fmt;

use uuid::Uuid;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::{DecodeError, Timestamp};

/// Separates the parts of a hashed identity; no id and no name can contain it.
const UNIT_SEPARATOR: u8 = 0x1F;

/// The 128-bit xxh3 (seed 0) of the parts, joined by the byte 0x1F.
pub fn hash_of(parts: &[&str]) -> u128 {
    joined(parts, xxh3_128)
}

/// The 64-bit xxh3 (seed 0) of the parts, joined by the byte 0x1F.
pub fn hash64_of(parts: &[&str]) -> u64 {
    joined(parts, xxh3_64)
}

/// Joins the parts on the stack, where they nearly always fit: every record is hashed several times.
fn joined<T>(parts: &[&str], hash: fn(&[u8]) -> T) -> T {
    let mut bytes = [UNIT_SEPARATOR; 256];
    let mut end = 0;
    for (index, part) in parts.iter().enumerate() {
        let start = end + usize::from(index > 0);
        end = start + part.len();
        let Some(place) = bytes.get_mut(start..end) else { return hash(parts.join("\u{1f}").as_bytes()) };
        place.copy_from_slice(part.as_bytes());
    }
    hash(&bytes[..end])
}

/// An order's id: the correlation id of every event about it, and their key.
///
/// 1 to 64 characters of `A-Z a-z 0-9 . _ : -`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(Box<str>);

impl OrderId {
    /// What [`OrderId::parse`] accepts, in words.
    pub const ALLOWED: &'static str = "1 to 64 characters of A-Z a-z 0-9 . _ : -";

    /// The id of the `n`-th order of a seed: a hash of (seed, base time, n), written as a UUID (version 8, RFC 9562).
    pub fn generated(seed: u64, base_time: Timestamp, n: u64) -> Self {
        let hash = hash_of(&[&seed.to_string(), &base_time.as_ms().to_string(), &n.to_string()]);
        Self(uuid(hash).to_string().into())
    }

    /// The id of a numbered order of a day: `ORD-20260101-00042`, with more digits where the number has more than five.
    pub fn numbered(day: Timestamp, number: u64) -> Self {
        let day: String = day.to_string().bytes().take(10).filter(u8::is_ascii_digit).map(char::from).collect();
        Self(format!("ORD-{day}-{number:05}").into())
    }

    /// Takes an id as it stands in a record.
    ///
    /// # Errors
    /// Where it is not [`OrderId::ALLOWED`].
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        if is_identifier(text) {
            Ok(Self(text.into()))
        } else {
            Err(DecodeError::new("order_id", format_args!("{text:?}"), Self::ALLOWED))
        }
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The rule of all our ids: 1 to 64 characters of `A-Z a-z 0-9 . _ : -`.
pub(crate) fn is_identifier(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| IS_ALLOWED[usize::from(byte)])
}

/// Each byte's answer, looked up: ids are checked in every field of every record.
static IS_ALLOWED: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        allowed[byte] = (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'.' | b'_' | b':' | b'-');
        byte += 1;
    }
    allowed
};

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An event's id, which travels in the header `event_id`: a redelivered record has it again, so consumers can tell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Uuid);

impl EventId {
    /// The hash of (order id, event type, subject, attempt).
    ///
    /// - `subject`: the product of an event about one product, else empty.
    /// - `attempt`: the business attempt, 1 for the first; a redelivery never changes it.
    pub fn of(order_id: &OrderId, event_type: &str, subject: &str, attempt: u32) -> Self {
        if attempt == 1 {
            return Self(uuid(hash_of(&[order_id.as_str(), event_type, subject, "1"])));
        }
        Self(uuid(hash_of(&[order_id.as_str(), event_type, subject, &attempt.to_string()])))
    }

    /// Reads the header `event_id`; `None` where it is no UUID.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Uuid::try_parse_ascii(bytes).ok().map(Self)
    }

    /// The id as a number.
    pub const fn as_u128(self) -> u128 {
        self.0.as_u128()
    }

    /// The header's value: 36 characters.
    pub fn encode(self) -> [u8; 36] {
        let mut text = [0; 36];
        self.0.hyphenated().encode_lower(&mut text);
        text
    }
}

fn uuid(hash: u128) -> Uuid {
    uuid::Builder::from_custom_bytes(hash.to_be_bytes()).into_uuid()
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_id_depends_on_seed_base_time_and_number_only() {
        let base = Timestamp::from_ms(1_767_225_600_000).unwrap();
        let later = Timestamp::from_ms(1_767_225_600_001).unwrap();
        let id = OrderId::generated(7, base, 0);
        assert_eq!(id, OrderId::generated(7, base, 0));
        assert_ne!(id, OrderId::generated(8, base, 0));
        assert_ne!(id, OrderId::generated(7, later, 0));
        assert_ne!(id, OrderId::generated(7, base, 1));
        // Written down, so that a change of the scheme is seen: every digest would change with it.
        assert_eq!(id.as_str(), "943cbeac-d19b-8b9a-b516-0753f44eedb5");
    }

    #[test]
    fn an_event_id_depends_on_each_of_its_four_parts() {
        let id = OrderId::parse("7f3a").unwrap();
        let event = EventId::of(&id, "payment_result", "", 1);
        assert_eq!(event, EventId::of(&id, "payment_result", "", 1));
        assert_ne!(event, EventId::of(&OrderId::parse("7f3b").unwrap(), "payment_result", "", 1));
        assert_ne!(event, EventId::of(&id, "inventory_result", "", 1));
        assert_ne!(event, EventId::of(&id, "payment_result", "SKU-1", 1));
        assert_ne!(event, EventId::of(&id, "payment_result", "", 2));
    }

    #[test]
    fn the_parts_of_a_hash_do_not_run_into_each_other() {
        assert_ne!(hash_of(&["ab", "c"]), hash_of(&["a", "bc"]));
    }

    #[test]
    fn a_hash_is_that_of_the_joined_parts_however_long_they_are() {
        for length in [0, 1, 200, 253, 254, 255, 256, 1_000] {
            let part = "x".repeat(length);
            assert_eq!(hash_of(&[&part, "y"]), xxh3_128(format!("{part}\u{1f}y").as_bytes()), "{length}");
            assert_eq!(hash64_of(&[&part, "y"]), xxh3_64(format!("{part}\u{1f}y").as_bytes()), "{length}");
        }
    }

    #[test]
    fn an_event_id_reads_back_what_it_wrote() {
        let event = EventId::of(&OrderId::parse("7f3a").unwrap(), "payment_result", "", 1);
        assert_eq!(EventId::parse(&event.encode()), Some(event));
        assert_eq!(EventId::parse(b"not a uuid"), None);
    }

    #[test]
    fn an_order_id_refuses_what_could_break_a_log_or_a_path() {
        for bad in ["", "a b", "a/b", "a\u{1f}b", "\u{e9}"] {
            let error = OrderId::parse(bad).unwrap_err().to_string();
            assert_eq!(error, format!("order_id: found {bad:?}, allowed {}", OrderId::ALLOWED));
        }
        assert!(OrderId::parse(&"x".repeat(64)).is_ok());
        assert!(OrderId::parse(&"x".repeat(65)).is_err());
    }
}
