//! Tables, up to date or gone.
//!
//! Each system has a schema of its own, and in it the table that counts its steps: several share one database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{PgConnection, SqlStr};

use crate::Error;
use crate::database::{Connection, Database, Limits};
use crate::error::describe;
use crate::url::{self, Address};

/// How long bringing tables up to date may take, waiting for somebody else who does included.
const DEADLINE: Duration = Duration::from_secs(60);

/// A system's tables: every step up with its way back.
pub(crate) struct Tables {
    is_there: &'static str,
    schema: &'static str,
    /// Which steps were applied.
    table: &'static str,
    remove: &'static str,
    steps: &'static [Step],
}

struct Step {
    description: &'static str,
    up: &'static str,
    down: &'static str,
}

macro_rules! step {
    ($system:literal, $name:literal) => {
        Step {
            description: $name,
            up: include_str!(concat!("../migrations/", $system, "/", $name, ".up.sql")),
            down: include_str!(concat!("../migrations/", $system, "/", $name, ".down.sql")),
        }
    };
}

/// Those of order-saga.
pub(crate) const SAGA: Tables = Tables {
    is_there: "SELECT to_regclass('saga.migrations') IS NOT NULL",
    schema: "saga",
    table: "saga.migrations",
    remove: "DROP TABLE saga.migrations; DROP SCHEMA saga",
    steps: &[step!("saga", "0001_events"), step!("saga", "0002_rows")],
};

/// Those of food-orders.
pub(crate) const FOOD: Tables = Tables {
    is_there: "SELECT to_regclass('food.migrations') IS NOT NULL",
    schema: "food",
    table: "food.migrations",
    remove: "DROP TABLE food.migrations; DROP SCHEMA food",
    steps: &[step!("food", "001_create_orders_table")],
};

impl Tables {
    /// Connects to a database that has them, up to date.
    pub(crate) fn open(&self, url: &str, limits: Limits) -> Result<Arc<Database>, Error> {
        let options = url::parse(url)?;
        self.update(&options)?;
        Ok(Arc::new(Database::new(options, limits)))
    }

    /// Brings them up to date. Where they are, nothing is written, so whoever may only use them may open them.
    fn update(&self, options: &PgConnectOptions) -> Result<(), Error> {
        Self::with_connection(options, DEADLINE, "bring its tables up to date", async |connection| {
            let applied = self.applied(connection).await?;
            self.check(&applied)?;
            if applied.len() < self.steps.len() {
                self.migrator().run(connection).await?;
            }
            Ok(())
        })
    }

    /// Takes them away with all that is in them.
    pub(crate) fn revert(&self, options: &PgConnectOptions) -> Result<(), Error> {
        Self::with_connection(options, DEADLINE, "take its tables away", async |connection| {
            let is_there: bool = sqlx::query_scalar(self.is_there).fetch_one(&mut *connection).await?;
            if is_there {
                self.check(&self.applied(connection).await?)?;
                self.migrator().undo(&mut *connection, 0).await?;
                sqlx::raw_sql(self.remove).execute(connection).await?;
            }
            Ok(())
        })
    }

    /// The steps that were applied: number and checksum.
    pub(crate) async fn applied(&self, connection: &mut PgConnection) -> Result<Vec<(i64, Vec<u8>)>, MigrateError> {
        let is_there: bool = sqlx::query_scalar(self.is_there).fetch_one(&mut *connection).await?;
        if !is_there {
            return Ok(Vec::new());
        }
        let applied = connection.list_applied_migrations(self.table).await?;
        Ok(applied.into_iter().map(|step| (step.version, step.checksum.into_owned())).collect())
    }

    fn check(&self, applied: &[(i64, Vec<u8>)]) -> Result<(), Failure> {
        let migrator = self.migrator();
        let ups = || migrator.iter().filter(|step| step.migration_type.is_up_migration());
        for (version, checksum) in applied.iter().rev() {
            match ups().find(|step| step.version == *version) {
                None => return Err(Failure::Newer { found: *version, known: ups().count() }),
                Some(step) if step.checksum != *checksum => return Err(Failure::Edited(*version)),
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn migrator(&self) -> Migrator {
        let steps = (1..).zip(self.steps).flat_map(|(version, step)| {
            let migration = |kind, sql: &'static str| {
                Migration::new(version, step.description.into(), kind, SqlStr::from_static(sql), false)
            };
            [migration(MigrationType::ReversibleUp, step.up), migration(MigrationType::ReversibleDown, step.down)]
        });
        let mut migrator = Migrator::with_migrations(steps.collect());
        migrator.dangerous_set_table_name(self.table); // dangerous for a program that used another one before
        migrator.create_schema(self.schema);
        migrator
    }

    /// Does something by a connection of its own, closed afterwards: with it goes the lock against others who do the same.
    pub(crate) fn with_connection<T>(
        options: &PgConnectOptions,
        within: Duration,
        doing: &'static str,
        what: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let deadline = Instant::now() + within;
        let mut connection = Connection::open(options, deadline).map_err(|error| Error::connecting(options, &error))?;
        let done = connection.run(deadline, async |connection| Ok(what(connection).await));
        let address = Address::of(options).to_string();
        done.unwrap_or_else(|late| Err(Failure::Failed(late))).map_err(|failure| match failure {
            Failure::Newer { found, known } => {
                Error::Newer { address, found, known: i64::try_from(known).unwrap_or(i64::MAX) }
            }
            Failure::Edited(version) => Error::Edited { address, version },
            Failure::Failed(error) => Error::Database { address, doing, reason: describe(&error) },
        })
    }
}

/// Why tables are not as they should be.
pub(crate) enum Failure {
    Newer { found: i64, known: usize },
    Edited(i64),
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Self::Failed(error),
            other => Self::Failed(other.into()),
        }
    }
}
