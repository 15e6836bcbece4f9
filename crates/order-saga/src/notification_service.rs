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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use events::saga::{Email, EmailAbout};
    use events::{EventId, OrderId, Timestamp};
    use messaging::BreakerPolicy;

    use super::*;
    use crate::outside::Unreachable;
    use crate::still::Still;

    /// Sends or fails as it is told, and notes what it was given.
    struct Scripted {
        answer: Result<(), Unreachable>,
        given: Mutex<Vec<(EventId, EmailAbout)>>,
    }

    impl Mailer for Scripted {
        fn send(&self, key: EventId, email: &Email) -> Result<(), Unreachable> {
            self.given.lock().unwrap().push((key, email.about));
            self.answer.clone()
        }
    }

    fn email() -> EmailRequested {
        EmailRequested(Email {
            order_id: OrderId::parse("7f3a").unwrap(),
            customer_id: "CUST-00042".into(),
            about: EmailAbout::OutOfStock,
            timestamp: Timestamp::BASE,
        })
    }

    /// A mailer that answers so, and a service whose breaker opens after two failures.
    fn with(answer: Result<(), Unreachable>) -> (Arc<Scripted>, NotificationService) {
        let mailer = Arc::new(Scripted { answer, given: Mutex::default() });
        let policy = BreakerPolicy { opens_after: 2, open_ms: 1 };
        let breaker = Arc::new(CircuitBreaker::new("mailer", policy, Arc::new(Still)));
        (Arc::clone(&mailer), NotificationService { mailer, breaker })
    }

    fn answer(service: &NotificationService, request: &Outgoing) -> Result<Vec<Outgoing>, Failure> {
        service.handle(&request.as_record(), &Context { service: NAME })
    }

    #[test]
    fn an_email_is_handed_over_under_the_same_key_whenever_it_comes_and_nothing_follows_from_it() {
        let (mailer, service) = with(Ok(()));
        for _ in 0..2 {
            assert_eq!(answer(&service, &Outgoing::of(&email())), Ok(Vec::new()));
        }
        assert_eq!(*mailer.given.lock().unwrap(), [(email().event_id(), EmailAbout::OutOfStock); 2]);
    }

    #[test]
    fn a_mailer_that_does_not_answer_is_asked_again_and_spared_after_some_failures() {
        let (mailer, service) = with(Err(Unreachable::Outage));
        let away = |reason: &str| Err(Failure::Retry(format!("mailer: {reason}")));
        for reason in ["out of order", "out of order", "not called, because the last calls failed"] {
            assert_eq!(answer(&service, &Outgoing::of(&email())), away(reason));
        }
        assert_eq!(mailer.given.lock().unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_email_is_rejected_and_nobody_is_told() {
        let (mailer, service) = with(Ok(()));
        let garbage = Outgoing { value: b"[42]".to_vec(), ..Outgoing::of(&email()) };
        assert!(matches!(answer(&service, &garbage), Err(Failure::Reject(_))));
        assert!(mailer.given.lock().unwrap().is_empty());
    }
}
