//! Connections: shared, renewed, every use with a deadline.
//!
//! A pool of our own, because the client's retries a refused connection until its wait is over and then says that the wait was,
//! and keeps a connection that hangs. Each connection has a runtime of its own, which whoever uses it drives: no other thread needs to wake up.

use std::fmt::Display;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use messaging::store::StoreError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::error::{describe, is_of_this_use_alone};
use crate::url::Address;

/// How much of a database is used, and how long anybody waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many connections there are at most, 1 or more; they are opened when they are needed.
    pub connections: u32,
    /// How long to wait while all of them are in use.
    pub wait: Duration,
    /// How long a use may take in all. The server itself gives up then, too.
    pub deadline: Duration,
}

impl Default for Limits {
    /// 5 connections, 5 s, 10 s.
    fn default() -> Self {
        Self { connections: 5, wait: Duration::from_secs(5), deadline: Duration::from_secs(10) }
    }
}

/// A database and the connections to it.
pub(crate) struct Database {
    address: Address,
    options: PgConnectOptions,
    limits: Limits,
    connections: Mutex<Connections>,
    returned: Condvar,
}

#[derive(Default)]
struct Connections {
    idle: Vec<Connection>,
    /// All of them, those in use included.
    open: u32,
}

/// A connection and what drives it, dropped in this order.
pub(crate) struct Connection {
    connection: PgConnection,
    runtime: Runtime,
}

impl Connection {
    /// Connects on this thread.
    pub(crate) fn open(options: &PgConnectOptions, deadline: Instant) -> Result<Self, sqlx::Error> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let connection = within(&runtime, deadline, async || PgConnection::connect_with(options).await)?;
        Ok(Self { connection, runtime })
    }

    /// Has it do something on this thread.
    pub(crate) fn run<T>(
        &mut self,
        deadline: Instant,
        what: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let connection = &mut self.connection;
        within(&self.runtime, deadline, async move || what(connection).await)
    }
}

fn within<T>(
    runtime: &Runtime,
    deadline: Instant,
    what: impl AsyncFnOnce() -> Result<T, sqlx::Error>,
) -> Result<T, sqlx::Error> {
    let left = deadline.saturating_duration_since(Instant::now());
    let late = |_| sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"));
    runtime.block_on(async { timeout(left, what()).await }).map_err(late)?
}

impl Database {
    /// Connects to nothing yet.
    pub(crate) fn new(options: PgConnectOptions, limits: Limits) -> Self {
        let limit_ms = limits.deadline.as_millis().max(1).to_string();
        let options = options.options([
            // Who gave up holds no lock for longer than this.
            ("statement_timeout", limit_ms.as_str()),
            ("idle_in_transaction_session_timeout", &limit_ms),
            // Rows are locked or compared, streams have versions: that is enough, whatever the database's own default is.
            ("default_transaction_isolation", "read committed"),
            // Every statement has its index. A plan is kept as long as its connection; one that was made while a table was empty would
            // read all of it from then on.
            ("enable_seqscan", "off"),
        ]);
        let address = Address::of(&options);
        Self { address, options, limits, connections: Mutex::default(), returned: Condvar::new() }
    }

    /// When a use that begins now has to be over.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.limits.deadline
    }

    /// Does something by one connection.
    pub(crate) fn run<T>(
        &self,
        doing: impl Display,
        what: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, StoreError> {
        let away = |error: sqlx::Error| self.away(&doing, &error);
        let mut lease = self.lease(self.deadline()).map_err(away)?;
        let done = lease.run(what).map_err(away)?;
        lease.end();
        Ok(done)
    }

    /// A connection for oneself, until a deadline.
    pub(crate) fn lease(&self, deadline: Instant) -> Result<Lease<'_>, sqlx::Error> {
        // Before there is a lease: one that ends gives back a place, and who waits has none yet.
        let connection = self.wait_for_one(deadline)?;
        let mut lease = Lease { database: self, connection, deadline, has_ended: false, was_lost: false };
        if lease.connection.is_none() {
            lease.connection = Some(lease.noting(Connection::open(&self.options, deadline))?);
        }
        Ok(lease)
    }

    /// The one that was used last, so that those who are not needed rest; `None` where a new one may be opened, which is counted already.
    fn wait_for_one(&self, deadline: Instant) -> Result<Option<Connection>, sqlx::Error> {
        let until = deadline.min(Instant::now() + self.limits.wait);
        let mut connections = self.connections();
        loop {
            if let Some(connection) = connections.idle.pop() {
                return Ok(Some(connection));
            }
            if connections.open < self.limits.connections.max(1) {
                connections.open += 1;
                return Ok(None);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let text = format!("all {} connections are in use", connections.open);
                return Err(io::Error::new(io::ErrorKind::TimedOut, text).into());
            }
            connections = self.returned.wait_timeout(connections, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(crate) fn away(&self, doing: impl Display, error: &sqlx::Error) -> StoreError {
        StoreError::Away(format!("{}: {doing}: {}", self.address, describe(error)))
    }

    /// What is counted here is never in between, whoever panicked.
    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection for oneself. Dropped without having been [ended](Lease::end), it is closed: nobody knows what state it is in.
pub(crate) struct Lease<'a> {
    database: &'a Database,
    connection: Option<Connection>,
    deadline: Instant,
    has_ended: bool,
    /// Whether the server or the way to it is gone, and so every other connection.
    was_lost: bool,
}

impl Lease<'_> {
    /// Has the connection do something.
    pub(crate) fn run<T>(
        &mut self,
        what: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let Some(connection) = &mut self.connection else { return Err(sqlx::Error::PoolClosed) };
        let done = connection.run(self.deadline, what);
        self.noting(done)
    }

    /// Gives the connection back: nothing is under way on it.
    pub(crate) fn end(mut self) {
        self.has_ended = true;
    }

    fn noting<T>(&mut self, done: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        done.inspect_err(|error| self.was_lost |= !is_of_this_use_alone(error))
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut connections = self.database.connections();
        let closed = match self.connection.take() {
            Some(connection) if self.has_ended => {
                connections.idle.push(connection);
                None
            }
            closed => {
                connections.open = connections.open.saturating_sub(1);
                closed
            }
        };
        // The others would fail one by one, each at somebody's expense.
        let lost = if self.was_lost { std::mem::take(&mut connections.idle) } else { Vec::new() };
        connections.open = connections.open.saturating_sub(u32::try_from(lost.len()).unwrap_or(u32::MAX));
        drop(connections);
        self.database.returned.notify_all();
        drop((closed, lost));
    }
}
