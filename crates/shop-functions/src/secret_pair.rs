//! The two secrets of a function: its user and the brokers' CA. They are the very ones that its mappings name, so that a
//! password stands in one place and is changed there.

use kafka_transport::{BROKERS, Ca, Connection, USERNAME};
use serde::Deserialize;

use crate::Failure;
use crate::credentials::{CA_SECRET_ID, SECRET_ID, lines_of};
use crate::secrets_manager::{SecretError, SecretsManager};
use crate::settings::line;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// A user whose password is in a secret, and the brokers' CA in another. Without `Debug`, because it has the keys of AWS.
pub(crate) struct SecretPair {
    brokers: String,
    username: String,
    user: String,
    ca: String,
    manager: SecretsManager,
}

#[derive(Deserialize)]
struct User {
    username: String,
    password: String,
}

#[derive(Deserialize)]
struct CaCertificate {
    certificate: String,
}

impl SecretPair {
    /// Which secrets, and how they are asked for; `wrong` is what is known to be wrong already.
    pub(crate) fn read(variable: &dyn Fn(&str) -> Option<String>, wrong: Vec<String>) -> Result<Self, Vec<String>> {
        // Whoever reads brokers elsewhere reads them here, too.
        let brokers = Connection::from_environment(None, |name| variable(name).filter(|_| name == BROKERS));
        let (brokers, mut problems) = match brokers {
            Ok(connection) => (connection.brokers().to_owned(), Vec::new()),
            Err(error) => (String::new(), lines_of(error)),
        };
        problems.extend(wrong);
        let mut needed = |name: &str, why: String| {
            variable(name).unwrap_or_else(|| {
                problems.push(line(name, &format!("missing: {why}")));
                String::new()
            })
        };
        let username = needed(USERNAME, format!("set the user of {SECRET_ID}"));
        let user = needed(SECRET_ID, format!("{CA_SECRET_ID} is set, and both are needed"));
        let ca = needed(CA_SECRET_ID, format!("{SECRET_ID} is set, and both are needed"));
        match SecretsManager::read(variable) {
            Ok(manager) if problems.is_empty() => Ok(Self { brokers, username, user, ca, manager }),
            Ok(_) => Err(problems),
            Err(lines) => Err([problems, lines].concat()),
        }
    }

    /// Fetches both, and makes a connection of them.
    ///
    /// # Errors
    /// Which of them cannot be had or does not serve, and what to check; never what is in it.
    pub(crate) fn fetch(&self) -> Result<Connection, Failure> {
        let [user, ca] = self.manager.fetch([(SECRET_ID, &self.user), (CA_SECRET_ID, &self.ca)])?;
        Ok(self.connection(&user, &ca)?)
    }

    /// Where they came from, for who finds that the brokers take neither.
    pub(crate) fn origin(&self) -> String {
        format!("the password is from secret {}, the CA from secret {}", self.user, self.ca)
    }

    fn connection(&self, user: &str, ca: &str) -> Result<Connection, SecretError> {
        let user_problem = |problem: String| SecretError::new(SECRET_ID, &self.user, problem);
        let ca_problem = |problem: &str| SecretError::new(CA_SECRET_ID, &self.ca, problem);
        let User { username, password } = serde_json::from_str(user)
            .map_err(|_| user_problem(r#"allowed {"username": "..", "password": ".."}"#.to_owned()))?;
        if username != self.username {
            return Err(user_problem(format!("it is of user {username:?}, but {USERNAME} is {:?}", self.username)));
        }
        let CaCertificate { certificate } = serde_json::from_str(ca)
            .map_err(|_| ca_problem(r#"allowed {"certificate": "-----BEGIN CERTIFICATE-----.."}"#))?;
        if !certificate.contains(CERTIFICATE) {
            return Err(ca_problem("its certificate is none in PEM"));
        }
        Ok(Connection::sasl_ssl(&self.brokers, &username, &password, Ca::Pem(certificate)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = r#"{"username": "shop", "password": "hidden"}"#;
    const CA: &str = r#"{"certificate": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"}"#;

    fn pair() -> SecretPair {
        let variable = |name: &str| {
            let value = match name {
                "KAFKA_BROKERS" => "a:9093,b:9093",
                "KAFKA_USERNAME" => "shop",
                "KAFKA_SECRET_ID" => "user/shop",
                "KAFKA_CA_SECRET_ID" => "ca",
                "AWS_REGION" => "eu-central-1",
                "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "key",
                _ => return None,
            };
            Some(value.to_owned())
        };
        SecretPair::read(&variable, Vec::new()).map_err(|lines| lines.join("\n")).ok().unwrap()
    }

    #[track_caller]
    fn refuses(user: &str, ca: &str, expected: &str) {
        let refused = pair().connection(user, ca).unwrap_err().to_string();
        assert_eq!(refused, expected);
        assert!(!refused.contains("hidden"));
    }

    #[test]
    fn the_secrets_of_the_mappings_are_a_connection() {
        let pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".to_owned();
        let expected = Connection::sasl_ssl("a:9093,b:9093", "shop", "hidden", Ca::Pem(pem));
        assert_eq!(pair().connection(USER, CA).unwrap(), expected);
    }

    #[test]
    fn a_secret_that_does_not_serve_is_named_and_not_shown() {
        let form = r#"secret user/shop (KAFKA_SECRET_ID): allowed {"username": "..", "password": ".."}"#;
        refuses("hidden", CA, form);
        refuses(r#"{"username": "shop", "pass": "hidden"}"#, CA, form);
        refuses(
            r#"{"username": "mailer", "password": "hidden"}"#,
            CA,
            r#"secret user/shop (KAFKA_SECRET_ID): it is of user "mailer", but KAFKA_USERNAME is "shop""#,
        );
        let form = r#"secret ca (KAFKA_CA_SECRET_ID): allowed {"certificate": "-----BEGIN CERTIFICATE-----.."}"#;
        refuses(USER, USER, form);
        let none = "secret ca (KAFKA_CA_SECRET_ID): its certificate is none in PEM";
        refuses(USER, r#"{"certificate": "MIIB"}"#, none);
    }
}
