use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use kafka_transport::{BROKERS, CA_FILE, CA_PEM, Connection, Error, PASSWORD, USERNAME};

use super::Finding;
use crate::connect::Brokers;
use crate::programs::said;
use crate::stores::Database;

mod aws; // as whom it would be asked

/// How long `openssl` may take for a certificate.
const DEADLINE: Duration = Duration::from_secs(5);

/// How early it is told that a certificate will not hold any more.
const SOON: Duration = Duration::from_secs(30 * 24 * 3_600);

/// The connection that flag and environment describe, if they describe one, and what is to be said of all credentials.
pub(super) fn look(brokers: &Brokers) -> (Option<Connection>, Vec<Finding>) {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let is_described = brokers.brokers.is_some()
        || [BROKERS, USERNAME, PASSWORD, CA_FILE, CA_PEM].iter().any(|name| variable(name).is_some());
    let (connection, mut findings) = if is_described {
        kafka(Connection::from_environment(brokers.brokers.as_deref(), variable))
    } else {
        let found =
            format!("{BROKERS} is not set: `orderflow run` has a Kafka of its own, other commands want --brokers");
        (None, vec![Finding::ok("Kafka", found)])
    };
    findings.extend(connection.as_ref().and_then(authority));
    findings.push(database());
    findings.push(aws::look());
    findings.extend(dot_env());
    (connection, findings)
}

/// Whether the settings are complete and go together.
fn kafka(read: Result<Connection, Error>) -> (Option<Connection>, Vec<Finding>) {
    match read {
        Ok(connection) => {
            let found = match connection.user() {
                None => format!("{} in plaintext", connection.brokers()),
                Some(user) => format!("{} behind TLS, as {user}", connection.brokers()),
            };
            (Some(connection), vec![Finding::ok("Kafka", found)])
        }
        Err(Error::Settings(wrong)) => {
            let finding = |setting: &kafka_transport::WrongSetting| {
                Finding::wrong(setting.name(), setting.problem(), ".env.example says what each variable means")
            };
            (None, wrong.iter().map(finding).collect())
        }
        Err(error) => (None, vec![Finding::told("Kafka", &error)]),
    }
}

/// Whether the authority's certificate holds, and will next month; nothing where nobody can tell.
fn authority(connection: &Connection) -> Option<Finding> {
    let (name, value) = connection.variables().into_iter().find(|(name, _)| [CA_FILE, CA_PEM].contains(name))?;
    let pem = if name == CA_FILE { fs::read(&value).ok()? } else { value.into_bytes() };
    let ask = |arguments: &[&str]| {
        let mut openssl = Command::new("openssl");
        openssl.args(["x509", "-noout"]).args(arguments);
        said(openssl, &pem, DEADLINE).ok()
    };
    let until = ask(&["-enddate"])?;
    let holds =
        |later: Duration| ask(&["-checkend", &later.as_secs().to_string()]).is_some_and(|said| said.has_succeeded);
    let until = until.text.strip_prefix("notAfter=").filter(|_| until.has_succeeded);
    Some(of_authority(name, until, holds(Duration::ZERO), holds(SOON)))
}

fn of_authority(name: &str, until: Option<&str>, holds: bool, holds_next_month: bool) -> Finding {
    let anew = "have whoever runs the cluster give you the new one, or make one: docs/deployment/ansible.md";
    match until {
        None => Finding::wrong(
            name,
            "openssl cannot read its first certificate",
            "name the CA in PEM, as whoever made it wrote it",
        ),
        Some(until) if !holds => Finding::wrong(name, format!("does not hold since {until}"), anew),
        Some(until) if !holds_next_month => Finding::warning(name, format!("holds only until {until}"), anew),
        Some(until) => Finding::ok(name, format!("holds until {until}")),
    }
}

fn database() -> Finding {
    const NAME: &str = "DATABASE_URL";
    match Database::of_environment() {
        None => Finding::ok(NAME, "not set: food_consumer, `audit food`, `history` and `rebuild` want one"),
        Some(database) => match database.answers() {
            Ok(found) => Finding::ok(NAME, found),
            Err(error) => {
                let text = error.to_string();
                let text = text.strip_prefix("DATABASE_URL: ").unwrap_or(&text);
                Finding::told(NAME, &text)
            }
        },
    }
}

/// A file of secrets that others on this machine may read.
fn dot_env() -> Option<Finding> {
    const FILE: &str = ".env";
    let mode = fs::metadata(FILE).ok()?.permissions().mode();
    let text = fs::read_to_string(FILE).unwrap_or_default();
    Some(of_dot_env(mode, &text))
}

fn of_dot_env(mode: u32, text: &str) -> Finding {
    const OTHERS: u32 = 0o077;
    let is_secret = |line: &str| {
        let name = line.trim_start().trim_start_matches("export ");
        [PASSWORD, "DATABASE_URL", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
            .iter()
            .any(|secret| name.starts_with(secret))
    };
    if mode & OTHERS != 0 && text.lines().any(is_secret) {
        Finding::warning(".env", "holds secrets, and others on this machine may read it", "`chmod 600 .env`")
    } else {
        Finding::ok(".env", "is read, behind what is set already")
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn each_setting_of_kafka_that_does_not_serve_is_told_and_no_password_is() {
        let of = |variables: &[(&str, &str)]| {
            let variable =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            kafka(Connection::from_environment(None, variable)).1
        };
        let found = of(&[(BROKERS, "a:9093"), (PASSWORD, "secret")]);
        assert_eq!((found.len(), found[0].what.as_str(), found[0].level), (1, PASSWORD, Level::Wrong));
        assert!(found[0].found.starts_with("set without KAFKA_USERNAME"), "{found:?}");
        assert_eq!(of(&[(USERNAME, "shop")]).len(), 3);
        assert_eq!(of(&[(BROKERS, "a:9092")]), [Finding::ok("Kafka", "a:9092 in plaintext")]);
        let pem = "-----BEGIN CERTIFICATE-----\n";
        let found = of(&[(BROKERS, "a:9093"), (USERNAME, "shop"), (PASSWORD, "secret"), (CA_PEM, pem)]);
        assert_eq!(found, [Finding::ok("Kafka", "a:9093 behind TLS, as shop")]);
    }

    #[test]
    fn an_authority_that_holds_no_more_is_wrong_and_one_that_soon_will_not_is_a_warning() {
        let level = |until, holds, later| of_authority(CA_FILE, until, holds, later).level;
        let until = Some("Jan  2 00:00:00 2036 GMT");
        assert_eq!([level(until, true, true), level(until, true, false)], [Level::Ok, Level::Warning]);
        assert_eq!([level(until, false, false), level(None, false, false)], [Level::Wrong, Level::Wrong]);
    }

    #[test]
    fn secrets_that_others_may_read_are_a_warning() {
        let level = |mode, text| of_dot_env(mode, text).level;
        assert_eq!(level(0o100_644, "# x\nDATABASE_URL='postgres://a:b@c/d'\n"), Level::Warning);
        assert_eq!(level(0o100_600, "DATABASE_URL='postgres://a:b@c/d'\n"), Level::Ok);
        assert_eq!(level(0o100_644, "#KAFKA_PASSWORD=\nKAFKA_BROKERS=localhost:9092\n"), Level::Ok);
    }
}
