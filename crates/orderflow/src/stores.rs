//! Where the saga keeps what it knows: in the database at `DATABASE_URL`, or in memory.

use std::sync::Arc;

use messaging::store::{EventStore, MemoryEvents, MemoryRows, RowStore};
use postgres_store::Store;

use crate::Error;

/// The variable that names the database: `postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full&sslrootcert=FILE`. No option
/// takes its place: a password on a command line would be seen by everybody on the machine.
const DATABASE_URL: &str = "DATABASE_URL";

/// A store of streams and one of rows.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) events: Arc<dyn EventStore>,
    pub(crate) rows: Arc<dyn RowStore>,
}

impl Stores {
    /// In memory: gone with the process, and known to no other.
    pub(crate) fn in_memory() -> Result<Self, Error> {
        Ok(Self { events: Arc::new(MemoryEvents::default()), rows: Arc::new(MemoryRows::default()) })
    }

    /// In the database that the environment names; else in memory.
    ///
    /// # Errors
    /// Where it does not answer or is no database of ours.
    pub(crate) fn of_environment() -> Result<Self, Error> {
        Self::of_environment_or_tell(|| {})
    }

    /// The same, which lets somebody know where it is in memory.
    ///
    /// # Errors
    /// As [`Stores::of_environment`].
    pub(crate) fn of_environment_or_tell(tell: impl FnOnce()) -> Result<Self, Error> {
        if let Some(store) = open()? {
            return Ok(Self { events: Arc::new(store.events()), rows: Arc::new(store.rows()) });
        }
        tell();
        Self::in_memory()
    }

    /// In the database that the environment names.
    ///
    /// # Errors
    /// Where it names none, or that does not answer or is no database of ours.
    pub(crate) fn in_database() -> Result<Self, Error> {
        if url().is_none() {
            let example = "postgres://localhost/orderflow";
            return Err(Error::Usage(format!(
                "{DATABASE_URL} is not set: name the services' database, such as {example}"
            )));
        }
        Self::of_environment()
    }
}

/// The database that the environment names, if it names one.
///
/// # Errors
/// Where it does not answer or is no database of ours.
pub(crate) fn open() -> Result<Option<Store>, Error> {
    url().map(|url| Store::open(&url).map_err(|error| Error::Usage(format!("{DATABASE_URL}: {error}")))).transpose()
}

fn url() -> Option<String> {
    std::env::var(DATABASE_URL).ok().filter(|url| !url.is_empty())
}
