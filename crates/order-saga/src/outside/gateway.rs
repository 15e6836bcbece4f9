//! The payment gateway, simulated: it grants a share of payments, and moves money once in each direction.

use std::sync::Arc;
use std::time::Duration;

use events::saga::Payment;
use messaging::store::{RowStore, StoreError};
use messaging::{Clock, Draw, Rate};

use super::{Unreachable, Way, Weather};

/// What moves money. The payment's id is the idempotency key.
pub trait Gateway: Send + Sync {
    /// Charges a payment, once; whether it was granted.
    ///
    /// # Errors
    /// Where nobody answers: it may have been charged all the same, and whoever asks again learns that.
    fn charge(&self, payment: &Payment) -> Result<bool, Unreachable>;

    /// Pays back whatever was charged, once, and charges nothing for it any more; whether anything had been.
    ///
    /// # Errors
    /// As [`Gateway::charge`].
    fn refund(&self, payment: &Payment) -> Result<bool, Unreachable>;
}

/// A gateway that grants a share of payments, the same ones whenever it is asked.
pub struct SimulatedGateway {
    rows: Arc<dyn RowStore>,
    success_rate: Rate,
    way: Way,
}

impl SimulatedGateway {
    /// The table of its accounts: by payment, a word and how often money was moved to and fro.
    pub const ACCOUNTS: &'static str = "gateway_accounts";

    /// One that keeps its accounts in `rows`; `wait` is how its latency passes.
    pub fn new(
        rows: Arc<dyn RowStore>,
        success_rate: Rate,
        weather: Weather,
        clock: Arc<dyn Clock>,
        wait: fn(Duration),
    ) -> Self {
        Self { rows, success_rate, way: Way::new("gateway", weather, clock, wait) }
    }

    fn ask(&self, payment: &Payment, request: Request) -> Result<Answer, Unreachable> {
        let grants = || self.success_rate.includes(Draw::of(&payment.order_id, "gateway", "charge", 1));
        self.way.call(&payment.order_id, || {
            let key = (Self::ACCOUNTS, payment.payment_id.clone());
            let mut answered = None;
            self.rows.update(std::slice::from_ref(&key), &mut |rows| {
                let row = rows.entry(key.clone()).or_default();
                answered = Account::read(row.as_deref()).map(|mut account| {
                    let answer = account.answer(request, grants);
                    *row = Some(account.to_string());
                    answer
                });
            })?;
            answered.ok_or_else(|| StoreError::Away(format!("account {}: nobody can read it", payment.payment_id)))
        })
    }
}

impl Gateway for SimulatedGateway {
    fn charge(&self, payment: &Payment) -> Result<bool, Unreachable> {
        Ok(self.ask(payment, Request::Charge)? == Answer::Charged)
    }

    fn refund(&self, payment: &Payment) -> Result<bool, Unreachable> {
        Ok(self.ask(payment, Request::Refund)? == Answer::Refunded(true))
    }
}

/// What a payment's account has come to, and how often money was moved: the gateway's own witness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// How it stands.
    pub standing: Standing,
    /// How often money was taken.
    pub charges: u32,
    /// How often money was paid back.
    pub refunds: u32,
}

/// How an account stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
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

const WORDS: [(&str, Standing); 5] = [
    ("untouched", Standing::Untouched),
    ("charged", Standing::Charged),
    ("declined", Standing::Declined),
    ("refunded", Standing::Refunded),
    ("called_off", Standing::CalledOff),
];

/// What the gateway is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Request {
    /// To charge the payment, which it grants or declines.
    Charge,
    /// To pay back whatever was charged, and to charge nothing any more.
    Refund,
}

/// What it answers; the same to the same question, once it has answered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is charged.
    Charged,
    /// It is not, and never will be.
    Declined,
    /// Whether anything had been charged.
    Refunded(bool),
}

impl Account {
    /// Reads an account's row; an untouched one where there is none.
    pub fn read(row: Option<&str>) -> Option<Self> {
        let Some(row) = row else { return Some(Self::default()) };
        let mut parts = row.split(' ');
        let word = parts.next()?;
        let (_, standing) = *WORDS.iter().find(|(known, _)| *known == word)?;
        let (charges, refunds) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { standing, charges, refunds })
    }

    /// Takes a request, and moves money at most once in each direction.
    ///
    /// - `grants`: whether the payment is granted; asked only before anything else was decided.
    ///
    /// A request to charge that comes behind the refund, late or once more, is declined: an order that was called off is never charged.
    pub fn answer(&mut self, request: Request, grants: impl FnOnce() -> bool) -> Answer {
        match (request, self.standing) {
            (Request::Charge, Standing::Untouched) if grants() => {
                (self.standing, self.charges) = (Standing::Charged, self.charges + 1);
                Answer::Charged
            }
            (Request::Charge, Standing::Untouched | Standing::Declined) => {
                self.standing = Standing::Declined;
                Answer::Declined
            }
            (Request::Charge, Standing::Charged) => Answer::Charged,
            (Request::Charge, Standing::Refunded | Standing::CalledOff) => Answer::Declined,
            (Request::Refund, Standing::Charged) => {
                (self.standing, self.refunds) = (Standing::Refunded, self.refunds + 1);
                Answer::Refunded(true)
            }
            (Request::Refund, Standing::Refunded) => Answer::Refunded(true),
            (Request::Refund, Standing::Untouched | Standing::Declined | Standing::CalledOff) => {
                self.standing = Standing::CalledOff;
                Answer::Refunded(false)
            }
        }
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = WORDS.iter().find(|(_, standing)| *standing == self.standing).map_or("", |(word, _)| word);
        write!(f, "{word} {} {}", self.charges, self.refunds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(requests: &[Request], grants: bool) -> (Account, Vec<Answer>) {
        let mut account = Account::default();
        let answers = requests.iter().map(|&request| account.answer(request, || grants)).collect();
        (account, answers)
    }

    #[test]
    fn money_is_taken_once_and_paid_back_once_however_often_it_is_asked_for() {
        use Request::{Charge, Refund};
        let (account, answers) = after(&[Charge, Charge, Refund, Refund, Charge], true);
        assert_eq!(account, Account { standing: Standing::Refunded, charges: 1, refunds: 1 });
        let (back, no) = (Answer::Refunded(true), Answer::Declined);
        assert_eq!(answers, [Answer::Charged, Answer::Charged, back, back, no]);
    }

    #[test]
    fn a_payment_that_was_called_off_or_declined_is_never_charged() {
        use Request::{Charge, Refund};
        for (requests, grants) in [(&[Refund, Charge, Refund][..], true), (&[Charge, Charge, Refund, Charge], false)] {
            let (account, answers) = after(requests, grants);
            assert_eq!(account, Account { standing: Standing::CalledOff, charges: 0, refunds: 0 });
            assert!(!answers.contains(&Answer::Charged) && !answers.contains(&Answer::Refunded(true)), "{answers:?}");
        }
    }

    #[test]
    fn an_account_reads_back_what_it_wrote_and_nothing_else() {
        for (_, standing) in WORDS {
            let account = Account { standing, charges: 1, refunds: 0 };
            assert_eq!(Account::read(Some(&account.to_string())), Some(account));
        }
        assert_eq!(Account::read(None), Some(Account::default()));
        for bad in ["", "charged", "charged 1", "paid 1 0", "charged x 0"] {
            assert_eq!(Account::read(Some(bad)), None, "{bad}");
        }
    }
}
