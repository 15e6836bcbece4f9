//! Where the brokers are, and as whom we speak to them.

use std::fmt;
use std::path::PathBuf;

use rdkafka::ClientConfig;

use crate::Error;

/// Where the brokers are, for whom, and whom we trust. Neither its `Debug` nor any error shows the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Connection {
    brokers: String,
    security: Security,
}

#[derive(Clone, PartialEq, Eq)]
enum Security {
    Plaintext,
    SaslSsl { username: String, password: String, ca: Ca },
}

/// The certificate authority that signed the brokers' certificates, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ca {
    /// In a file.
    File(PathBuf),
    /// As it is.
    Pem(String),
}

/// `HOST:PORT` of at least one broker, apart by commas; the others are learned from it.
pub const BROKERS: &str = "KAFKA_BROKERS";
/// The SCRAM-SHA-512 user. Without it the connection is plaintext.
pub const USERNAME: &str = "KAFKA_USERNAME";
/// The user's password.
pub const PASSWORD: &str = "KAFKA_PASSWORD";
/// The file of the certificate authority.
pub const CA_FILE: &str = "KAFKA_CA_FILE";
/// The certificate authority itself, in place of a file.
pub const CA_PEM: &str = "KAFKA_CA_PEM";

/// A variable, or a flag, whose value does not serve, and what would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongSetting {
    name: &'static str,
    problem: String,
}

impl WrongSetting {
    /// Which one.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What is wrong with it, and what would serve.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for WrongSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<15} {}", self.name, self.problem)
    }
}

impl Connection {
    /// Brokers without security: the embedded cluster, or one on a machine of one's own.
    pub fn plaintext(brokers: &str) -> Self {
        Self { brokers: brokers.to_owned(), security: Security::Plaintext }
    }

    /// Brokers behind TLS, which know the user by SCRAM-SHA-512.
    pub fn sasl_ssl(brokers: &str, username: &str, password: &str, ca: Ca) -> Self {
        let (username, password) = (username.to_owned(), password.to_owned());
        Self { brokers: brokers.to_owned(), security: Security::SaslSsl { username, password, ca } }
    }

    /// Reads [`BROKERS`], [`USERNAME`], [`PASSWORD`], [`CA_FILE`] and [`CA_PEM`] through `variable`; `brokers`, which a command
    /// was given as `--brokers`, goes before the first of them. An empty value is none.
    ///
    /// # Errors
    /// [`Error::Settings`] with every variable that does not serve.
    pub fn from_environment(brokers: Option<&str>, variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let mut wrong = Vec::new();
        let mut refuse = |name, problem: String| wrong.push(WrongSetting { name, problem });
        let stated_by = if brokers.is_some() { "--brokers" } else { BROKERS };
        let brokers = brokers.map(str::to_owned).or_else(|| variable(BROKERS)).unwrap_or_default();
        if brokers.is_empty() {
            refuse(stated_by, "missing: set HOST:PORT,HOST:PORT".into());
        } else if let Some(found) = brokers.split(',').find(|broker| !is_address(broker)) {
            refuse(stated_by, format!("found {found:?}, allowed HOST:PORT,HOST:PORT"));
        }
        let (username, password) = (variable(USERNAME), variable(PASSWORD));
        let (ca_file, ca_pem) = (variable(CA_FILE), variable(CA_PEM));
        let Some(username) = username else {
            for (name, value) in [(PASSWORD, password), (CA_FILE, ca_file), (CA_PEM, ca_pem)] {
                if value.is_some() {
                    refuse(name, format!("set without {USERNAME}: set both, or neither for a plaintext listener"));
                }
            }
            return settings(wrong, || Self::plaintext(&brokers));
        };
        if password.is_none() {
            refuse(PASSWORD, format!("missing: {USERNAME} is set"));
        }
        let ca = match (ca_file, ca_pem) {
            (Some(file), None) => {
                match std::fs::read(&file) {
                    Ok(bytes) if holds_certificate(&bytes) => {}
                    Ok(_) => refuse(CA_FILE, format!("{file}: holds no certificate in PEM")),
                    Err(error) => refuse(CA_FILE, format!("{file}: {error}")),
                }
                Ca::File(file.into())
            }
            (None, Some(pem)) => {
                if !holds_certificate(pem.as_bytes()) {
                    refuse(CA_PEM, "holds no certificate in PEM".into());
                }
                Ca::Pem(pem)
            }
            (None, None) => {
                refuse(CA_FILE, format!("missing: {USERNAME} is set; {CA_PEM} would serve too"));
                Ca::Pem(String::new())
            }
            (Some(_), Some(_)) => {
                refuse(CA_FILE, format!("set beside {CA_PEM}: keep one of them"));
                Ca::Pem(String::new())
            }
        };
        settings(wrong, || Self::sasl_ssl(&brokers, &username, &password.unwrap_or_default(), ca))
    }

    /// Reads them from lines `NAME=VALUE`, as a credentials file has them, which shells and systemd read alike; `brokers` goes
    /// before the first of them.
    ///
    /// # Errors
    /// As [`Connection::from_environment`].
    pub fn parse(brokers: Option<&str>, lines: &str) -> Result<Self, Error> {
        let value = |name: &str| lines.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        Self::from_environment(brokers, |name| value(name).map(str::to_owned))
    }

    /// The same user and the same trust, at other addresses.
    pub fn at(&self, brokers: &str) -> Self {
        Self { brokers: brokers.to_owned(), security: self.security.clone() }
    }

    /// The addresses that it was given.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Who it speaks as; `None` on a plaintext connection.
    pub fn user(&self) -> Option<&str> {
        match &self.security {
            Security::Plaintext => None,
            Security::SaslSsl { username, .. } => Some(username),
        }
    }

    /// Who it speaks as, in Kafka's words: it has one for somebody who has not said who it is, too.
    pub(crate) fn principal(&self) -> &str {
        self.user().unwrap_or("ANONYMOUS")
    }

    /// The variables that [`Connection::from_environment`] would read it from: for a process that we start. They hold the
    /// password.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![(BROKERS, self.brokers.clone())];
        if let Security::SaslSsl { username, password, ca } = &self.security {
            variables.extend([(USERNAME, username.clone()), (PASSWORD, password.clone())]);
            variables.push(match ca {
                Ca::File(file) => (CA_FILE, file.to_string_lossy().into_owned()),
                Ca::Pem(pem) => (CA_PEM, pem.clone()),
            });
        }
        variables
    }

    /// What librdkafka is told of it.
    pub(crate) fn configure(&self, config: &mut ClientConfig) {
        config.set("bootstrap.servers", &self.brokers);
        let Security::SaslSsl { username, password, ca } = &self.security else { return };
        config
            .set("security.protocol", "SASL_SSL")
            .set("sasl.mechanism", "SCRAM-SHA-512")
            .set("sasl.username", username)
            .set("sasl.password", password);
        match ca {
            Ca::File(file) => config.set("ssl.ca.location", file.to_string_lossy()),
            Ca::Pem(pem) => config.set("ssl.ca.pem", pem),
        };
    }
}

fn settings(wrong: Vec<WrongSetting>, connection: impl FnOnce() -> Connection) -> Result<Connection, Error> {
    if wrong.is_empty() { Ok(connection()) } else { Err(Error::Settings(wrong)) }
}

fn holds_certificate(pem: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    pem.windows(BEGIN.len()).any(|window| window == BEGIN)
}

fn is_address(broker: &str) -> bool {
    broker
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.user() {
            None => write!(f, "{} in plaintext", self.brokers),
            Some(user) => write!(f, "{} as {user}", self.brokers),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

    fn read(brokers: Option<&str>, variables: &[(&str, &str)]) -> Result<Connection, String> {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into());
        Connection::from_environment(brokers, variable).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refuses(variables: &[(&str, &str)], expected: &str) {
        assert_eq!(read(None, variables).err().as_deref(), Some(expected));
    }

    #[test]
    fn brokers_alone_are_a_plaintext_connection() {
        assert_eq!(read(None, &[(BROKERS, "a:9092,b:9092")]), Ok(Connection::plaintext("a:9092,b:9092")));
        assert_eq!(read(None, &[(BROKERS, "a:9092"), (USERNAME, "")]), Ok(Connection::plaintext("a:9092")));
    }

    #[test]
    fn an_argument_goes_before_the_variable() {
        assert_eq!(read(Some("b:1"), &[(BROKERS, "a:9092")]), Ok(Connection::plaintext("b:1")));
    }

    #[test]
    fn a_user_comes_with_a_password_and_one_ca() {
        let variables = [(BROKERS, "a:9093"), (USERNAME, "shop"), (PASSWORD, "secret"), (CA_PEM, PEM)];
        let expected = Connection::sasl_ssl("a:9093", "shop", "secret", Ca::Pem(PEM.into()));
        assert_eq!(read(None, &variables), Ok(expected));
    }

    #[test]
    fn a_connection_is_read_back_from_its_variables() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(PEM.as_bytes()).unwrap();
        for connection in [
            Connection::plaintext("a:9092"),
            Connection::sasl_ssl("a:9093", "shop", "secret", Ca::Pem(PEM.into())),
            Connection::sasl_ssl("a:9093", "shop", "secret", Ca::File(file.path().into())),
        ] {
            let variables = connection.variables();
            let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(read(None, &variables), Ok(connection));
        }
    }

    #[test]
    fn lines_of_a_credentials_file_are_a_connection() {
        let lines = "KAFKA_USERNAME_OF=x\nKAFKA_BROKERS=a:9092\n";
        assert_eq!(Connection::parse(None, lines).unwrap(), Connection::plaintext("a:9092"));
        assert_eq!(Connection::parse(Some("b:1"), lines).unwrap(), Connection::plaintext("b:1"));
    }

    #[test]
    fn every_problem_is_told_at_once() {
        refuses(&[], "1 setting is wrong\n  KAFKA_BROKERS   missing: set HOST:PORT,HOST:PORT");
        refuses(
            &[(BROKERS, "a:9093,b"), (USERNAME, "shop")],
            "3 settings are wrong\n  KAFKA_BROKERS   found \"b\", allowed HOST:PORT,HOST:PORT\n  \
             KAFKA_PASSWORD  missing: KAFKA_USERNAME is set\n  \
             KAFKA_CA_FILE   missing: KAFKA_USERNAME is set; KAFKA_CA_PEM would serve too",
        );
        refuses(
            &[(BROKERS, "a:0"), (PASSWORD, "secret")],
            "2 settings are wrong\n  KAFKA_BROKERS   found \"a:0\", allowed HOST:PORT,HOST:PORT\n  \
             KAFKA_PASSWORD  set without KAFKA_USERNAME: set both, or neither for a plaintext listener",
        );
        let given = read(Some("a"), &[(BROKERS, "b:9092")]).unwrap_err();
        assert_eq!(given, "1 setting is wrong\n  --brokers       found \"a\", allowed HOST:PORT,HOST:PORT");
        let user = [(BROKERS, "a:9093"), (USERNAME, "shop"), (PASSWORD, "secret")];
        refuses(
            &[&user[..], &[(CA_PEM, PEM), (CA_FILE, "ca.pem")]].concat(),
            "1 setting is wrong\n  KAFKA_CA_FILE   set beside KAFKA_CA_PEM: keep one of them",
        );
        refuses(
            &[&user[..], &[(CA_PEM, "nonsense")]].concat(),
            "1 setting is wrong\n  KAFKA_CA_PEM    holds no certificate in PEM",
        );
        refuses(
            &[&user[..], &[(CA_FILE, "/nowhere/ca.pem")]].concat(),
            "1 setting is wrong\n  KAFKA_CA_FILE   /nowhere/ca.pem: No such file or directory (os error 2)",
        );
        refuses(
            &[&user[..], &[(CA_FILE, "Cargo.toml")]].concat(),
            "1 setting is wrong\n  KAFKA_CA_FILE   Cargo.toml: holds no certificate in PEM",
        );
        refuses(
            &[&user[..], &[(CA_FILE, "src")]].concat(),
            "1 setting is wrong\n  KAFKA_CA_FILE   src: Is a directory (os error 21)",
        );
    }

    #[test]
    fn nothing_that_is_printed_holds_the_password() {
        let connection = Connection::sasl_ssl("a:9093", "shop", "secret", Ca::Pem(PEM.into()));
        assert_eq!(format!("{connection:?}"), "a:9093 as shop");
    }
}
