use kafka_transport::Connection;

use crate::Error;

/// Which brokers. As whom we speak to them, and whom we trust, is said by the environment alone: a secret on a command line
/// would be seen by everybody on the machine.
#[derive(Debug, clap::Args)]
pub(crate) struct Brokers {
    /// The brokers, in place of KAFKA_BROKERS. Behind TLS with KAFKA_USERNAME, KAFKA_PASSWORD and KAFKA_CA_FILE or
    /// KAFKA_CA_PEM, else in plaintext.
    #[arg(long, value_name = "HOST:PORT,...")]
    pub(crate) brokers: Option<String>,
}

impl Brokers {
    /// The connection that flag and environment describe together.
    ///
    /// # Errors
    /// [`Error::Usage`] with every variable that does not serve.
    pub(crate) fn connection(&self) -> Result<Connection, Error> {
        Ok(Connection::from_environment(self.brokers.as_deref(), |name| std::env::var(name).ok())?)
    }
}

impl From<kafka_transport::Error> for Error {
    fn from(error: kafka_transport::Error) -> Self {
        match error {
            kafka_transport::Error::Settings(_) => Self::Usage(error.to_string()),
            _ => Self::failed(error),
        }
    }
}
