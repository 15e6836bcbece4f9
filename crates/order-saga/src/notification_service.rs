//! Sends e-mails, each once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use events::saga::{EmailAbout, EmailRequested};
use events::{Event, EventId};
use messaging::{Context, Failure, Handler, Outgoing, Record};

/// The service's name in `topology.json`.
pub const NAME: &str = "notification_service";

/// Hands each e-mail to the mailer, under the event's id: what the mailer has under that already it does not send again.
#[derive(Debug, Default)]
pub struct NotificationService {
    /// What the mailer has sent, by its idempotency key. In memory: gone with the process.
    pub sent: Mutex<BTreeMap<EventId, EmailAbout>>,
}

impl Handler for NotificationService {
    fn handle(&self, record: &Record<'_>, _: &Context<'_>) -> Result<Vec<Outgoing>, Failure> {
        let email: EmailRequested = record.decode()?;
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.entry(email.event_id()).or_insert(email.0.about);
        Ok(Vec::new())
    }
}
