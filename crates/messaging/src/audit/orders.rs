//! What is remembered of orders, compactly: there may be millions.

use std::hash::{BuildHasherDefault, Hasher};

use events::EventId;

use super::{Marks, OrderKey};

/// A map by order. Its order is never observed: it is looked up, counted and summed, nothing else.
#[expect(
    clippy::disallowed_types,
    reason = "hashed by the order's key itself, which is specified; never iterated in its order"
)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// What was seen of the order.
    marks: Marks,
}

impl Closed {
    const CHUNK: usize = 1 << 15;

    pub(super) fn insert(&mut self, order: OrderKey, seen: &[Seen], marks: Marks) {
        if self.chunks.last().is_none_or(|chunk| chunk.len() + seen.len() > Self::CHUNK) {
            self.chunks.push(Vec::with_capacity(Self::CHUNK.max(seen.len())));
        }
        let chunk = self.chunks.len() - 1;
        let records = &mut self.chunks[chunk];
        // Starts stay below CHUNK and an order has few records, so both fit.
        let place = Place { chunk: chunk as u32, start: records.len() as u16, len: seen.len() as u16, marks };
        records.extend_from_slice(seen);
        self.index.insert(order, place);
    }

    pub(super) fn contains(&self, order: OrderKey) -> bool {
        self.index.contains_key(&order)
    }

    /// What was seen of an order, if its case is closed.
    pub(super) fn marks(&self, order: OrderKey) -> Option<Marks> {
        self.index.get(&order).map(|place| place.marks)
    }

    /// Adds a record that followed. The others are written down once more: few orders have such records.
    pub(super) fn follow(&mut self, order: OrderKey, seen: Seen, marks: Marks) {
        let mut all = self.seen(order).to_vec();
        all.push(seen);
        self.insert(order, &all, marks);
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

#[cfg(test)]
mod tests {
    use events::OrderId;

    use super::*;

    fn event_id(attempt: u32) -> EventId {
        EventId::of(&OrderId::parse("7f3a").unwrap(), "order_placed", "", attempt)
    }

    fn order(number: usize) -> OrderKey {
        OrderKey::of(number.to_string().as_bytes())
    }

    fn records(count: usize) -> Vec<Seen> {
        (0..count).map(|record| Seen(record as u64)).collect()
    }

    #[test]
    fn a_record_is_told_from_those_of_its_order_by_id_and_then_by_content() {
        let check = |event_id, content, expected| {
            let seen = [Seen::of(self::event_id(2), 5), Seen::of(self::event_id(1), 5)];
            assert_eq!(Seen::of(event_id, content).among(&seen), expected, "{event_id} {content}");
        };
        check(event_id(1), 5, Sighting::Again);
        check(event_id(1), 6, Sighting::OtherBytes);
        check(event_id(3), 5, Sighting::First);
        assert_eq!(Seen::of(event_id(1), 5).among(&[]), Sighting::First);
    }

    #[test]
    fn content_is_compared_in_its_lowest_20_bits_and_never_reaches_into_the_id() {
        let of = |content| Seen::of(event_id(1), content);
        assert_eq!(of(5).among(&[of(5 | 1 << 19)]), Sighting::OtherBytes);
        assert_eq!(of(5).among(&[of(5 | 1 << 20)]), Sighting::Again);
        assert_eq!(of(0).among(&[of(u128::MAX)]), Sighting::OtherBytes);
    }

    #[test]
    fn closed_orders_give_back_their_records_across_the_bounds_of_chunks() {
        let sizes = [3, 0, Closed::CHUNK - 4, 1, 1, 0, Closed::CHUNK, 0, Closed::CHUNK + 1, 2];
        let mut closed = Closed::default();
        for (number, &size) in sizes.iter().enumerate() {
            assert!(!closed.contains(order(number)));
            closed.insert(order(number), &records(size), Marks::NONE);
        }
        for (number, &size) in sizes.iter().enumerate() {
            assert!(closed.contains(order(number)));
            assert_eq!(closed.seen(order(number)), records(size), "order {number} with {size} records");
        }
        assert_eq!(closed.len(), sizes.len());
        // 3 + 0 + (CHUNK - 4) + 1 fill the first to its last place.
        let lens: Vec<usize> = closed.chunks.iter().map(Vec::len).collect();
        assert_eq!(lens, [Closed::CHUNK, 1, Closed::CHUNK, Closed::CHUNK + 1, 2]);
    }

    #[test]
    fn chunks_are_filled_without_ever_growing() {
        let mut closed = Closed::default();
        for number in 0..20_000 {
            closed.insert(order(number), &records(4), Marks::NONE);
        }
        assert!(closed.chunks.iter().all(|chunk| chunk.capacity() == Closed::CHUNK));
    }

    #[test]
    fn an_order_that_was_never_closed_has_no_records() {
        let closed = Closed::default();
        assert!(!closed.contains(order(1)));
        assert_eq!(closed.seen(order(1)), []);
    }

    #[test]
    fn a_key_is_its_own_hash_and_other_bytes_are_hashed_by_their_order() {
        let hash = |write: &dyn Fn(&mut KeyHasher)| {
            let mut hasher = KeyHasher::default();
            write(&mut hasher);
            hasher.finish()
        };
        assert_eq!(hash(&|hasher| hasher.write_u64(7)), 7);
        assert_ne!(hash(&|hasher| hasher.write(b"ab")), hash(&|hasher| hasher.write(b"ba")));
    }
}
