//! Has e-mails sent, each once.

use std::sync::Arc;

use events::Event;
use events::saga::EmailRequested;
use messaging::{CircuitBreaker, Context, Failure, Handler, Outgoing, Record};

use crate::outside::mailer::Mailer;

/// The service's name in `topology.json`.
pub const NAME: &str = "notification_service";

/// Hands each e-mail to the mailer, under the event's id: what the mailer has sent under that already it does not send again.
pub struct NotificationService {
    /// What sends them.
    pub mailer: Arc<dyn Mailer>,
    /// Spares the mailer while it fails.
    pub breaker: Arc<CircuitBreaker>,
}

impl Handler for NotificationService {
    fn handle(&self, record: &Record<'_>, _: &Context<'_>) -> Result<Vec<Outgoing>, Failure> {
        let email: EmailRequested = record.decode()?;
        self.breaker.call(|| self.mailer.send(email.event_id(), &email.0))?;
        Ok(Vec::new())
    }
}
