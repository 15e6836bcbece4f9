use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use events::{OrderId, Timestamp};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{EventStore, RowKey, RowStore, Rows, Standing, StoreError, StoredEvent, Unfinished};

/// A map that is looked up far more often than it is listed, and is sorted where it is.
#[expect(
    clippy::disallowed_types,
    reason = "hashed by a specified function; listed in the order of its keys, never in its own"
)]
type Map<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<KeyHasher>>;

/// Hashes a key by its bytes: the 64-bit xxh3.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Streams in memory.
#[derive(Debug, Default)]
pub struct MemoryEvents(Mutex<Streams>);

#[derive(Debug, Default)]
struct Streams {
    streams: Map<OrderId, Stream>,
    /// Those that have not ended, by when they are due.
    due: BTreeSet<(Timestamp, OrderId)>,
    stuck: u64,
}

#[derive(Debug, Default)]
struct Stream {
    events: Vec<StoredEvent>,
    standing: Option<Standing>,
}

impl Streams {
    fn length(&self, stream: &OrderId) -> usize {
        self.streams.get(stream).map_or(0, |stream| stream.events.len())
    }

    fn restate(&mut self, id: &OrderId, standing: Option<Standing>) {
        let Some(stream) = self.streams.get_mut(id).filter(|stream| stream.standing != standing) else { return };
        let before = std::mem::replace(&mut stream.standing, standing);
        if let Some(before) = before {
            self.due.remove(&(before.due_at, id.clone()));
            self.stuck -= u64::from(before.is_stuck);
        }
        if let Some(standing) = standing {
            self.due.insert((standing.due_at, id.clone()));
            self.stuck += u64::from(standing.is_stuck);
        }
    }
}

impl MemoryEvents {
    /// Whoever panicked has appended all or nothing: what is there holds.
    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventStore for MemoryEvents {
    fn load(&self, stream: &OrderId) -> Result<Vec<StoredEvent>, StoreError> {
        Ok(self.streams().streams.get(stream).map(|stream| stream.events.clone()).unwrap_or_default())
    }

    fn append(
        &self,
        stream: &OrderId,
        version: usize,
        events: &[StoredEvent],
        standing: Option<Standing>,
    ) -> Result<(), StoreError> {
        let mut streams = self.streams();
        if streams.length(stream) != version {
            return Err(StoreError::Conflict);
        }
        streams.streams.entry(stream.clone()).or_default().events.extend_from_slice(events);
        streams.restate(stream, standing);
        Ok(())
    }

    fn due(&self, now: Timestamp, horizon: Timestamp, limit: usize) -> Result<Vec<OrderId>, StoreError> {
        let streams = self.streams();
        let due = streams.due.iter().take_while(|(due_at, _)| *due_at <= now);
        let ahead = streams.due.iter().rev().take_while(|(due_at, _)| *due_at > horizon);
        Ok(due.chain(ahead).take(limit).map(|(_, stream)| stream.clone()).collect())
    }

    fn unfinished(&self) -> Result<Unfinished, StoreError> {
        let streams = self.streams();
        Ok(Unfinished { all: streams.due.len() as u64, stuck: streams.stuck })
    }

    fn streams(&self, after: Option<&OrderId>, limit: usize) -> Result<Vec<OrderId>, StoreError> {
        let streams = self.streams();
        let mut behind: Vec<&OrderId> =
            streams.streams.keys().filter(|stream| after.is_none_or(|after| *stream > after)).collect();
        // The first ones alone are sorted: whoever wants all of them asks page by page.
        if behind.len() > limit {
            behind.select_nth_unstable(limit);
            behind.truncate(limit);
        }
        behind.sort_unstable();
        Ok(behind.into_iter().cloned().collect())
    }

    fn restate(&self, stream: &OrderId, version: usize, standing: Option<Standing>) -> Result<(), StoreError> {
        let mut streams = self.streams();
        if streams.length(stream) != version {
            return Err(StoreError::Conflict);
        }
        streams.restate(stream, standing);
        Ok(())
    }
}

/// Rows in memory.
#[derive(Debug, Default)]
pub struct MemoryRows(Mutex<BTreeMap<&'static str, Map<String, String>>>);

impl MemoryRows {
    /// A change is written in one piece after it was thought through: whoever panicked has written nothing.
    fn tables(&self) -> MutexGuard<'_, BTreeMap<&'static str, Map<String, String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RowStore for MemoryRows {
    fn update(&self, keys: &[RowKey], change: &mut dyn FnMut(&mut Rows)) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let row = |(table, key): &RowKey| tables.get(table).and_then(|rows| rows.get(key)).cloned();
        let mut rows: Rows = keys.iter().map(|key| (key.clone(), row(key))).collect();
        change(&mut rows);
        for ((table, key), row) in rows {
            if !keys.iter().any(|(asked, name)| (*asked, name) == (table, &key)) {
                continue;
            }
            let rows = tables.entry(table).or_default();
            match row {
                Some(row) => rows.insert(key, row),
                None => rows.remove(&key),
            };
        }
        Ok(())
    }

    fn table(&self, table: &'static str) -> Result<BTreeMap<String, String>, StoreError> {
        let tables = self.tables();
        Ok(tables.get(table).into_iter().flatten().map(|(key, row)| (key.clone(), row.clone())).collect())
    }
}
