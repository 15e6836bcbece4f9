//! How a database is that food orders are to be stored in, without a change to it.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use crate::Error;
use crate::migrations::{FOOD, Tables};

/// How long a look may take: whoever asks whether all is well waits for the answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// How a database is that food orders are to be stored in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// What its server calls its version, such as `15.14`.
    pub version: String,
    /// How the table of orders is.
    pub table: TableState,
}

/// How a table is: the first of these that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableState {
    /// Nobody can write to the database, or our user cannot: it is a standby, or transactions are read-only.
    ReadOnly,
    /// The table was never made.
    Missing,
    /// It was made, and somebody has taken it away since.
    Gone,
    /// Our user may not use it.
    Forbidden {
        /// The user, as a statement names it.
        user: String,
        /// What it lacks, each as GRANT names it, such as `INSERT ON food.orders`.
        lacks: Vec<String>,
    },
    /// Orders can be stored in it and read from it.
    Usable,
}

/// By the catalog, which everybody may read: whoever may not use the schema could not even ask for the name of its table.
const LOOK: &str = "
    SELECT current_setting('server_version'), current_setting('transaction_read_only')::boolean, orders.oid IS NOT NULL, quote_ident(current_user),
        array_remove(ARRAY[
            CASE WHEN NOT has_schema_privilege(food.oid, 'USAGE') THEN 'USAGE ON SCHEMA food' END,
            CASE WHEN NOT has_table_privilege(orders.oid, 'SELECT') THEN 'SELECT ON food.orders' END,
            CASE WHEN NOT has_table_privilege(orders.oid, 'INSERT') THEN 'INSERT ON food.orders' END,
            CASE WHEN NOT has_table_privilege(migrations.oid, 'SELECT') THEN 'SELECT ON food.migrations' END
        ], NULL)
    FROM (VALUES (1)) AS always
    LEFT JOIN pg_namespace AS food ON food.nspname = 'food'
    LEFT JOIN pg_class AS orders ON orders.relnamespace = food.oid AND orders.relname = 'orders'
    LEFT JOIN pg_class AS migrations ON migrations.relnamespace = food.oid AND migrations.relname = 'migrations'";

type Row = (String, bool, bool, String, Vec<String>);

impl Look {
    pub(crate) fn at(options: &PgConnectOptions) -> Result<Self, Error> {
        Tables::with_connection(options, DEADLINE, "look at it", async |connection| {
            let (version, is_read_only, is_there, user, lacks): Row =
                sqlx::query_as(LOOK).fetch_one(&mut *connection).await?;
            let table = match is_there {
                _ if is_read_only => TableState::ReadOnly,
                false if FOOD.applied(connection).await?.is_empty() => TableState::Missing,
                false => TableState::Gone,
                true if lacks.is_empty() => TableState::Usable,
                true => TableState::Forbidden { user, lacks },
            };
            Ok(Self { version, table })
        })
    }
}
