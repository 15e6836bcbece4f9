//! As whom a function speaks to Kafka: the user's password and the CA stand in its environment, or in two secrets.

use kafka_transport::{CA_FILE, CA_PEM, Connection, Error as KafkaError, PASSWORD};

#[cfg(feature = "secrets-manager")]
use crate::secret_pair::SecretPair;
use crate::settings::line;

/// The secret of the user: `{"username": .., "password": ..}`, as the mappings' `SASL_SCRAM_512_AUTH` has it.
pub(crate) const SECRET_ID: &str = "KAFKA_SECRET_ID";
/// The secret of the CA: `{"certificate": ..}`, as the mappings' `SERVER_ROOT_CA_CERTIFICATE` has it.
pub(crate) const CA_SECRET_ID: &str = "KAFKA_CA_SECRET_ID";

/// How a function comes to its connection.
pub(crate) enum Credentials {
    /// All of it stands in the environment.
    Stated(Connection),
    /// The environment names secrets.
    #[cfg(feature = "secrets-manager")]
    InSecrets(SecretPair),
}

impl Credentials {
    /// Reads them through `variable`, for which an empty value is none. Nobody is asked for a secret yet.
    ///
    /// # Errors
    /// A line for each variable that does not serve.
    pub(crate) fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<String>> {
        if variable(SECRET_ID).or_else(|| variable(CA_SECRET_ID)).is_none() {
            return Connection::from_environment(None, variable).map(Self::Stated).map_err(lines_of);
        }
        let stated = [PASSWORD, CA_FILE, CA_PEM].into_iter().filter(|name| variable(name).is_some());
        let twice = |name| {
            line(name, &format!("set beside {SECRET_ID} or {CA_SECRET_ID}: keep the secrets, or what they hold"))
        };
        Self::in_secrets(variable, stated.map(twice).collect())
    }

    #[cfg(feature = "secrets-manager")]
    fn in_secrets(variable: &dyn Fn(&str) -> Option<String>, wrong: Vec<String>) -> Result<Self, Vec<String>> {
        SecretPair::read(variable, wrong).map(Self::InSecrets)
    }

    #[cfg(not(feature = "secrets-manager"))]
    fn in_secrets(_: &dyn Fn(&str) -> Option<String>, mut wrong: Vec<String>) -> Result<Self, Vec<String>> {
        wrong.push(line(SECRET_ID, "set, but this program was built without the feature secrets-manager"));
        Err(wrong)
    }
}

/// What is wrong with variables, a line each.
pub(crate) fn lines_of(error: KafkaError) -> Vec<String> {
    match error {
        KafkaError::Settings(settings) => settings.iter().map(ToString::to_string).collect(),
        other => vec![other.to_string()],
    }
}
