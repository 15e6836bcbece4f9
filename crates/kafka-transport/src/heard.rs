//! What librdkafka says beside its answers: the true reason stands only there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::{Connection, Error, bootstrap, settings};

/// How long one question may take while its client is asked what it has heard.
const SLICE: Duration = Duration::from_millis(250);

/// The last that a client was told, for whoever wants to know why it gets no answer. A clone hears the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    said: Arc<Mutex<Said>>,
    /// All brokers went down since somebody looked last: the client may know none any more.
    are_all_down: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Said {
    /// A login or a certificate was refused: asking again will not help.
    refused: Option<(RDKafkaErrorCode, String)>,
    /// The user may not see the client's group: no coordinator will be named, however long we ask.
    is_group_denied: bool,
    /// The last error.
    last: Option<String>,
    /// What it logged last of a connection that failed.
    logged: Option<String>,
}

impl Heard {
    /// Why the brokers refuse us for good, if they do.
    pub(crate) fn refusal(&self, connection: &Connection) -> Option<Error> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let (code, reason) = said.refused.as_ref()?;
        let (address, reason) = split(connection, reason);
        Some(match (code, connection.user()) {
            (RDKafkaErrorCode::Authentication, Some(user)) => Error::Login { address, user: user.to_owned(), reason },
            _ => Error::Certificate { address, reason },
        })
    }

    /// Whether the user may not see the client's group.
    pub(crate) fn is_group_denied(&self) -> bool {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).is_group_denied
    }

    /// Leads the client that tells us back to the brokers of its connection, if all that it knew are down; to be called again and
    /// again.
    pub(crate) fn lead_back<C: ClientContext>(&self, client: &Client<C>, connection: &Connection) {
        // Whoever waits for reports looks here each time, so that a write is what it does least.
        if self.are_all_down.load(Ordering::Relaxed) && self.are_all_down.swap(false, Ordering::Relaxed) {
            bootstrap::begin_again(client, connection);
        }
    }

    /// Asks in short slices until there is an answer: each slice lets `serve` bring what was heard, so that a refusal is told
    /// at once instead of at the deadline. `client` is the one that is asked, and that tells us.
    pub(crate) fn ask<C: ClientContext, T>(
        &self,
        client: &Client<C>,
        connection: &Connection,
        question: impl FnMut(Duration) -> Result<T, KafkaError>,
        serve: impl FnMut(),
    ) -> Result<T, Error> {
        self.ask_for(settings::CONNECT_DEADLINE, client, connection, question, serve)
    }

    /// The same, for `patience` at most.
    pub(crate) fn ask_for<C: ClientContext, T>(
        &self,
        patience: Duration,
        client: &Client<C>,
        connection: &Connection,
        mut question: impl FnMut(Duration) -> Result<T, KafkaError>,
        mut serve: impl FnMut(),
    ) -> Result<T, Error> {
        let deadline = Instant::now() + patience;
        // What was refused before may have passed.
        {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            (said.refused, said.is_group_denied) = (None, false);
        }
        loop {
            let error = match question(SLICE) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            serve();
            self.lead_back(client, connection);
            if let Some(refusal) = self.refusal(connection) {
                return Err(refusal);
            }
            if Instant::now() >= deadline {
                let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
                let reason = said.last.clone().or(said.logged.clone()).unwrap_or_else(|| error.to_string());
                let (address, reason) = split(connection, &reason);
                return Err(Error::Unreachable { address, deadline_s: patience.as_secs(), reason });
            }
        }
    }
}

/// What librdkafka adds to a reason: times, which differ each time, and advice that names its own settings.
const ADDED: [&str; 2] = [" (after ", ": broker certificate could not be verified"];

/// What it means where a broker hangs up on a new connection, in plaintext and with TLS: in which state that was.
const OTHER_LANGUAGE: [(&str, &str); 2] = [
    ("in state APIVERSION_QUERY", "it hung up on plaintext: is this a TLS listener?"),
    ("in state SSL_HANDSHAKE", "it hung up on TLS: is this a plaintext listener?"),
];

/// librdkafka's `sasl_ssl://HOST:PORT/ID: REASON` as address and reason; all brokers where it names none. A plaintext address
/// has no scheme, and in the log the thread's name goes before.
fn split(connection: &Connection, reason: &str) -> (String, String) {
    let (state, meaning) = OTHER_LANGUAGE[usize::from(connection.user().is_some())];
    let is_misunderstood = reason.contains("Disconnected") && reason.contains(state);
    let end = ADDED.iter().filter_map(|added| reason.find(added)).min();
    let reason = &reason[..end.unwrap_or(reason.len())];
    let reason = reason.split_once("]: ").map_or(reason, |(_, reason)| reason);
    let parts = reason.split_once(": ").and_then(|(name, rest)| {
        let address = name.split_once("://").map_or(name, |(_, address)| address);
        let (address, _) = address.split_once('/')?;
        Some((address, rest))
    });
    let (address, reason) = parts.unwrap_or((connection.brokers(), reason));
    (address.to_owned(), if is_misunderstood { meaning } else { reason }.to_owned())
}

impl ClientContext for Heard {
    fn error(&self, error: KafkaError, reason: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        match error.rdkafka_error_code() {
            // A connection that breaks within its handshake is an SSL error too, and passes.
            Some(code @ RDKafkaErrorCode::SSL) if reason.contains("certificate") => {
                said.refused = Some((code, reason.to_owned()));
            }
            // A login that nobody has answered in time is not refused: librdkafka tries it again.
            Some(code @ RDKafkaErrorCode::Authentication) if !reason.contains("Timed out") => {
                said.refused = Some((code, reason.to_owned()));
            }
            Some(RDKafkaErrorCode::GroupAuthorizationFailed) => said.is_group_denied = true,
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                self.are_all_down.store(true, Ordering::Relaxed);
                // That follows from what was said of each before.
                if said.last.is_none() && said.logged.is_none() {
                    said.last = Some(reason.to_owned());
                }
            }
            _ => said.last = Some(reason.to_owned()),
        }
        tracing::debug!(%error, reason, "librdkafka reports");
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // A broker that hangs up is no error to librdkafka; what it makes of that stands in its log only.
        if facility == "FAIL" {
            self.said.lock().unwrap_or_else(PoisonError::into_inner).logged = Some(message.to_owned());
        }
        tracing::debug!(?level, facility, message, "librdkafka says");
    }
}

impl ConsumerContext for Heard {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_from_the_reason_where_it_stands_there() {
        let connection = Connection::plaintext("a:1,b:2");
        let check = |reason: &str, address: &str, rest: &str| {
            assert_eq!(split(&connection, reason), (address.to_owned(), rest.to_owned()));
        };
        check("sasl_ssl://b:2/bootstrap: SASL authentication error: no", "b:2", "SASL authentication error: no");
        check("b:2/1: Connect to ipv4#b:2 failed", "b:2", "Connect to ipv4#b:2 failed");
        check("[thrd:b:2/1]: b:2/1: Connect to ipv4#b:2 failed", "b:2", "Connect to ipv4#b:2 failed");
        check("2/2 brokers are down", "a:1,b:2", "2/2 brokers are down");
    }

    #[test]
    fn a_reason_ends_before_its_times_and_before_advice_that_is_not_ours() {
        let connection = Connection::plaintext("a:1");
        let check = |reason: &str, expected: &str| assert_eq!(split(&connection, reason).1, expected);
        check("a:1/1: Disconnected (after 2ms in state UP)", "Disconnected");
        check(
            "sasl_ssl://a:1/1: certificate verify failed: broker certificate could not be verified, verify that \
             ssl.ca.location is correctly configured (after 7ms in state SSL_HANDSHAKE)",
            "certificate verify failed",
        );
    }

    #[test]
    fn a_login_is_refused_by_a_broker_and_not_by_time() {
        let connection = Connection::plaintext("a:1");
        let told = |reason: &str| {
            let heard = Heard::default();
            heard.error(KafkaError::Global(RDKafkaErrorCode::Authentication), reason);
            heard.refusal(&connection).is_some()
        };
        assert!(told("sasl_ssl://a:1/1: SASL authentication error: Authentication failed"));
        assert!(!told("sasl_ssl://a:1/1: SASL SCRAM-SHA-512 mechanism handshake failed: Local: Timed out"));
    }

    #[test]
    fn a_broker_that_does_not_speak_as_we_do_is_told_as_a_question() {
        let check = |connection: &Connection, reason: &str, expected: &str| {
            assert_eq!(split(connection, reason), ("a:1".to_owned(), expected.to_owned()));
        };
        let plaintext = Connection::plaintext("a:1");
        let hung_up = "Disconnected: connection closed by peer (after 3ms in state APIVERSION_QUERY)";
        check(&plaintext, &format!("a:1/1: {hung_up}"), "it hung up on plaintext: is this a TLS listener?");
        let tls = Connection::sasl_ssl("a:1", "shop", "secret", crate::Ca::Pem(String::new()));
        check(&tls, &format!("sasl_ssl://a:1/1: {hung_up}"), "Disconnected: connection closed by peer");
        let hung_up = "Disconnected: connection reset by peer (after 3ms in state SSL_HANDSHAKE)";
        check(&tls, &format!("sasl_ssl://a:1/1: {hung_up}"), "it hung up on TLS: is this a plaintext listener?");
        let refused = "SSL handshake failed: certificate verify failed (after 3ms in state SSL_HANDSHAKE)";
        check(&tls, &format!("sasl_ssl://a:1/1: {refused}"), "SSL handshake failed: certificate verify failed");
    }
}
