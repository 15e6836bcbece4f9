//! A server for one test, and a look behind the store's back.

use std::time::Duration;

use postgres_server::{Options, Server};
use postgres_store::{Limits, Store};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::runtime::Builder;

/// Starts a server. It confirms what is not on disk yet: no test ends the machine.
#[track_caller]
pub(crate) fn start() -> Server {
    start_with(Options::default().without_fsync())
}

/// Starts a server. Without PostgreSQL the test fails, and says what provides it.
#[track_caller]
pub(crate) fn start_with(options: Options) -> Server {
    options.start().unwrap_or_else(|error| panic!("{error}"))
}

/// A store that gives up after `deadline_ms`.
#[track_caller]
pub(crate) fn impatient(server: &Server, deadline_ms: u64) -> Store {
    let deadline = Duration::from_millis(deadline_ms);
    Store::open_with(&server.url(), Limits { deadline, ..Limits::default() }).unwrap()
}

/// What errors of a server's database begin with.
pub(crate) fn address(server: &Server) -> String {
    server.url().split_once('@').unwrap().1.to_owned()
}

/// As a user whose password is its name.
pub(crate) fn url_of(server: &Server, user: &str) -> String {
    format!("postgres://{user}:{user}@{}", address(server))
}

/// Runs statements as the superuser that the URL names.
#[track_caller]
pub(crate) fn sql(url: &str, statements: &str) {
    with_connection(url, async |connection| {
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(connection).await.unwrap();
    });
}

/// The texts that a query answers with.
#[track_caller]
pub(crate) fn texts(url: &str, query: &str) -> Vec<String> {
    with_connection(url, async |connection| {
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(connection).await.unwrap()
    })
}

#[track_caller]
fn with_connection<T>(url: &str, what: impl AsyncFnOnce(&mut PgConnection) -> T) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await.unwrap();
        what(&mut connection).await
    })
}
