//! Do money, stock and e-mails add up with how the sagas ended?
//!
//! The audit knows records; this knows what came of them outside: at the gateway, in the warehouse, at the mailer.

use std::collections::{BTreeMap, BTreeSet};

use events::saga::{
    EmailAbout, InventoryRejected, InventoryReleased, InventoryReserved, Order, OrderValidated, PaymentCompleted,
    PaymentFailed, PaymentRefunded, Stock,
};
use events::{Event, EventId, OrderId};
use messaging::store::{EventStore, RowStore, StoreError};

use crate::Participant;
use crate::inventory_service::{Holding, Level, RESERVATIONS, STOCK};
use crate::outside::gateway::{Account, SimulatedGateway, Standing};
use crate::outside::mailer::SimulatedMailer;
use crate::saga::{Happened, Saga, SagaEvent, Then, evolve};
use crate::stored;

/// What does not add up is told in so many lines; the rest is counted.
const TOLD: usize = 20;

/// What the books say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Sagas that ended completed.
    pub completed: u64,
    /// Sagas that ended failed.
    pub failed: u64,
    /// Orders that were charged and paid back.
    pub refunded: u64,
    /// Ended orders whose customer was told nothing: only a dead letter excuses that.
    pub untold: u64,
    /// How many things do not add up.
    pub wrong: u64,
    /// The first of them, in words.
    pub examples: Vec<String>,
}

impl Books {
    /// Reads all streams and rows, after everything has come to rest.
    ///
    /// # Errors
    /// [`StoreError::Away`].
    pub fn read(events: &dyn EventStore, rows: &dyn RowStore) -> Result<Self, StoreError> {
        let mut reader = Reader {
            books: Self::default(),
            accounts: rows.table(SimulatedGateway::ACCOUNTS)?,
            holdings: rows.table(RESERVATIONS)?,
            emails: emails(rows.table(SimulatedMailer::SENT)?),
            sold: BTreeMap::new(),
        };
        events.each_stream(&mut |order_id| {
            match stored::read(&events.load(order_id)?) {
                Ok(stream) => reader.stream(order_id, &stream),
                Err(unreadable) => reader.wrong(order_id, &unreadable.to_string()),
            }
            Ok(())
        })?;
        reader.stock(rows.table(STOCK)?);
        reader.rest();
        Ok(reader.books)
    }

    /// Whether everything adds up.
    pub fn balance(&self) -> bool {
        self.wrong == 0
    }
}

/// What customers were told, by order.
fn emails(sent: BTreeMap<String, String>) -> BTreeMap<String, Vec<String>> {
    let mut emails = BTreeMap::<String, Vec<String>>::new();
    for (order, about) in sent.values().filter_map(|row| row.split_once(' ')) {
        emails.entry(order.to_owned()).or_default().push(about.to_owned());
    }
    emails
}

struct Reader {
    books: Books,
    accounts: BTreeMap<String, String>,
    holdings: BTreeMap<String, String>,
    emails: BTreeMap<String, Vec<String>>,
    /// Pieces of each product that completed orders hold.
    sold: BTreeMap<String, u64>,
}

impl Reader {
    fn wrong(&mut self, subject: impl std::fmt::Display, what: &str) {
        self.books.wrong += 1;
        if self.books.examples.len() < TOLD {
            self.books.examples.push(format!("{subject}: {what}"));
        }
    }

    fn stream(&mut self, order_id: &OrderId, stream: &[SagaEvent]) {
        let Some(saga) = stream.iter().fold(None, evolve) else {
            return self.wrong(order_id, "its saga has no beginning");
        };
        let causes = causes(&saga, stream.len());
        if let Some(event) = stream.iter().find(|event| !causes.contains(&event.cause)) {
            self.wrong(order_id, &format!("nothing can have caused {:?}", event.happened));
        }
        let ends: Vec<&Happened> = stream.iter().map(|event| &event.happened).filter(|end| is_end(end)).collect();
        let told: Vec<EmailAbout> = stream.iter().filter_map(|event| told(&event.happened)).collect();
        let (account, holding) = (self.account(&saga), self.holding(order_id));
        match ends[..] {
            [Happened::Completed] => {
                self.books.completed += 1;
                if account != (Account { standing: Standing::Charged, charges: 1, refunds: 0 }) {
                    self.wrong(order_id, &format!("completed, and the gateway has `{account}`"));
                }
                if holding != Some(Holding::Reserved) {
                    self.wrong(order_id, &format!("completed, and the warehouse has {holding:?}"));
                }
                for item in &saga.order().items {
                    *self.sold.entry(item.product_id.clone()).or_default() += u64::from(item.quantity);
                }
            }
            [Happened::Failed] => {
                self.books.failed += 1;
                self.books.refunded += u64::from(account.refunds > 0);
                if account.standing == Standing::Charged || account.charges != account.refunds || account.charges > 1 {
                    self.wrong(order_id, &format!("failed, and the gateway has `{account}`"));
                }
                if holding == Some(Holding::Reserved) {
                    self.wrong(order_id, "failed, and its pieces are still reserved");
                }
            }
            [] => return self.wrong(order_id, "its saga has not ended"),
            _ => self.wrong(order_id, "its saga has ended more than once"),
        }
        let emails = self.emails.remove(order_id.as_str()).unwrap_or_default();
        match (&told[..], &emails[..]) {
            ([_], []) => self.books.untold += 1,
            ([about], [email]) if about.to_string() == *email => {}
            _ => self.wrong(order_id, &format!("to be told once, and the mailer sent {emails:?}")),
        }
    }

    fn account(&mut self, saga: &Saga) -> Account {
        let payment = saga.payment(saga.order().timestamp);
        let row = self.accounts.remove(&payment.payment_id);
        match Account::read(row.as_deref()) {
            Some(account) => account,
            None => {
                self.wrong(&payment.payment_id, &format!("nobody can read the account {row:?}"));
                Account::default()
            }
        }
    }

    fn holding(&mut self, order_id: &OrderId) -> Option<Holding> {
        let row = self.holdings.remove(order_id.as_str())?;
        let holding = Holding::read(&row);
        if holding.is_none() {
            self.wrong(order_id, &format!("nobody can read what it holds, {row:?}"));
        }
        holding
    }

    /// The opening level minus what was sold.
    fn stock(&mut self, rows: BTreeMap<String, String>) {
        let products: BTreeSet<String> = rows.keys().chain(self.sold.keys()).cloned().collect();
        for product in products {
            let sold = self.sold.get(&product).copied().unwrap_or_default();
            let row = rows.get(&product).map_or("", String::as_str);
            let adds_up =
                Level::read(row).is_some_and(|Level { left, opening }| u64::from(left) + sold == u64::from(opening));
            if !adds_up {
                self.wrong(&product, &format!("`{row}` pieces are left, and {sold} were sold"));
            }
        }
    }

    /// What belongs to no saga.
    fn rest(&mut self) {
        let accounts = std::mem::take(&mut self.accounts);
        accounts.keys().for_each(|payment| self.wrong(payment, "the gateway knows it, and no saga does"));
        let holdings = std::mem::take(&mut self.holdings);
        holdings.keys().for_each(|order| self.wrong(order, "the warehouse knows it, and no saga does"));
        let emails = std::mem::take(&mut self.emails);
        emails.keys().for_each(|order| self.wrong(order, "the mailer knows it, and no saga does"));
    }
}

fn is_end(happened: &Happened) -> bool {
    matches!(happened, Happened::Completed | Happened::Failed)
}

fn told(happened: &Happened) -> Option<EmailAbout> {
    if let Happened::Told(about) = happened { Some(*about) } else { None }
}

/// The ids of all inputs that can have reached the saga: its answers, and overdue ones of so many questions at most.
fn causes(saga: &Saga, questions: usize) -> BTreeSet<EventId> {
    let order: &Order = saga.order();
    let payment = || saga.payment(order.timestamp);
    let mut ids = BTreeSet::from([
        OrderValidated(order.clone()).event_id(),
        PaymentCompleted(payment()).event_id(),
        PaymentFailed(payment()).event_id(),
        PaymentRefunded(payment()).event_id(),
    ]);
    for item in &order.items {
        let (product_id, order_id, timestamp) = (item.product_id.clone(), order.order_id.clone(), order.timestamp);
        let stock = Stock { product_id, quantity_reserved: item.quantity, order_id, timestamp };
        ids.insert(InventoryReserved(stock.clone()).event_id());
        ids.insert(InventoryRejected(stock.clone()).event_id());
        ids.insert(InventoryReleased(stock).event_id());
    }
    let times = 1..=u32::try_from(questions).unwrap_or(u32::MAX);
    for participant in Participant::ALL {
        for then in [Then::AskAgain, Then::UndoAgain] {
            ids.extend(times.clone().map(|times| Saga::overdue_id(&order.order_id, participant, times, then)));
        }
    }
    ids
}
