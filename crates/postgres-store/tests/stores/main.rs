//! The stores: one contract in memory and in PostgreSQL, then what only a database can do, and fail to. They need PostgreSQL's programs.
#![cfg(test)]

mod contract; // what every store must do, asked of each
mod database; // a server for one test, and a look behind the store's back
mod look; // how a database is, told without a change to it
mod migrations; // tables there and back
mod orders; // a table of orders
mod outages; // a server that dies, hangs, refuses
mod overtaken; // rows that others change between reading and writing
mod plans; // how statements find their rows
mod refusals; // why a store is not opened
mod tls; // a certificate, and whose

use messaging::store::{MemoryEvents, MemoryRows};
use postgres_store::Store;

use crate::contract::Stores;

#[test]
fn the_store_in_memory_keeps_the_contract() {
    contract::check(|| Stores::of(MemoryEvents::default(), MemoryRows::default()));
}

#[test]
fn the_store_in_postgresql_keeps_the_contract() {
    let server = database::start();
    // Of a language that sorts otherwise than bytes do.
    database::sql(
        &server.url(),
        "CREATE DATABASE orders TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en' LOCALE 'C'",
    );
    let store = Store::open(&server.url_of("orders")).unwrap();
    contract::check(|| {
        store.reset().unwrap();
        Stores::of(store.events(), store.rows())
    });
}
