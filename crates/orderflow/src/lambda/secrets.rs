//! Each service's user and the brokers' CA, as the secrets that functions and mappings name.

use std::collections::BTreeMap;
use std::path::Path;

use kafka_transport::{CA_FILE, CA_PEM, Connection, PASSWORD, USERNAME};
use serde_json::{Value, json};
use topology::{Host, Topology};

use crate::Error;

/// The secret of the brokers' CA.
const CA: &str = "orderflow/kafka/ca";

/// Texts by the names of their secrets; none where brokers have no security. Without `Debug`: they hold passwords.
#[derive(Default)]
pub(super) struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Reads the credentials of each service on Lambda, `SERVICE.env` in the folder; gives the brokers that they name, or those
    /// that go before them.
    ///
    /// # Errors
    /// Where a file is missing, or is none of a user behind TLS.
    pub(super) fn read(folder: &Path, brokers: Option<&str>, topology: &Topology) -> Result<(String, Self), Error> {
        let mut secrets = Self::default();
        let mut all = String::new();
        for service in topology.services().filter(|service| service.host == Host::Lambda) {
            let path = folder.join(format!("{}.env", service.name));
            let refuse = |problem: String| Error::Usage(format!("{}: {problem}", path.display()));
            let text = std::fs::read_to_string(&path).map_err(|error| refuse(error.to_string()))?;
            let connection = Connection::parse(brokers, &text).map_err(|error| refuse(error.to_string()))?;
            secrets.add(&service.name, &connection).map_err(refuse)?;
            connection.brokers().clone_into(&mut all);
        }
        Ok((all, secrets))
    }

    fn add(&mut self, service: &str, connection: &Connection) -> Result<(), String> {
        let variables: BTreeMap<&str, String> = connection.variables().into_iter().collect();
        let (Some(username), Some(password)) = (variables.get(USERNAME), variables.get(PASSWORD)) else {
            return Err(format!("names no {USERNAME}: without security --brokers is enough"));
        };
        let certificate = match (variables.get(CA_FILE), variables.get(CA_PEM)) {
            (Some(file), _) => std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?,
            (None, pem) => pem.cloned().unwrap_or_default(),
        };
        self.0.insert(user(service), json!({"username": username, "password": password}).to_string());
        self.0.insert(CA.to_owned(), json!({"certificate": certificate}).to_string());
        Ok(())
    }

    /// As the emulator takes them.
    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        self.0.clone()
    }

    /// The variables by which a service's function finds its own.
    pub(super) fn variables(&self, service: &str) -> Vec<(&'static str, String)> {
        let secret = user(service);
        if !self.0.contains_key(&secret) {
            return Vec::new();
        }
        vec![(USERNAME, service.to_owned()), ("KAFKA_SECRET_ID", secret), ("KAFKA_CA_SECRET_ID", CA.to_owned())]
    }

    /// The `SourceAccessConfigurations` of a service's mappings.
    pub(super) fn access(&self, service: &str) -> Option<Value> {
        let secret = user(service);
        let access = || json!([{"Type": "SASL_SCRAM_512_AUTH", "URI": secret}, {"Type": "SERVER_ROOT_CA_CERTIFICATE", "URI": CA}]);
        self.0.contains_key(&secret).then(access)
    }
}

/// The secret of a service's user.
fn user(service: &str) -> String {
    format!("orderflow/kafka/{service}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

    /// A folder with the credentials of these services.
    fn folder(topology: &Topology, lines: impl Fn(&str, &str) -> String) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, PEM).unwrap();
        for service in topology.services() {
            let text = lines(&service.name, &ca.display().to_string());
            std::fs::write(folder.path().join(format!("{}.env", service.name)), text).unwrap();
        }
        folder
    }

    #[test]
    fn each_function_has_a_secret_of_its_own_and_the_ca_is_that_of_all() {
        let topology = Topology::built_in().unwrap();
        let lines = |service: &str, ca: &str| {
            format!(
                "KAFKA_BROKERS=a:1,b:2\nKAFKA_USERNAME={service}\nKAFKA_PASSWORD=of-{service}\nKAFKA_CA_FILE={ca}\n"
            )
        };
        let folder = folder(&topology, lines);
        let (brokers, secrets) = Secrets::read(folder.path(), None, &topology).unwrap();
        assert_eq!(brokers, "a:1,b:2");
        let texts = secrets.texts();
        assert_eq!(
            texts.keys().collect::<Vec<_>>(),
            [
                "orderflow/kafka/ca",
                "orderflow/kafka/inventory_manager",
                "orderflow/kafka/notification_handler",
                "orderflow/kafka/order_generator",
                "orderflow/kafka/payment_processor",
                "orderflow/kafka/shipping_handler",
            ],
            "none for a worker"
        );
        assert_eq!(
            texts["orderflow/kafka/shipping_handler"],
            r#"{"password":"of-shipping_handler","username":"shipping_handler"}"#
        );
        assert_eq!(texts["orderflow/kafka/ca"], json!({"certificate": PEM}).to_string());
        let variables = secrets.variables("shipping_handler");
        let (_, named): (Vec<_>, Vec<_>) = variables.into_iter().unzip();
        assert_eq!(named, ["shipping_handler", "orderflow/kafka/shipping_handler", "orderflow/kafka/ca"]);
        assert_eq!(secrets.access("shipping_handler").unwrap()[0]["URI"], "orderflow/kafka/shipping_handler");
        assert_eq!((secrets.variables("hello_world"), secrets.access("hello_world")), (Vec::new(), None));
        let (brokers, _) = Secrets::read(folder.path(), Some("c:3"), &topology).unwrap();
        assert_eq!(brokers, "c:3");
    }

    #[test]
    fn credentials_that_do_not_serve_are_refused_with_their_file() {
        let topology = Topology::built_in().unwrap();
        let refused = |folder: &Path| Secrets::read(folder, None, &topology).err().unwrap().to_string();
        let missing = refused(Path::new("/nowhere"));
        assert!(missing.starts_with("/nowhere/") && missing.contains(".env: No such file"), "{missing}");
        let plaintext = refused(folder(&topology, |_, _| "KAFKA_BROKERS=a:1\n".to_owned()).path());
        assert!(
            plaintext.ends_with(".env: names no KAFKA_USERNAME: without security --brokers is enough"),
            "{plaintext}"
        );
    }
}
