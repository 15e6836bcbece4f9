//! Streams of events, rows and a table of orders in PostgreSQL: the only crate that knows SQL.
//!
//! [`Store::open`] connects, brings the saga's tables up to date and yields [`PostgresEvents`] and [`PostgresRows`]; [`PostgresOrders::open`]
//! does so with the table of food orders. Several threads use them at once. What they promise is said by the traits of
//! [`messaging::store`]; the tables explain themselves (`\d+ saga.*` in psql).

mod columns; // values as columns hold them
mod database; // connections: shared, renewed, every use with a deadline
mod error; // what went wrong, in words that help
mod events; // streams of events
mod look; // how a database is, without a change to it
mod migrations; // tables, up to date or gone
mod orders; // a table of orders
mod rows; // rows that change together
mod store; // all of it, by a URL
mod url; // what a URL may say

pub use database::Limits;
pub use error::Error;
pub use events::PostgresEvents;
pub use look::{Look, TableState};
pub use orders::PostgresOrders;
pub use rows::PostgresRows;
pub use store::Store;
