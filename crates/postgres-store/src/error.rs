//! What went wrong, in words that help.

use std::io::ErrorKind;

use sqlx::postgres::PgConnectOptions;

use crate::url::Address;

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A URL that cannot be used.
    #[error(
        "the database's URL is wrong: {reason}; its form is postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full&sslrootcert=FILE"
    )]
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody listens there.
    #[error("{address}: connection refused; is PostgreSQL running, and does it listen there?")]
    Refused {
        /// Where the database should be: `HOST:PORT/DATABASE`.
        address: String,
    },
    /// A name that nobody knows.
    #[error("{address}: no such host; is its name right, and does DNS know it?")]
    UnknownHost {
        /// Where the database should be.
        address: String,
    },
    /// The user is not let in.
    #[error(
        "{address}: {user} is not let in: {reason}; check user and password of the URL, and pg_hba.conf of the server"
    )]
    Login {
        /// Where the database is.
        address: String,
        /// As whom.
        user: String,
        /// What PostgreSQL says.
        reason: String,
    },
    /// The server has no such database.
    #[error("{address}: {reason}; create it, as the command createdb does")]
    NoDatabase {
        /// Where the database should be.
        address: String,
        /// What PostgreSQL says.
        reason: String,
    },
    /// No TLS, or not with this server.
    #[error(
        "{address}: TLS: {reason}; sslrootcert of the URL names the authority that signed the server's certificate"
    )]
    Tls {
        /// Where the database is.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// The tables are those of a newer program.
    #[error("{address}: its tables are at migration {found}, this program knows {known}: run the newer program")]
    Newer {
        /// Where the database is.
        address: String,
        /// The newest migration there.
        found: i64,
        /// The newest one that this program has.
        known: i64,
    },
    /// The tables were made by a migration that reads otherwise here.
    #[error(
        "{address}: migration {version} was applied with another text than this program has: a migration is never edited, undo that"
    )]
    Edited {
        /// Where the database is.
        address: String,
        /// Which migration.
        version: i64,
    },
    /// Anything else that the database or the network answers.
    #[error("{address}: {doing}: {reason}")]
    Database {
        /// Where the database is.
        address: String,
        /// What was being done.
        doing: &'static str,
        /// What came back.
        reason: String,
    },
}

impl Error {
    /// Whether waiting may mend it: the database may come up, or have room. All else takes another setting, or another program.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::UnknownHost { .. } | Self::Database { .. } => true,
            Self::Url { .. }
            | Self::Login { .. }
            | Self::NoDatabase { .. }
            | Self::Tls { .. }
            | Self::Newer { .. }
            | Self::Edited { .. } => false,
        }
    }

    /// Why no connection was made.
    pub(crate) fn connecting(options: &PgConnectOptions, error: &sqlx::Error) -> Self {
        let address = Address::of(options).to_string();
        let reason = describe(error);
        match error {
            sqlx::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => Self::Refused { address },
            sqlx::Error::Io(error) if error.kind() == ErrorKind::NotFound => match options.get_socket() {
                Some(_) => Self::Refused { address },
                None => Self::Tls { address, reason: format!("a file that the URL names: {error}") },
            },
            // What the other side has shown: a certificate, or something that is no TLS.
            sqlx::Error::Io(error) if error.kind() == ErrorKind::InvalidData => Self::Tls { address, reason },
            sqlx::Error::Io(error) if error.to_string().contains("failed to lookup address") => {
                Self::UnknownHost { address }
            }
            sqlx::Error::Tls(_) => Self::Tls { address, reason },
            error => match code(error).as_deref() {
                Some("28000" | "28P01") => Self::Login { address, user: options.get_username().to_owned(), reason },
                Some("3D000") => Self::NoDatabase { address, reason },
                _ => Self::Database { address, doing: "connect", reason },
            },
        }
    }
}

/// What came back, in one line. Never a value that was to be written: PostgreSQL tells those in its details.
pub(crate) fn describe(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(said) => match said.code() {
            Some(code) => format!("{} ({code})", said.message()),
            None => said.message().to_owned(),
        },
        sqlx::Error::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused => "connection refused".into(),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                "the connection was lost".into()
            }
            _ => error.to_string(),
        },
        sqlx::Error::Tls(reason) => reason.to_string(),
        other => other.to_string(),
    }
}

/// Whether the database has answered, and stays as able as before: only this use of it failed.
pub(crate) fn is_of_this_use_alone(error: &sqlx::Error) -> bool {
    // 57P: the server shuts down. 25006: it is no longer the one that may be written to.
    code(error).is_some_and(|code| !code.starts_with("57P") && code != "25006")
}

/// Whether the same would succeed if it were done again: others were in its way.
pub(crate) fn is_passing(error: &sqlx::Error) -> bool {
    matches!(code(error).as_deref(), Some("40001" | "40P01"))
}

/// Whether it is what was to be written that the database refuses, however often it is tried: no such value, or none that a rule allows.
pub(crate) fn is_of_the_data(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| match code.as_str() {
        // A trigger's RAISE EXCEPTION; too large for its index or its row; nested too deeply.
        "P0001" | "54000" | "54001" => true,
        // No such value; a constraint; a view's check option.
        code => ["22", "23", "44"].iter().any(|class| code.starts_with(class)),
    })
}

/// Whether a row that was to be made is there already.
pub(crate) fn was_made_by_others(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_mends_what_the_database_answers_today_and_no_setting() {
        let address = || "db.example:5432/orders".to_owned();
        let reason = || "as it says".to_owned();
        let check = |error: Error, may_pass: bool| assert_eq!(error.may_pass(), may_pass, "{error}");
        check(Error::Refused { address: address() }, true);
        check(Error::UnknownHost { address: address() }, true);
        check(Error::Database { address: address(), doing: "connect", reason: reason() }, true);
        check(Error::Url { reason: reason() }, false);
        check(Error::Login { address: address(), user: "ann".into(), reason: reason() }, false);
        check(Error::NoDatabase { address: address(), reason: reason() }, false);
        check(Error::Tls { address: address(), reason: reason() }, false);
        check(Error::Newer { address: address(), found: 7, known: 2 }, false);
        check(Error::Edited { address: address(), version: 1 }, false);
    }
}
