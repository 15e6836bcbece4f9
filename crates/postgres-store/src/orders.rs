use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use events::{Cents, OrderId};
use messaging::store::{OrderTable, StoreError, StoredOrder, Storing};
use sqlx::Arguments as _;
use sqlx::postgres::PgArguments;
use time::OffsetDateTime;

use crate::columns::{id_of, moment, number, time_of, unreadable};
use crate::database::{Database, Lease, Limits};
use crate::error::{describe, is_of_the_data, is_passing};
use crate::migrations::FOOD;
use crate::{Error, Look, url};

/// A table of food orders in PostgreSQL.
///
/// Orders are stored by one statement, which is one transaction and one round trip. Where all of them are new that is all; how those stand
/// there that are not is asked by a second one. A batch that the database refuses because of what is in it is halved until the order that it
/// refuses is alone.
#[derive(Clone)]
pub struct PostgresOrders(Arc<Database>);

/// How often a batch is tried that others are in the way of.
const TRIES: u32 = 10;

macro_rules! given {
    () => {
        "unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
            AS given (order_id, customer_id, items, total_amount, status, created_at)"
    };
}

/// No row where all were new, as they nearly always are; else those that were, null where none was.
const STORE: &str = concat!(
    "
    WITH stored AS (
        INSERT INTO food.orders (order_id, customer_id, items, total_amount, status, created_at)
        SELECT order_id, customer_id, items::jsonb, total_amount::numeric, status, created_at FROM ",
    given!(),
    "
        ON CONFLICT DO NOTHING
        RETURNING order_id
    )
    SELECT array_agg(order_id) FROM stored HAVING count(*) < cardinality($1)"
);

/// Whether the row of each stands as it was given.
const COMPARE: &str = concat!(
    "
    SELECT given.order_id, (there.customer_id, there.items, there.total_amount, there.status, there.created_at)
        IS NOT DISTINCT FROM
        (given.customer_id, given.items::jsonb, given.total_amount::numeric, given.status, given.created_at)
    FROM ",
    given!(),
    "
    CROSS JOIN LATERAL (SELECT * FROM food.orders WHERE orders.order_id = given.order_id OFFSET 0) AS there"
);

/// No id is empty: all of them stand behind the empty one.
const ORDERS: &str = "
    SELECT order_id, customer_id, items::text, total_amount::text, status, created_at
    FROM food.orders WHERE order_id > $1 ORDER BY order_id LIMIT $2";

type Row = (String, String, String, String, String, OffsetDateTime);

impl PostgresOrders {
    /// Connects and brings the table up to date, with the default [`Limits`]; for the URL see [`crate::Store::open`].
    ///
    /// # Errors
    /// As [`crate::Store::open`].
    pub fn open(url: &str) -> Result<Self, Error> {
        Self::open_with(url, Limits::default())
    }

    /// As [`PostgresOrders::open`], with other limits.
    ///
    /// # Errors
    /// As [`crate::Store::open`].
    pub fn open_with(url: &str, limits: Limits) -> Result<Self, Error> {
        FOOD.open(url, limits).map(Self)
    }

    /// Looks at a database and changes nothing, for five seconds at most.
    ///
    /// # Errors
    /// A URL that is wrong, a database that is not reached, lets nobody in or does not answer in time.
    pub fn look(url: &str) -> Result<Look, Error> {
        Look::at(&url::parse(url)?)
    }

    /// Forgets every order; the table stays.
    ///
    /// # Errors
    /// [`StoreError::Away`], after which they may be forgotten all the same.
    pub fn reset(&self) -> Result<(), StoreError> {
        self.0.run("forget every order", async |connection| {
            sqlx::query("TRUNCATE food.orders").execute(connection).await.map(drop)
        })
    }

    /// Takes the table away with all that is in it, and leaves the database as it was before the first [`PostgresOrders::open`].
    ///
    /// # Errors
    /// As [`crate::Store::open`].
    pub fn revert(url: &str) -> Result<(), Error> {
        FOOD.revert(&url::parse(url)?)
    }

    /// Stores orders of different ids, in the order of these.
    fn store_sorted(&self, orders: &[&StoredOrder]) -> Result<Vec<Storing>, StoreError> {
        let deadline = self.0.deadline();
        let away = |error: sqlx::Error| self.0.away(format_args!("store {} orders", orders.len()), &error);
        let mut tries = 1..TRIES;
        loop {
            let mut lease = self.0.lease(deadline).map_err(away)?;
            match store(&mut lease, orders) {
                Ok(storing) => {
                    lease.end();
                    return Ok(storing);
                }
                Err(error) if is_passing(&error) && tries.next().is_some() => {}
                Err(error) if is_of_the_data(&error) => {
                    lease.end(); // the database has taken back what it had begun
                    if let [_] = orders {
                        return Ok(vec![Storing::Refused(describe(&error))]);
                    }
                    let (before, behind) = orders.split_at(orders.len() / 2);
                    let mut storing = self.store_sorted(before)?;
                    storing.extend(self.store_sorted(behind)?);
                    return Ok(storing);
                }
                Err(error) => return Err(away(error)),
            }
        }
    }
}

impl OrderTable for PostgresOrders {
    fn store(&self, orders: &[StoredOrder]) -> Result<Vec<Storing>, StoreError> {
        let mut storing = vec![Storing::New; orders.len()];
        let mut left: Vec<usize> = (0..orders.len()).collect();
        while !left.is_empty() {
            // Each id once, the others behind it. Sorted: two who store the same ones then never wait for each other.
            let mut first = BTreeMap::new();
            left.retain(|&place| match first.entry(&orders[place].order_id) {
                Entry::Vacant(entry) => {
                    entry.insert(place);
                    false
                }
                Entry::Occupied(_) => true,
            });
            let sorted: Vec<&StoredOrder> = first.values().map(|&place| &orders[place]).collect();
            for (place, of_order) in first.into_values().zip(self.store_sorted(&sorted)?) {
                storing[place] = of_order;
            }
        }
        Ok(storing)
    }

    fn orders(&self, after: Option<&OrderId>, limit: usize) -> Result<Vec<StoredOrder>, StoreError> {
        self.0.run("list orders", async |connection| {
            let after = after.map_or("", OrderId::as_str);
            let rows: Vec<Row> = sqlx::query_as(ORDERS).bind(after).bind(number(limit)).fetch_all(connection).await?;
            rows.into_iter().map(order_of).collect()
        })
    }
}

fn store(lease: &mut Lease<'_>, orders: &[&StoredOrder]) -> Result<Vec<Storing>, sqlx::Error> {
    lease.run(async |connection| {
        let query = sqlx::query_scalar_with(STORE, given(orders)?);
        let stored: Option<Option<Vec<String>>> = query.fetch_optional(&mut *connection).await?;
        let Some(stored) = stored else { return Ok(vec![Storing::New; orders.len()]) };
        let stored: BTreeSet<String> = stored.into_iter().flatten().collect();
        let others: Vec<&StoredOrder> =
            orders.iter().filter(|order| !stored.contains(order.order_id.as_str())).copied().collect();
        let rows: Vec<(String, bool)> = sqlx::query_as_with(COMPARE, given(&others)?).fetch_all(connection).await?;
        let is_same: BTreeMap<String, bool> = rows.into_iter().collect();
        let storing = |order: &&StoredOrder| match is_same.get(order.order_id.as_str()) {
            Some(true) => Ok(Storing::Known),
            Some(false) => Ok(Storing::Other),
            None if stored.contains(order.order_id.as_str()) => Ok(Storing::New),
            None => Err(sqlx::Error::Protocol(format!("somebody has removed order {} meanwhile", order.order_id))),
        };
        orders.iter().map(storing).collect()
    })
}

/// A column each.
fn given(orders: &[&StoredOrder]) -> Result<PgArguments, sqlx::Error> {
    let column = |text: fn(&StoredOrder) -> &str| orders.iter().map(|order| text(order)).collect::<Vec<_>>();
    let totals: Vec<String> = orders.iter().map(|order| order.total_amount.to_string()).collect();
    let times: Vec<OffsetDateTime> = orders.iter().map(|order| moment(order.created_at)).collect();
    let mut arguments = PgArguments::default();
    let mut add = || {
        arguments.add(column(|order| order.order_id.as_str()))?;
        arguments.add(column(|order| &order.customer_id))?;
        arguments.add(column(|order| &order.items))?;
        arguments.add(&totals)?;
        arguments.add(column(|order| &order.status))?;
        arguments.add(&times)
    };
    add().map_err(sqlx::Error::Encode)?;
    Ok(arguments)
}

fn order_of((order_id, customer_id, items, total, status, created_at): Row) -> Result<StoredOrder, sqlx::Error> {
    let total_amount =
        total.parse().ok().and_then(Cents::from_decimal).ok_or_else(|| unreadable("an amount", total))?;
    let (order_id, created_at) = (id_of(&order_id)?, time_of(created_at)?);
    Ok(StoredOrder { order_id, customer_id, items, total_amount, status, created_at })
}
