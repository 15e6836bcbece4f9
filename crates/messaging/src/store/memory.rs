use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use events::{OrderId, Timestamp};

use super::{EventStore, RowKey, RowStore, Rows, Standing, StoreError, StoredEvent, Unfinished};

/// Streams in memory.
#[derive(Debug, Default)]
pub struct MemoryEvents(Mutex<Streams>);

#[derive(Debug, Default)]
struct Streams {
    streams: BTreeMap<OrderId, (Vec<StoredEvent>, Option<Standing>)>,
    /// Those that have not ended, by when they are due.
    due: BTreeSet<(Timestamp, OrderId)>,
    stuck: u64,
}

impl Streams {
    fn length(&self, stream: &OrderId) -> usize {
        self.streams.get(stream).map_or(0, |(events, _)| events.len())
    }

    fn restate(&mut self, stream: &OrderId, standing: Option<Standing>) {
        let Some((_, before)) = self.streams.get_mut(stream) else { return };
        let before = std::mem::replace(before, standing);
        if let Some(before) = before {
            self.due.remove(&(before.due_at, stream.clone()));
            self.stuck -= u64::from(before.is_stuck);
        }
        if let Some(standing) = standing {
            self.due.insert((standing.due_at, stream.clone()));
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
        Ok(self.streams().streams.get(stream).map(|(events, _)| events.clone()).unwrap_or_default())
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
        streams.streams.entry(stream.clone()).or_default().0.extend_from_slice(events);
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
        let behind = |stream: &&OrderId| after.is_none_or(|after| *stream > after);
        Ok(streams.streams.keys().filter(behind).take(limit).cloned().collect())
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
pub struct MemoryRows(Mutex<BTreeMap<&'static str, BTreeMap<String, String>>>);

impl MemoryRows {
    /// A change is written in one piece after it was thought through: whoever panicked has written nothing.
    fn tables(&self) -> MutexGuard<'_, BTreeMap<&'static str, BTreeMap<String, String>>> {
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
        Ok(self.tables().get(table).cloned().unwrap_or_default())
    }
}
