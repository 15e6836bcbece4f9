//! Has payments charged and paid back, each once, however often and in whatever order it is asked.

use std::sync::Arc;

use events::Cents;
use events::saga::{Payment, PaymentCompleted, PaymentFailed, PaymentRefunded, PaymentRequested, RefundRequested};
use messaging::{CircuitBreaker, Context, Failure, Handler, Outgoing, Record};

use crate::outside::gateway::Gateway;

/// The service's name in `topology.json`.
pub const NAME: &str = "payment_service";

/// Answers each request with what the gateway says. It remembers nothing itself: the gateway does, by the payment's id.
pub struct PaymentService {
    /// What moves the money.
    pub gateway: Arc<dyn Gateway>,
    /// Spares the gateway while it fails.
    pub breaker: Arc<CircuitBreaker>,
}

impl Handler for PaymentService {
    fn handle(&self, record: &Record<'_>, context: &Context<'_>) -> Result<Vec<Outgoing>, Failure> {
        // The status tells them apart, and few are refunds; what is neither is refused as a request to charge.
        let (payment, is_refund) = match record.decode() {
            Ok(PaymentRequested(payment)) => (payment, false),
            Err(refused) => {
                let RefundRequested(payment) = record.decode().map_err(|_| refused)?;
                (payment, true)
            }
        };
        let at = payment.timestamp.plus_ms(50 + context.draw(&payment.order_id, "payment").scale(200));
        let answered = Payment { timestamp: at, ..payment.clone() };
        Ok(vec![if is_refund {
            let was_charged = self.breaker.call(|| self.gateway.refund(&payment))?;
            let amount = if was_charged { answered.amount } else { Cents::new(0) };
            Outgoing::of(&PaymentRefunded(Payment { amount, ..answered }))
        } else if self.breaker.call(|| self.gateway.charge(&payment))? {
            Outgoing::of(&PaymentCompleted(answered))
        } else {
            Outgoing::of(&PaymentFailed(answered))
        }])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use events::{OrderId, Timestamp};
    use messaging::BreakerPolicy;

    use super::*;
    use crate::outside::Unreachable;
    use crate::still::Still;

    /// Answers as it is told, and notes what it is asked for.
    struct Scripted {
        answer: Result<bool, Unreachable>,
        asked: Mutex<Vec<&'static str>>,
    }

    impl Scripted {
        fn answer(&self, asked: &'static str) -> Result<bool, Unreachable> {
            self.asked.lock().unwrap().push(asked);
            self.answer.clone()
        }
    }

    impl Gateway for Scripted {
        fn charge(&self, _: &Payment) -> Result<bool, Unreachable> {
            self.answer("charge")
        }

        fn refund(&self, _: &Payment) -> Result<bool, Unreachable> {
            self.answer("refund")
        }
    }

    fn payment() -> Payment {
        Payment {
            order_id: OrderId::parse("7f3a").unwrap(),
            payment_id: "PAY-3F9A0C55D1E2B764".into(),
            amount: Cents::new(500),
            payment_method: "card".into(),
            timestamp: Timestamp::BASE,
        }
    }

    fn charge() -> Outgoing {
        Outgoing::of(&PaymentRequested(payment()))
    }

    fn refund() -> Outgoing {
        Outgoing::of(&RefundRequested(payment()))
    }

    /// A gateway that answers so, and a service whose breaker opens after two failures.
    fn with(answer: Result<bool, Unreachable>) -> (Arc<Scripted>, PaymentService) {
        let gateway = Arc::new(Scripted { answer, asked: Mutex::default() });
        let policy = BreakerPolicy { opens_after: 2, open_ms: 1 };
        let breaker = Arc::new(CircuitBreaker::new("payment gateway", policy, Arc::new(Still)));
        (Arc::clone(&gateway), PaymentService { gateway, breaker })
    }

    fn answer(service: &PaymentService, request: &Outgoing) -> Result<Vec<Outgoing>, Failure> {
        service.handle(&request.as_record(), &Context { service: NAME })
    }

    /// What the gateway's answer to a request becomes, some time after the request.
    #[track_caller]
    fn check(granted: bool, request: &Outgoing, asked: &str, becomes: fn(Payment) -> Outgoing) {
        let (gateway, service) = with(Ok(granted));
        let answered = answer(&service, request).unwrap();
        assert_eq!(*gateway.asked.lock().unwrap(), [asked]);
        let ms = (50..250).find(|ms| {
            let timestamp = Timestamp::BASE.plus_ms(*ms);
            answered == [becomes(Payment { timestamp, ..payment() })]
        });
        assert!(ms.is_some(), "{answered:?}");
        assert_eq!(answer(&service, request), Ok(answered), "the same bytes when it comes again");
    }

    #[test]
    fn a_payment_that_the_gateway_grants_is_completed_and_one_that_it_does_not_has_failed() {
        check(true, &charge(), "charge", |payment| Outgoing::of(&PaymentCompleted(payment)));
        check(false, &charge(), "charge", |payment| Outgoing::of(&PaymentFailed(payment)));
    }

    #[test]
    fn a_refund_says_how_much_was_paid_back_which_is_nothing_where_nothing_was_charged() {
        check(true, &refund(), "refund", |payment| Outgoing::of(&PaymentRefunded(payment)));
        check(false, &refund(), "refund", |payment| {
            Outgoing::of(&PaymentRefunded(Payment { amount: Cents::new(0), ..payment }))
        });
    }

    #[test]
    fn a_gateway_that_does_not_answer_is_asked_again_and_spared_after_some_failures() {
        let (gateway, service) = with(Err(Unreachable::AnswerLost));
        let away = |reason: &str| Err(Failure::Retry(format!("payment gateway: {reason}")));
        for _ in 0..2 {
            assert_eq!(answer(&service, &charge()), away("the answer was lost"));
        }
        assert_eq!(answer(&service, &refund()), away("not called, because the last calls failed"));
        assert_eq!(*gateway.asked.lock().unwrap(), ["charge"; 2]);
    }

    #[test]
    fn what_is_no_request_is_rejected_as_a_request_to_charge_and_nobody_is_asked() {
        let (gateway, service) = with(Ok(true));
        let paid = Outgoing { topic: charge().topic, ..Outgoing::of(&PaymentCompleted(payment())) };
        let reason = r#"status: found "completed", allowed "requested""#;
        assert_eq!(answer(&service, &paid), Err(Failure::Reject(reason.into())));
        assert!(gateway.asked.lock().unwrap().is_empty());
    }
}
