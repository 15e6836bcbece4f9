//! What outlives a service: streams of events, rows that are changed together, and a table of orders.
//!
//! A store knows no system: events and rows are text to it, and the system's own code decides what they mean. Each trait has an
//! implementation in memory here and one in PostgreSQL elsewhere; one suite runs on both.

use std::collections::BTreeMap;

use events::{EventId, OrderId, Timestamp};

pub use memory::{MemoryEvents, MemoryRows};
pub use orders::{MemoryOrders, OrderTable, StoredOrder, Storing};

mod memory; // streams and rows in memory: gone with the process
mod orders; // a table of orders, and one in memory

/// Streams that are listed in one go.
const PAGE: usize = 10_000;

/// An event of a stream, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// What kind of event it is, such as `completed`.
    pub event_type: String,
    /// What it says: a JSON object.
    pub data: String,
    /// The id of the event that led to it.
    pub cause: EventId,
    /// When it happened: a time of the records, never the clock's.
    pub at: Timestamp,
    /// When it was stored, by the clock of whoever did: timers count from here.
    pub recorded_at: Timestamp,
}

/// Where an unfinished stream stands: what timers look at. It follows from its events, and is kept so that nobody reads them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// When something of it is overdue.
    pub due_at: Timestamp,
    /// Whether somebody should look.
    pub is_stuck: bool,
}

/// How many streams have not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// All of them.
    pub all: u64,
    /// Those at which somebody should look.
    pub stuck: u64,
}

/// Streams of events, one an order. Several services may share one.
pub trait EventStore: Send + Sync {
    /// An order's events, the first one first; none where it has not begun.
    ///
    /// # Errors
    /// [`StoreError::Away`].
    fn load(&self, stream: &OrderId) -> Result<Vec<StoredEvent>, StoreError>;

    /// Appends events behind the first `version` ones of a stream, all or none of them, and notes where it stands then: nowhere
    /// once it has ended.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the stream has another length by now; [`StoreError::Away`], after which they may stand there
    /// all the same.
    fn append(
        &self,
        stream: &OrderId,
        version: usize,
        events: &[StoredEvent],
        standing: Option<Standing>,
    ) -> Result<(), StoreError>;

    /// Streams that are due: those due first, `limit` at most.
    ///
    /// One that is due later than `horizon` was noted by a clock that ran ahead, and is due, too: no wait is that long.
    ///
    /// # Errors
    /// [`StoreError::Away`].
    fn due(&self, now: Timestamp, horizon: Timestamp, limit: usize) -> Result<Vec<OrderId>, StoreError>;

    /// How many streams have not ended.
    ///
    /// # Errors
    /// [`StoreError::Away`].
    fn unfinished(&self) -> Result<Unfinished, StoreError>;

    /// The streams behind one, in the order of their ids, `limit` at most: all of them, page by page.
    ///
    /// # Errors
    /// [`StoreError::Away`].
    fn streams(&self, after: Option<&OrderId>, limit: usize) -> Result<Vec<OrderId>, StoreError>;

    /// Shows each stream to `each`, in the order of their ids, until it breaks off.
    ///
    /// # Errors
    /// Those of `each`, and [`StoreError::Away`].
    fn each_stream(&self, each: &mut dyn FnMut(&OrderId) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.streams(after.as_ref(), PAGE)?;
            page.iter().try_for_each(&mut *each)?;
            match page.last() {
                Some(last) => after = Some(last.clone()),
                None => return Ok(()),
            }
        }
    }

    /// Notes anew where a stream of `version` events stands.
    ///
    /// # Errors
    /// As [`EventStore::append`].
    fn restate(&self, stream: &OrderId, version: usize, standing: Option<Standing>) -> Result<(), StoreError>;
}

/// Which row: its table, such as `stock`, and its key there.
pub type RowKey = (&'static str, String);

/// Rows by their keys; `None` where there is no such row.
pub type Rows = BTreeMap<RowKey, Option<String>>;

/// Rows that are read and changed together. Several services may share them.
pub trait RowStore: Send + Sync {
    /// Reads rows, lets `change` have its way with them, and writes what it changed: all of it or nothing, as if nobody else had
    /// written any of them in between. Rows that were not asked for are not written. `change` may be called again, with what stands
    /// there then.
    ///
    /// # Errors
    /// [`StoreError::Away`], after which the change may stand there all the same.
    fn update(&self, keys: &[RowKey], change: &mut dyn FnMut(&mut Rows)) -> Result<(), StoreError>;

    /// All rows of a table.
    ///
    /// # Errors
    /// [`StoreError::Away`].
    fn table(&self, table: &'static str) -> Result<BTreeMap<String, String>, StoreError>;
}

/// Why something was not read or not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else has appended since it was read: read it again, and decide anew.
    #[error("the stream has grown since it was read")]
    Conflict,
    /// The store does not answer; it may later.
    #[error("the store is away: {0}")]
    Away(String),
}
