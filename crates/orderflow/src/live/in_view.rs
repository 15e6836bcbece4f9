use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kafka_transport::Connection;

/// The cluster that is looked at. A run moves on from one embedded cluster to the next; a clone sees the same one.
#[derive(Clone, Default)]
pub(crate) struct InView(Arc<Mutex<Option<Connection>>>);

impl InView {
    /// One that stays.
    pub(crate) fn of(connection: &Connection) -> Self {
        let this = Self::default();
        this.turn_to(connection.clone());
        this
    }

    /// From now on it is this one.
    pub(crate) fn turn_to(&self, connection: Connection) {
        *self.lock() = Some(connection);
    }

    /// None yet, where it is still to be started.
    pub(crate) fn connection(&self) -> Option<Connection> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
