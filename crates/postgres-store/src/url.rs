//! What a database's URL may say.

use std::fmt;
use std::str::FromStr;

use nix::unistd::{User, geteuid};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use crate::Error;

const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
/// What may stand behind the question mark. Anything else is a mistake: misspelt, `sslmode` would be silently left out.
const PARAMETERS: [&str; 6] = ["host", "sslmode", "sslrootcert", "sslcert", "sslkey", "application_name"];
/// How a connection is encrypted. Without `allow`, for which the client does nothing.
const MODES: [&str; 5] = ["disable", "prefer", "require", "verify-ca", "verify-full"];
/// Those of them that look at a certificate: only with them an authority means something.
const VERIFYING: [&str; 2] = ["verify-ca", "verify-full"];

const APPLICATION: &str = "orderflow";

/// Reads a URL; whatever it leaves out is taken from the variables of libpq (`PGHOST`, `PGPASSWORD`, ...), if they are there.
pub(crate) fn parse(url: &str) -> Result<PgConnectOptions, Error> {
    let wrong = |reason: String| Error::Url { reason };
    if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
        return Err(wrong("it does not begin with postgres://".into()));
    }
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    let parameters = || parameters.split('&').filter(|parameter| !parameter.is_empty());
    let pairs = || parameters().map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")));
    if let Some((name, _)) = pairs().find(|(name, _)| !PARAMETERS.contains(name)) {
        return Err(wrong(format!("it may not say `{name}`, allowed are {}", PARAMETERS.join(", "))));
    }
    let value_of = |asked: &str| pairs().find(|(name, _)| *name == asked).map(|(_, value)| value);
    let mode = value_of("sslmode");
    if let Some(mode) = mode.filter(|mode| !MODES.contains(mode)) {
        return Err(wrong(format!("sslmode is `{mode}`, allowed are {}", MODES.join(", "))));
    }
    let verifies = mode.is_some_and(|mode| VERIFYING.contains(&mode));
    if value_of("sslrootcert").is_some() && !verifies {
        return Err(wrong("it names an authority (sslrootcert) that nobody would ask; add sslmode=verify-full".into()));
    }
    let mut options = PgConnectOptions::from_str(url).map_err(|error| wrong(reason(&error)))?;
    if !names_a_user(url)
        && std::env::var_os("PGUSER").is_none()
        && let Ok(Some(user)) = User::from_uid(geteuid())
    {
        options = options.username(&user.name); // as psql does; sqlx knows no name then
    }
    if options.get_application_name().is_none() {
        options = options.application_name(APPLICATION);
    }
    Ok(options.disable_statement_logging())
}

fn names_a_user(url: &str) -> bool {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
    authority.rsplit_once('@').is_some_and(|(user, _)| !user.is_empty() && !user.starts_with(':'))
}

fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Configuration(reason) => reason.to_string(),
        other => other.to_string(),
    }
}

/// Where a database is, as errors name it: `HOST:PORT/DATABASE`.
#[derive(Clone, Debug)]
pub(crate) struct Address(String);

impl Address {
    pub(crate) fn of(options: &PgConnectOptions) -> Self {
        let database = options.get_database().unwrap_or_else(|| options.get_username());
        Self(match options.get_socket() {
            Some(socket) => format!("{}/{database}", socket.display()),
            None => format!("{}:{}/{database}", options.get_host(), options.get_port()),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_a_user_is_that_of_whoever_runs_us() {
        let user_of = |url: &str| parse(url).unwrap().get_username().to_owned();
        let us = || User::from_uid(geteuid()).unwrap().unwrap().name;
        let expected = std::env::var("PGUSER").unwrap_or_else(|_| us());
        for url in ["postgres://localhost/orderflow", "postgres:///orderflow?host=/a@b", "postgres://localhost"] {
            assert_eq!(user_of(url), expected, "{url}");
        }
        assert_eq!(user_of("postgres://ann@localhost/orderflow"), "ann");
        assert_eq!(user_of("postgres://ann:p%40ss@localhost/orderflow"), "ann");
    }

    #[track_caller]
    fn check(url: &str, expected: &str) {
        let found = parse(url).map(|options| Address::of(&options).to_string());
        assert_eq!(found.unwrap_or_else(|error| error.to_string()), expected);
    }

    #[test]
    fn a_url_says_where_the_database_is() {
        check("postgres://saga:secret@db.example:5433/orders?sslmode=require", "db.example:5433/orders");
        check("postgresql://saga@db.example/orders", "db.example:5432/orders");
        check("postgres://saga@%2Frun%2Fpostgresql/orders", "/run/postgresql/orders");
    }

    #[test]
    fn a_wrong_url_is_refused_without_telling_its_password() {
        const FORM: &str =
            "; its form is postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full&sslrootcert=FILE";
        let refused = |url: &str, reason: &str| check(url, &format!("the database's URL is wrong: {reason}{FORM}"));
        refused("saga:secret@db.example/orders", "it does not begin with postgres://");
        refused("postgres://saga:secret@db.example:port/orders", "invalid port number");
        refused(
            "postgres://saga:secret@db.example/orders?ssl_mode=require",
            "it may not say `ssl_mode`, allowed are host, sslmode, sslrootcert, sslcert, sslkey, application_name",
        );
        refused(
            "postgres://saga:secret@db.example/orders?sslmode=on",
            "sslmode is `on`, allowed are disable, prefer, require, verify-ca, verify-full",
        );
        refused(
            "postgres://saga:secret@db.example/orders?sslmode=require&sslrootcert=ca.pem",
            "it names an authority (sslrootcert) that nobody would ask; add sslmode=verify-full",
        );
    }
}
