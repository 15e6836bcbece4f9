use std::collections::BTreeMap;
use std::iter::{once, repeat_n};
use std::sync::Arc;

use messaging::store::{RowKey, RowStore, Rows, StoreError};
use sqlx::PgConnection;

use crate::database::{Database, Lease};
use crate::error::{is_passing, was_made_by_others};

/// Rows in PostgreSQL.
///
/// Most updates are alone with their rows, so the first try takes two round trips: it reads, and writes if what it read still holds. Where
/// that cannot be, one transaction of four follows: begin, read, write, commit. Rows that are there are locked when they are read, in the
/// order of their keys. A row that is not there cannot be locked: writing checks that it is still not there, and else the update starts anew.
#[derive(Clone)]
pub struct PostgresRows(pub(crate) Arc<Database>);

/// How often an update locks rows and starts anew at most. Each time somebody else has made a row that was missing, so hardly twice.
const TRIES: usize = 10;

// Each finds its rows one by one, by the primary key: a join would, for a table that was empty when it was planned, read all of it.

macro_rules! read {
    ($how:literal) => {
        concat!(
            "
    SELECT place, value
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (table_name, key, place)
    CROSS JOIN LATERAL (
        SELECT value FROM saga.rows WHERE rows.table_name = asked.table_name AND rows.key = asked.key ",
            $how,
            ") AS there"
        )
    };
}

/// All as they were at one moment.
const READ: &str = read!("OFFSET 0");

/// Locked in the order in which they are asked for, so that two updates never wait for each other.
const LOCK: &str = read!("FOR UPDATE");

/// Writes if the rows that were found are still the same, which it tells. One that was missing and is there now is an error, and nothing is written.
const SWAP: &str = "
    WITH found AS (
        SELECT there.value = asked.value AS is_same
        FROM unnest($1::text[], $2::text[], $3::text[]) AS asked (table_name, key, value)
        CROSS JOIN LATERAL (
            SELECT value FROM saga.rows WHERE rows.table_name = asked.table_name AND rows.key = asked.key FOR UPDATE
        ) AS there
    ), verdict AS (
        SELECT count(*) FILTER (WHERE is_same) = cardinality($1) AS holds FROM found
    ), made AS (
        INSERT INTO saga.rows (table_name, key, value)
        SELECT made.* FROM verdict, unnest($4::text[], $5::text[], $6::text[]) AS made WHERE holds
    ), changed AS (
        INSERT INTO saga.rows (table_name, key, value)
        SELECT changed.* FROM verdict, unnest($7::text[], $8::text[], $9::text[]) AS changed WHERE holds
        ON CONFLICT (table_name, key) DO UPDATE SET value = excluded.value
    )
    SELECT holds FROM verdict";

/// Counts those that were made: each that somebody else has made meanwhile is missing.
const WRITE: &str = "
    WITH made AS (
        INSERT INTO saga.rows (table_name, key, value) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
        ON CONFLICT DO NOTHING
        RETURNING key
    ), changed AS (
        INSERT INTO saga.rows (table_name, key, value) SELECT * FROM unnest($4::text[], $5::text[], $6::text[])
        ON CONFLICT (table_name, key) DO UPDATE SET value = excluded.value
    ), removed AS (
        DELETE FROM saga.rows WHERE ctid = ANY (ARRAY(
            SELECT there.ctid FROM unnest($7::text[], $8::text[]) AS removed (table_name, key)
            CROSS JOIN LATERAL (
                SELECT ctid FROM saga.rows WHERE rows.table_name = removed.table_name AND rows.key = removed.key OFFSET 0
            ) AS there
        ))
    )
    SELECT count(*) FROM made";

/// As a write removes them: nobody else moves a row that we have locked or made.
const REMOVE: &str = "
    DELETE FROM saga.rows WHERE ctid = ANY (ARRAY(
        SELECT there.ctid FROM unnest($1::text[], $2::text[]) AS removed (table_name, key)
        CROSS JOIN LATERAL (
            SELECT ctid FROM saga.rows WHERE rows.table_name = removed.table_name AND rows.key = removed.key OFFSET 0
        ) AS there
    ))";

const TABLE: &str = "SELECT key, value FROM saga.rows WHERE table_name = $1";

impl RowStore for PostgresRows {
    fn update(&self, keys: &[RowKey], change: &mut dyn FnMut(&mut Rows)) -> Result<(), StoreError> {
        let deadline = self.0.deadline();
        let away = |error: sqlx::Error| self.0.away(Keys(keys), &error);
        for attempt in once(swap as Attempt).chain(repeat_n(lock_and_write as Attempt, TRIES)) {
            let mut lease = self.0.lease(deadline).map_err(away)?;
            match attempt(&mut lease, keys, change) {
                Ok(Outcome::Done) => {
                    lease.end();
                    return Ok(());
                }
                Ok(Outcome::Overtaken) => lease.end(),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(away(error)),
            }
        }
        let text = format!("{TRIES} times in a row somebody else made a row that had not been there");
        Err(away(sqlx::Error::Protocol(text)))
    }

    fn table(&self, table: &'static str) -> Result<BTreeMap<String, String>, StoreError> {
        self.0.run(format_args!("read table {table}"), async |connection| {
            let rows: Vec<(String, String)> = sqlx::query_as(TABLE).bind(table).fetch_all(connection).await?;
            Ok(rows.into_iter().collect())
        })
    }
}

enum Outcome {
    Done,
    /// Somebody else was in its way, or may be. Nothing was written.
    Overtaken,
}

type Attempt = fn(&mut Lease<'_>, &[RowKey], &mut dyn FnMut(&mut Rows)) -> Result<Outcome, sqlx::Error>;

fn swap(lease: &mut Lease<'_>, keys: &[RowKey], change: &mut dyn FnMut(&mut Rows)) -> Result<Outcome, sqlx::Error> {
    let before = lease.run(async |connection| read(connection, READ, keys).await)?;
    let mut after = before.clone();
    change(&mut after);
    let plan = Plan::of(&before, &after);
    if !plan.changes_something() {
        return Ok(Outcome::Done);
    }
    // Nobody can say, in one statement, that a row goes or stays missing.
    if !(plan.removed.is_empty() && plan.missing.is_empty()) {
        return Ok(Outcome::Overtaken);
    }
    lease.run(async |connection| match plan.swap(connection).await {
        Ok(true) => Ok(Outcome::Done),
        Ok(false) => Ok(Outcome::Overtaken),
        Err(error) if was_made_by_others(&error) => Ok(Outcome::Overtaken),
        Err(error) => Err(error),
    })
}

fn lock_and_write(
    lease: &mut Lease<'_>,
    keys: &[RowKey],
    change: &mut dyn FnMut(&mut Rows),
) -> Result<Outcome, sqlx::Error> {
    let before = lease.run(async |connection| {
        execute(connection, "BEGIN").await?;
        read(connection, LOCK, keys).await
    })?;
    // Between two uses of the connection: whatever it does, it does not do it within the runtime.
    let mut after = before.clone();
    change(&mut after);
    let plan = Plan::of(&before, &after);
    lease.run(async |connection| {
        let outcome = if plan.needs_nothing() { Outcome::Done } else { plan.write(connection).await? };
        let end = if matches!(outcome, Outcome::Done) && plan.changes_something() { "COMMIT" } else { "ROLLBACK" };
        execute(connection, end).await?;
        Ok(outcome)
    })
}

async fn read(connection: &mut PgConnection, query: &'static str, keys: &[RowKey]) -> Result<Rows, sqlx::Error> {
    let mut rows: Rows = keys.iter().map(|key| (key.clone(), None)).collect();
    let (tables, names): (Vec<&str>, Vec<&str>) = rows.keys().map(|(table, key)| (*table, key.as_str())).unzip();
    let found: Vec<(i64, String)> = sqlx::query_as(query).bind(tables).bind(names).fetch_all(connection).await?;
    let mut found = found.into_iter().peekable();
    // In the same order, each at its place, counted from 1.
    for (place, row) in (1..).zip(rows.values_mut()) {
        *row = found.next_if(|(at, _)| *at == place).map(|(_, value)| value);
    }
    Ok(rows)
}

/// By the simple protocol: there is nothing to prepare.
async fn execute(connection: &mut PgConnection, statement: &'static str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(statement).execute(connection).await.map(drop)
}

/// What is to be written, each in the order of the keys.
#[derive(Default)]
struct Plan<'a> {
    /// What was there.
    found: Vec<(&'a RowKey, &'a str)>,
    made: Vec<(&'a RowKey, &'a str)>,
    changed: Vec<(&'a RowKey, &'a str)>,
    removed: Vec<&'a RowKey>,
    /// Not there before, and not after.
    missing: Vec<&'a RowKey>,
}

impl<'a> Plan<'a> {
    fn of(before: &'a Rows, after: &'a Rows) -> Self {
        let mut plan = Self::default();
        for (key, before) in before {
            plan.found.extend(before.iter().map(|value| (key, value.as_str())));
            match (before, after.get(key).unwrap_or(before)) {
                (None, None) => plan.missing.push(key),
                (None, Some(value)) => plan.made.push((key, value)),
                (Some(_), None) => plan.removed.push(key),
                (Some(before), Some(value)) if before != value => plan.changed.push((key, value)),
                (Some(_), Some(_)) => {}
            }
        }
        plan
    }

    fn changes_something(&self) -> bool {
        !(self.made.is_empty() && self.changed.is_empty() && self.removed.is_empty())
    }

    /// Whether what was read holds as it is: nothing depends on it, and it was true at one moment. Rows that are there are as they
    /// were when they had been locked, missing ones were missing when the statement began: together they need to be looked at again.
    fn needs_nothing(&self) -> bool {
        !self.changes_something() && (self.missing.is_empty() || self.found.is_empty())
    }

    /// Whether it was written.
    async fn swap(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let mut query = sqlx::query_scalar(SWAP);
        for rows in [&self.found, &self.made, &self.changed] {
            let [tables, keys, values] = columns(rows);
            query = query.bind(tables).bind(keys).bind(values);
        }
        query.fetch_one(connection).await
    }

    /// A row that stays missing is made, too, and removed again: until the end nobody else makes it, and if somebody has, that is noticed.
    async fn write(&self, connection: &mut PgConnection) -> Result<Outcome, sqlx::Error> {
        let missing = self.missing.iter().map(|key| (*key, ""));
        let made: Vec<_> = self.made.iter().copied().chain(missing).collect();
        let [tables, keys, values] = columns(&made);
        let [changed_tables, changed_keys, changed_values] = columns(&self.changed);
        let (removed_tables, removed_keys) = key_columns(&self.removed);
        let query = sqlx::query_scalar(WRITE).bind(tables).bind(keys).bind(values);
        let query = query.bind(changed_tables).bind(changed_keys).bind(changed_values);
        let count: i64 = query.bind(removed_tables).bind(removed_keys).fetch_one(&mut *connection).await?;
        if usize::try_from(count) != Ok(made.len()) {
            return Ok(Outcome::Overtaken);
        }
        if !self.missing.is_empty() && self.changes_something() {
            let (tables, keys) = key_columns(&self.missing);
            sqlx::query(REMOVE).bind(tables).bind(keys).execute(connection).await?;
        }
        Ok(Outcome::Done)
    }
}

fn columns<'a>(rows: &[(&'a RowKey, &'a str)]) -> [Vec<&'a str>; 3] {
    let column = |text: fn(&(&'a RowKey, &'a str)) -> &'a str| rows.iter().map(text).collect();
    [column(|((table, _), _)| table), column(|((_, key), _)| key), column(|(_, value)| value)]
}

fn key_columns<'a>(keys: &[&'a RowKey]) -> (Vec<&'a str>, Vec<&'a str>) {
    keys.iter().map(|(table, key)| (*table, key.as_str())).unzip()
}

/// What is being done, as an error names it.
struct Keys<'a>(&'a [RowKey]);

impl std::fmt::Display for Keys<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("change")?;
        for (table, key) in self.0 {
            write!(f, " {table}/{key}")?;
        }
        Ok(())
    }
}
