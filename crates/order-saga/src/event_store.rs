//! Where streams are kept: an order's events, in their order, and nothing else of its saga.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use events::OrderId;

use crate::saga::SagaEvent;

/// Streams of events, one an order. Several orchestrators may share one.
pub trait EventStore: Send + Sync {
    /// An order's events; none where it has not begun.
    ///
    /// # Errors
    /// [`StoreError::Away`].
    fn load(&self, order_id: &OrderId) -> Result<Vec<SagaEvent>, StoreError>;

    /// Appends events behind the first `version` ones of an order, all or none of them.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the stream has another length by now; [`StoreError::Away`], after which they may stand there all the same.
    fn append(&self, order_id: &OrderId, version: usize, events: &[SagaEvent]) -> Result<(), StoreError>;
}

/// Why a stream was not read or not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else has appended since it was read: read it again, and decide anew.
    #[error("the stream has grown since it was read")]
    Conflict,
    /// The store does not answer; it may later.
    #[error("the event store is away: {0}")]
    Away(String),
}

/// Streams in memory: gone with the process.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<BTreeMap<OrderId, Vec<SagaEvent>>>);

impl MemoryStore {
    /// Whoever panicked has appended all or nothing: what is there holds.
    fn streams(&self) -> MutexGuard<'_, BTreeMap<OrderId, Vec<SagaEvent>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventStore for MemoryStore {
    fn load(&self, order_id: &OrderId) -> Result<Vec<SagaEvent>, StoreError> {
        Ok(self.streams().get(order_id).cloned().unwrap_or_default())
    }

    fn append(&self, order_id: &OrderId, version: usize, events: &[SagaEvent]) -> Result<(), StoreError> {
        let mut streams = self.streams();
        let stream = streams.entry(order_id.clone()).or_default();
        if stream.len() != version {
            return Err(StoreError::Conflict);
        }
        stream.extend_from_slice(events);
        Ok(())
    }
}
