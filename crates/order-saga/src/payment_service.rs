//! Charges once and refunds once, however often and in whatever order it is asked.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use events::saga::{Payment, PaymentCompleted, PaymentFailed, PaymentRefunded, PaymentRequested, RefundRequested};
use events::{Cents, OrderId};
use messaging::{Context, Failure, Handler, Outgoing, Rate, Record};

/// The service's name in `topology.json`.
pub const NAME: &str = "payment_service";

/// Answers each request with what its order's account has come to.
#[derive(Debug)]
pub struct PaymentService {
    /// Share of payments that the gateway grants.
    pub success_rate: Rate,
    /// The accounts, in memory: gone with the process.
    pub accounts: Mutex<BTreeMap<OrderId, Account>>,
}

impl Handler for PaymentService {
    fn handle(&self, record: &Record<'_>, context: &Context<'_>) -> Result<Vec<Outgoing>, Failure> {
        // The status tells them apart, and few are refunds; what is neither is refused as a request to charge.
        let (payment, request) = match record.decode() {
            Ok(PaymentRequested(payment)) => (payment, Request::Charge),
            Err(refused) => {
                let RefundRequested(payment) = record.decode().map_err(|_| refused)?;
                (payment, Request::Refund)
            }
        };
        // Whoever panicked has changed an account or not: what is there holds.
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let account = accounts.entry(payment.order_id.clone()).or_default();
        let draw = context.draw(&payment.order_id, "payment");
        let (next, answer) = account.answer(request, || self.success_rate.includes(draw));
        *account = next;
        let at = payment.timestamp.plus_ms(50 + draw.scale(200));
        let answered = Payment { timestamp: at, ..payment };
        Ok(vec![match answer {
            Answer::Completed => Outgoing::of(&PaymentCompleted(answered)),
            Answer::Failed => Outgoing::of(&PaymentFailed(answered)),
            Answer::Refunded(true) => Outgoing::of(&PaymentRefunded(answered)),
            Answer::Refunded(false) => Outgoing::of(&PaymentRefunded(Payment { amount: Cents::new(0), ..answered })),
        }])
    }
}

/// What an order's payment has come to. It is all that the service remembers of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Account {
    /// Nobody has asked yet.
    #[default]
    Untouched,
    /// The payment was charged.
    Charged,
    /// It was declined.
    Declined,
    /// It was charged, and paid back.
    Refunded,
    /// It was called off before it was charged: it never will be.
    CalledOff,
}

/// What the service is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Request {
    /// To charge the payment, which the gateway grants or declines.
    Charge,
    /// To pay back whatever was charged, and to charge nothing any more.
    Refund,
}

/// What the service answers; the same to the same question, once it has answered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// `payments.completed`.
    Completed,
    /// `payments.failed`.
    Failed,
    /// `payments.refunded`: whether anything had been charged.
    Refunded(bool),
}

impl Account {
    /// What the account comes to, and the answer.
    ///
    /// - `grants`: whether the gateway grants the payment; asked at most once, and only before anything else was decided.
    ///
    /// A request to charge that comes behind the refund, late or once more, is answered as declined: an order that was called off
    /// is never charged.
    pub fn answer(self, request: Request, grants: impl FnOnce() -> bool) -> (Self, Answer) {
        match (request, self) {
            (Request::Charge, Self::Untouched) if grants() => (Self::Charged, Answer::Completed),
            (Request::Charge, Self::Untouched | Self::Declined) => (Self::Declined, Answer::Failed),
            (Request::Charge, Self::Charged) => (Self::Charged, Answer::Completed),
            (Request::Charge, Self::Refunded | Self::CalledOff) => (self, Answer::Failed),
            (Request::Refund, Self::Charged | Self::Refunded) => (Self::Refunded, Answer::Refunded(true)),
            (Request::Refund, Self::Untouched | Self::Declined | Self::CalledOff) => {
                (Self::CalledOff, Answer::Refunded(false))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(requests: &[Request], grants: bool) -> (Account, Vec<Answer>) {
        let mut account = Account::default();
        let answers = requests.iter().map(|request| {
            let (next, answer) = account.answer(*request, || grants);
            account = next;
            answer
        });
        let answers = answers.collect();
        (account, answers)
    }

    #[test]
    fn a_request_that_comes_again_is_answered_the_same_and_changes_nothing() {
        for grants in [true, false] {
            let charged = if grants { Answer::Completed } else { Answer::Failed };
            assert_eq!(after(&[Request::Charge; 3], grants).1, [charged; 3]);
            let (account, answers) = after(&[Request::Charge, Request::Refund, Request::Refund], grants);
            assert_eq!(answers, [charged, Answer::Refunded(grants), Answer::Refunded(grants)]);
            assert_eq!(account, if grants { Account::Refunded } else { Account::CalledOff });
        }
    }

    #[test]
    fn what_was_called_off_is_never_charged_even_if_the_request_to_charge_comes_later() {
        let (account, answers) = after(&[Request::Refund, Request::Charge, Request::Charge], true);
        assert_eq!(
            (account, answers),
            (Account::CalledOff, vec![Answer::Refunded(false), Answer::Failed, Answer::Failed])
        );
        let (account, answers) = after(&[Request::Charge, Request::Refund, Request::Charge], true);
        assert_eq!(
            (account, answers),
            (Account::Refunded, vec![Answer::Completed, Answer::Refunded(true), Answer::Failed])
        );
    }

    #[test]
    fn the_gateway_is_asked_once() {
        let mut asked = 0;
        let mut account = Account::default();
        for request in [Request::Charge, Request::Charge, Request::Refund, Request::Charge, Request::Refund] {
            account = account
                .answer(request, || {
                    asked += 1;
                    true
                })
                .0;
        }
        assert_eq!(asked, 1);
    }
}
