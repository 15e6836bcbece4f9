//! Streams of events and rows in PostgreSQL: the only crate that knows SQL.
//!
//! [`Store::open`] connects, brings the tables up to date and yields both: [`PostgresEvents`] and [`PostgresRows`], which several
//! threads use at once. What they promise is said by the traits of [`messaging::store`]; the tables explain themselves
//! (`\d+ saga.*` in psql).

mod database; // connections: shared, renewed, every use with a deadline
mod error; // what went wrong, in words that help
mod events; // streams of events
mod migrations; // tables, up to date or gone
mod rows; // rows that change together
mod store; // all of it, by a URL
mod url; // what a URL may say

pub use database::Limits;
pub use error::Error;
pub use events::PostgresEvents;
pub use rows::PostgresRows;
pub use store::Store;
