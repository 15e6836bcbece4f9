//! What is remembered of orders, compactly: there may be millions.

use std::hash::{BuildHasherDefault, Hasher};

use events::EventId;

use super::OrderKey;

/// A map by order. Its order is never observed: it is looked up, counted and summed, nothing else.
#[expect(clippy::disallowed_types, reason = "hashed by the order's key itself, which is specified; never iterated in its order")]
pub(super) type Map<V> = std::collections::HashMap<OrderKey, V, BuildHasherDefault<KeyHasher>>;

/// An order's key is a hash already.
#[derive(Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// A record that was seen, in eight bytes: 44 bits of its event id, which tell it from the order's other records (with ten
/// million orders of four records, two are confused with a chance of 4 in a million), and 20 of its content (other bytes go
/// unnoticed once in a million).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen(u64);

/// What a record is beside those seen of its order.
pub(super) enum Sighting {
    First,
    Again,
    OtherBytes,
}

impl Seen {
    const CONTENT_BITS: u32 = 20;
    const CONTENT: u64 = (1 << Self::CONTENT_BITS) - 1;

    pub(super) fn of(event_id: EventId, content: u128) -> Self {
        // The lowest bits of an id are all hash; its version and variant stand higher up.
        Self((event_id.as_u128() as u64) << Self::CONTENT_BITS | content as u64 & Self::CONTENT)
    }

    pub(super) fn among(self, seen: &[Self]) -> Sighting {
        if seen.contains(&self) {
            Sighting::Again
        } else if seen.iter().any(|other| (self.0 ^ other.0) & !Self::CONTENT == 0) {
            Sighting::OtherBytes
        } else {
            Sighting::First
        }
    }
}

/// The orders whose case is closed, and the records they had.
#[derive(Default)]
pub(super) struct Closed {
    index: Map<Place>,
    /// Chunks that never move: one growing list would need twice its size while it grows.
    chunks: Vec<Vec<Seen>>,
}

/// Where an order's records stand.
#[derive(Clone, Copy)]
struct Place {
    chunk: u32,
    start: u16,
    len: u16,
}

impl Closed {
    const CHUNK: usize = 1 << 15;

    pub(super) fn insert(&mut self, order: OrderKey, seen: &[Seen]) {
        if self.chunks.last().is_none_or(|chunk| chunk.len() + seen.len() > Self::CHUNK) {
            self.chunks.push(Vec::with_capacity(Self::CHUNK.max(seen.len())));
        }
        let chunk = self.chunks.len() - 1;
        let records = &mut self.chunks[chunk];
        // Starts stay below CHUNK and an order has few records, so both fit.
        let place = Place { chunk: chunk as u32, start: records.len() as u16, len: seen.len() as u16 };
        records.extend_from_slice(seen);
        self.index.insert(order, place);
    }

    pub(super) fn contains(&self, order: OrderKey) -> bool {
        self.index.contains_key(&order)
    }

    pub(super) fn seen(&self, order: OrderKey) -> &[Seen] {
        let Some(place) = self.index.get(&order) else { return &[] };
        let start = usize::from(place.start);
        &self.chunks[place.chunk as usize][start..start + usize::from(place.len)]
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }
}
