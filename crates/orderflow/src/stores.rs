//! Where systems keep what they know: in the database at `DATABASE_URL`, in memory, or in a database that ends with the run.

use std::sync::Arc;

use messaging::store::{EventStore, MemoryEvents, MemoryOrders, MemoryRows, OrderTable, RowStore};
use postgres_server::Server;
use postgres_store::{Look, PostgresOrders, Store, TableState};

use crate::Error;

/// The variable that names the database: `postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full&sslrootcert=FILE`. No option
/// takes its place: a password on a command line would be seen by everybody on the machine.
const DATABASE_URL: &str = "DATABASE_URL";

/// Where a command lets a system keep what it knows.
#[derive(Clone, Copy)]
pub(crate) enum Keep<'a> {
    /// In memory: gone with the process.
    InMemory,
    /// For this run: the saga in memory, food orders in the database that the environment names, else in one that ends with the run.
    ForThisRun,
    /// For others, too: in the database that the environment names. Where it names none the saga is in memory, once somebody was told.
    Shared(&'a dyn Fn()),
}

impl Keep<'_> {
    /// What the saga keeps.
    ///
    /// # Errors
    /// Where the database does not answer or is none of ours.
    pub(crate) fn saga(self) -> Result<Stores, Error> {
        if let Self::Shared(tell) = self {
            if let Some(url) = url() {
                return Stores::of(&url);
            }
            tell();
        }
        Ok(Stores::in_memory())
    }

    /// The table of food orders.
    ///
    /// # Errors
    /// Where the database does not answer or is none of ours, or there is none that outlives us although others shall find the orders.
    pub(crate) fn food(self) -> Result<FoodTable, Error> {
        let table = |url: &str| PostgresOrders::open(url).map_err(refused);
        Ok(match (self, url()) {
            (Self::InMemory, _) => FoodTable { orders: Arc::new(MemoryOrders::default()), _server: None },
            (Self::ForThisRun | Self::Shared(_), Some(url)) => {
                FoodTable { orders: Arc::new(table(&url)?), _server: None }
            }
            (Self::Shared(_), None) => return Err(unnamed()),
            (Self::ForThisRun, None) => {
                let server = Server::start().map_err(|error| {
                    Error::Usage(format!("{error}; or name a database by {DATABASE_URL}, such as {EXAMPLE}"))
                })?;
                FoodTable { orders: Arc::new(table(&server.url())?), _server: Some(server) }
            }
        })
    }
}

const EXAMPLE: &str = "postgres://localhost/orderflow";

/// A table of food orders, and the server it is in where that is the run's own.
pub(crate) struct FoodTable {
    pub(crate) orders: Arc<dyn OrderTable>,
    /// Ends, and its files go, when this is dropped.
    _server: Option<Server>,
}

/// A store of streams and one of rows.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) events: Arc<dyn EventStore>,
    pub(crate) rows: Arc<dyn RowStore>,
}

impl Stores {
    /// In memory: gone with the process, and known to no other.
    pub(crate) fn in_memory() -> Self {
        Self { events: Arc::new(MemoryEvents::default()), rows: Arc::new(MemoryRows::default()) }
    }

    /// In the database that the environment names.
    ///
    /// # Errors
    /// Where it names none, or that does not answer or is no database of ours.
    pub(crate) fn in_database() -> Result<Self, Error> {
        Self::of(&url().ok_or_else(unnamed)?)
    }

    fn of(url: &str) -> Result<Self, Error> {
        let store = Store::open(url).map_err(refused)?;
        Ok(Self { events: Arc::new(store.events()), rows: Arc::new(store.rows()) })
    }
}

/// All that systems keep in a database.
pub(crate) struct Kept {
    saga: Store,
    food: PostgresOrders,
}

impl Kept {
    /// Whether the environment names a database.
    pub(crate) fn is_named() -> bool {
        url().is_some()
    }

    /// In the database that the environment names, if it names one.
    ///
    /// # Errors
    /// Where it does not answer or is no database of ours.
    pub(crate) fn open() -> Result<Option<Self>, Error> {
        let open = |url: String| Ok(Self { saga: Store::open(&url)?, food: PostgresOrders::open(&url)? });
        url().map(open).transpose().map_err(refused)
    }

    /// Forgets all of it.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub(crate) fn reset(&self) -> Result<(), Error> {
        self.saga.reset().map_err(Error::failed)?;
        self.food.reset().map_err(Error::failed)
    }
}

/// The database that the environment names, to be looked at.
pub(crate) struct Database(String);

impl Database {
    /// `None` where it names none.
    pub(crate) fn of_environment() -> Option<Self> {
        url().map(Self)
    }

    /// That it answers.
    ///
    /// # Errors
    /// Where it does not, or its URL is none.
    pub(crate) fn answers(&self) -> Result<String, Error> {
        let Look { version, .. } = PostgresOrders::look(&self.0).map_err(refused)?;
        Ok(format!("PostgreSQL {version} answers"))
    }

    /// How it is.
    ///
    /// # Errors
    /// Where it does not answer, or no orders could be stored there.
    pub(crate) fn look(&self) -> Result<String, Error> {
        let Look { version, table } = PostgresOrders::look(&self.0).map_err(refused)?;
        let ill = match table {
            TableState::Usable => return Ok(format!("PostgreSQL {version} answers")),
            TableState::ReadOnly => {
                "can only be read: name the primary where this is a standby, else RESET default_transaction_read_only".into()
            }
            TableState::Missing => "has no table of orders; a food_consumer makes it as it starts".into(),
            TableState::Gone => {
                "has no table of orders any more: restore it, or DROP SCHEMA food CASCADE, and the next food_consumer makes an empty one".into()
            }
            TableState::Forbidden { user, lacks } => {
                let grants: Vec<String> = lacks.iter().map(|right| format!("GRANT {right} TO {user}")).collect();
                format!("{user} may not store orders there: have their owner {}", grants.join("; "))
            }
        };
        Err(Error::Failed(format!("PostgreSQL {version} answers, and {ill}")))
    }
}

/// A service that cannot start for now is started again by its unit; one whose settings are wrong is not.
fn refused(error: postgres_store::Error) -> Error {
    let text = format!("{DATABASE_URL}: {error}");
    if error.may_pass() { Error::Failed(text) } else { Error::Usage(text) }
}

fn unnamed() -> Error {
    Error::Usage(format!("{DATABASE_URL} is not set: name the services' database, such as {EXAMPLE}"))
}

fn url() -> Option<String> {
    std::env::var(DATABASE_URL).ok().filter(|url| !url.is_empty())
}
