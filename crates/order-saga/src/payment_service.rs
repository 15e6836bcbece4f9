//! Charges once and refunds once, however often and in whatever order it is asked.

/// The service's name in `topology.json`.
pub const NAME: &str = "payment_service";

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
