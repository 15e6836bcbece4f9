//! Stores in memory that fail when the simulation says so, before or after they have written.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use events::{OrderId, Timestamp};
use messaging::store::{
    EventStore, MemoryEvents, MemoryOrders, MemoryRows, OrderTable, RowKey, RowStore, Rows, Standing, StoreError,
    StoredEvent, StoredOrder, Storing, Unfinished,
};

/// When the next write fails. The simulation sets it; the stores look at it.
#[derive(Debug, Default)]
pub struct Trouble(Mutex<Option<Failure>>);

/// A write that is to fail.
#[derive(Clone, Copy, Debug)]
struct Failure {
    /// How many writes still succeed before it.
    after: u64,
    /// Whether it has written when it fails.
    takes_effect: bool,
}

impl Trouble {
    /// After so many writes one fails, as if the connection broke at its commit: before that took effect, or after.
    pub(crate) fn arm(&self, writes: u64, takes_effect: bool) {
        *self.due() = Some(Failure { after: writes, takes_effect });
    }

    /// No write fails.
    pub(crate) fn disarm(&self) {
        *self.due() = None;
    }

    fn due(&self) -> MutexGuard<'_, Option<Failure>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes, unless it is the one that fails.
    fn write<T>(&self, write: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let failure = self.due().take();
        match failure {
            None => write(),
            Some(Failure { after: 0, takes_effect }) => {
                if takes_effect {
                    write()?;
                }
                Err(StoreError::Away("the connection broke at the commit".into()))
            }
            Some(Failure { after, takes_effect }) => {
                self.arm(after - 1, takes_effect);
                write()
            }
        }
    }
}

/// Streams, rows and orders in memory, with their trouble.
#[derive(Debug, Default)]
pub struct Store {
    events: MemoryEvents,
    rows: MemoryRows,
    orders: MemoryOrders,
    trouble: Arc<Trouble>,
}

impl Store {
    /// What the simulation is to be told of, so that writes fail.
    pub fn trouble(&self) -> Arc<Trouble> {
        Arc::clone(&self.trouble)
    }
}

impl EventStore for Store {
    fn load(&self, stream: &OrderId) -> Result<Vec<StoredEvent>, StoreError> {
        self.events.load(stream)
    }

    fn append(
        &self,
        stream: &OrderId,
        version: usize,
        events: &[StoredEvent],
        standing: Option<Standing>,
    ) -> Result<(), StoreError> {
        self.trouble.write(|| self.events.append(stream, version, events, standing))
    }

    fn due(&self, now: Timestamp, horizon: Timestamp, limit: usize) -> Result<Vec<OrderId>, StoreError> {
        self.events.due(now, horizon, limit)
    }

    fn unfinished(&self) -> Result<Unfinished, StoreError> {
        self.events.unfinished()
    }

    fn streams(&self, after: Option<&OrderId>, limit: usize) -> Result<Vec<OrderId>, StoreError> {
        self.events.streams(after, limit)
    }

    fn restate(&self, stream: &OrderId, version: usize, standing: Option<Standing>) -> Result<(), StoreError> {
        self.events.restate(stream, version, standing)
    }
}

impl RowStore for Store {
    fn update(&self, keys: &[RowKey], change: &mut dyn FnMut(&mut Rows)) -> Result<(), StoreError> {
        self.trouble.write(|| self.rows.update(keys, change))
    }

    fn table(&self, table: &'static str) -> Result<BTreeMap<String, String>, StoreError> {
        self.rows.table(table)
    }
}

impl OrderTable for Store {
    fn store(&self, orders: &[StoredOrder]) -> Result<Vec<Storing>, StoreError> {
        self.trouble.write(|| self.orders.store(orders))
    }

    fn orders(&self, after: Option<&OrderId>, limit: usize) -> Result<Vec<StoredOrder>, StoreError> {
        self.orders.orders(after, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_write_fails_before_or_after_it_took_effect_and_the_others_succeed() {
        for takes_effect in [false, true] {
            let store = Store::default();
            store.trouble().arm(1, takes_effect);
            let write = |key: &str| {
                let key = ("stock", key.to_owned());
                store.update(std::slice::from_ref(&key), &mut |rows| drop(rows.insert(key.clone(), Some("1".into()))))
            };
            assert_eq!(["a", "b", "c"].map(|key| write(key).is_ok()), [true, false, true]);
            assert_eq!(store.table("stock").unwrap().contains_key("b"), takes_effect);
        }
    }
}
