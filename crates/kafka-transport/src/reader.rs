//! Asks brokers, and tells why where there is no answer.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};

use crate::heard::Heard;
use crate::{Connection, Error};

/// A client that reads no records: it asks what there is.
pub(crate) struct Reader {
    connection: Connection,
    client: BaseConsumer<Heard>,
    heard: Heard,
}

impl Reader {
    pub(crate) fn new(connection: &Connection, config: &ClientConfig) -> Result<Self, Error> {
        let heard = Heard::default();
        let client = config.create_with_context(heard.clone()).map_err(Error::kafka("reader: create"))?;
        Ok(Self { connection: connection.clone(), client, heard })
    }

    /// Asks until there is an answer, for 10 seconds at most. That the user has not the right to `operation` on `resource` is
    /// an answer, too.
    pub(crate) fn ask<T>(
        &self,
        operation: &'static str,
        resource: &str,
        question: impl Fn(&BaseConsumer<Heard>, Duration) -> KafkaResult<T>,
    ) -> Result<T, Error> {
        let question = |wait| match question(&self.client, wait) {
            Err(error) if error.rdkafka_error_code().is_some_and(is_forbidden) => Ok(None),
            answer => answer.map(Some),
        };
        let serve = || while self.client.poll(Duration::from_millis(1)).is_some() {};
        let answer = self.heard.ask(&self.connection, question, serve)?;
        answer.ok_or_else(|| self.forbidden(operation, resource))
    }

    pub(crate) fn forbidden(&self, operation: &'static str, resource: &str) -> Error {
        Error::Forbidden { address: self.address(), user: self.user(), operation, resource: resource.to_owned() }
    }

    pub(crate) fn address(&self) -> String {
        self.connection.brokers().to_owned()
    }

    /// Who asks; Kafka's word for somebody who has not said who it is.
    pub(crate) fn user(&self) -> String {
        self.connection.user().unwrap_or("ANONYMOUS").to_owned()
    }
}

pub(crate) fn is_forbidden(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{ClusterAuthorizationFailed, GroupAuthorizationFailed, TopicAuthorizationFailed};
    matches!(code, ClusterAuthorizationFailed | GroupAuthorizationFailed | TopicAuthorizationFailed)
}
