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
