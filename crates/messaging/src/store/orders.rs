use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use events::{Cents, OrderId, Timestamp};

use super::StoreError;

/// An order as a table keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredOrder {
    /// The order: there is one row of it.
    pub order_id: OrderId,
    /// Who ordered.
    pub customer_id: String,
    /// What was ordered: a JSON array, without the character NUL in its texts.
    pub items: String,
    /// What the customer pays, more than nothing.
    pub total_amount: Cents,
    /// How far the order is.
    pub status: String,
    /// When it was ordered.
    pub created_at: Timestamp,
}

/// What became of an order that was to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storing {
    /// It stands there now.
    New,
    /// It stood there before, as it is.
    Known,
    /// Another order stands there under its id, and stays.
    Other,
    /// The table takes no such order, however often it is tried: why.
    Refused(String),
}

/// A table of orders. Several consumers may share one.
pub trait OrderTable: Send + Sync {
    /// Stores orders, each id once; answers what became of each, in their order. One that is refused keeps no other one out.
    ///
    /// # Errors
    /// [`StoreError::Away`], after which some of them may stand there all the same.
    fn store(&self, orders: &[StoredOrder]) -> Result<Vec<Storing>, StoreError>;

    /// Orders behind one, in the order of their ids, `limit` at most: all of them, page by page.
    ///
    /// # Errors
    /// [`StoreError::Away`].
    fn orders(&self, after: Option<&OrderId>, limit: usize) -> Result<Vec<StoredOrder>, StoreError>;
}

/// Orders in memory: gone with the process.
#[derive(Debug, Default)]
pub struct MemoryOrders(Mutex<BTreeMap<OrderId, StoredOrder>>);

impl OrderTable for MemoryOrders {
    fn store(&self, orders: &[StoredOrder]) -> Result<Vec<Storing>, StoreError> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let storing = |order: &StoredOrder| match table.get(&order.order_id) {
            Some(there) if there == order => Storing::Known,
            Some(_) => Storing::Other,
            None => {
                table.insert(order.order_id.clone(), order.clone());
                Storing::New
            }
        };
        Ok(orders.iter().map(storing).collect())
    }

    fn orders(&self, after: Option<&OrderId>, limit: usize) -> Result<Vec<StoredOrder>, StoreError> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = table.values().filter(|order| after.is_none_or(|after| order.order_id > *after));
        Ok(behind.take(limit).cloned().collect())
    }
}
