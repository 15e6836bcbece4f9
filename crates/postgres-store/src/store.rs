use std::sync::Arc;

use messaging::store::StoreError;

use crate::database::{Database, Limits};
use crate::migrations::SAGA;
use crate::{Error, PostgresEvents, PostgresRows, url};

/// What the services of order-saga remember, in one database.
///
/// Its calls wait on the thread that makes them; not to be called from async code.
pub struct Store(Arc<Database>);

impl Store {
    /// Connects and brings the tables up to date, with the default [`Limits`].
    ///
    /// `url`: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, in the form of `DATABASE_URL`. Behind it `?sslmode=verify-full` asks
    /// the server for its certificate, by the system's authorities or `&sslrootcert=FILE` as well; without it TLS is used where the
    /// server offers it, and no certificate is looked at.
    ///
    /// # Errors
    /// A URL that is wrong, a database that is not reached, lets nobody in, or has other tables than this program knows.
    pub fn open(url: &str) -> Result<Self, Error> {
        Self::open_with(url, Limits::default())
    }

    /// As [`Store::open`], with other limits.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(url: &str, limits: Limits) -> Result<Self, Error> {
        SAGA.open(url, limits).map(Self)
    }

    /// The orders' streams.
    pub fn events(&self) -> PostgresEvents {
        PostgresEvents(Arc::clone(&self.0))
    }

    /// The participants' rows.
    pub fn rows(&self) -> PostgresRows {
        PostgresRows(Arc::clone(&self.0))
    }

    /// Forgets every stream and every row; the tables stay.
    ///
    /// # Errors
    /// [`StoreError::Away`], after which they may be forgotten all the same.
    pub fn reset(&self) -> Result<(), StoreError> {
        self.0.run("forget everything", async |connection| {
            sqlx::query("TRUNCATE saga.streams, saga.events, saga.rows").execute(connection).await.map(drop)
        })
    }

    /// Takes the tables away with all that is in them, and leaves the database as it was before the first [`Store::open`].
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn revert(url: &str) -> Result<(), Error> {
        SAGA.revert(&url::parse(url)?)
    }
}
