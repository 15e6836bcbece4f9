//! Every order in which requests, answers, repeats and timers can reach the parties of one saga: each ends once, and nothing is left of one
//! that failed.

#![cfg(test)]

use std::collections::BTreeSet;

use events::saga::{
    InventoryRejected, InventoryReleased, InventoryReserved, Item, Order, OrderValidated, Payment, PaymentCompleted,
    PaymentFailed, PaymentRefunded, Stock,
};
use events::{Cents, OrderId, Timestamp};
use messaging::RetryPolicy;
use messaging::store::Rows;
use order_saga::Participant;
use order_saga::inventory_service::{self, Level, STOCK};
use order_saga::outside::gateway::{self, Account, Standing};
use order_saga::saga::{Happened, Input, Patience, Saga, decide, evolve};

const NOW: Timestamp = Timestamp::BASE;

/// A message under way. Topics are apart, so that any of them may arrive first; the same one may arrive twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Message {
    Charge,
    Refund,
    Reserve,
    Release,
    Charged,
    Declined,
    Refunded(bool),
    /// Of the item of this number.
    Reserved(usize),
    Rejected(usize, bool),
    Released(usize, bool),
}

/// What can happen in a world.
#[derive(Clone, Copy)]
struct Rules {
    /// Whether the gateway grants the payment, and the second product is there.
    pays: bool,
    is_there: bool,
    /// How many messages may arrive twice, and how many answers may be overdue.
    repeats: u32,
    overdue: u32,
}

/// All of one saga: the orchestrator, both participants, what is under way, and what may still go wrong.
#[derive(Clone, Debug)]
struct World {
    saga: Saga,
    account: Account,
    warehouse: Rows,
    under_way: Vec<Message>,
    repeats: u32,
    overdue: u32,
    ends: Vec<Happened>,
    told: u32,
}

fn order() -> Order {
    let item = |product: &str| Item { product_id: product.into(), quantity: 2, price: Cents::new(500) };
    let (order_id, customer_id) = (OrderId::parse("7f3a").unwrap(), "CUST-00042".into());
    Order { order_id, customer_id, items: vec![item("hat"), item("shoe")], timestamp: NOW }
}

fn patience() -> Patience {
    Patience { retry: RetryPolicy::try_new(1, 1, 3).unwrap(), asks: 1 }
}

impl World {
    fn new(rules: Rules) -> Self {
        let begun = decide(None, &Input::Validated(OrderValidated(order()), None), NOW).unwrap();
        let saga = begun.iter().fold(None, evolve).unwrap();
        let row = |product: &str, level: u32| ((STOCK, product.to_owned()), Some(format!("{level} of {level}")));
        let warehouse = Rows::from([row("hat", 5), row("shoe", if rules.is_there { 5 } else { 1 })]);
        let Rules { repeats, overdue, .. } = rules;
        let (account, under_way, ends) = (Account::default(), Vec::new(), Vec::new());
        let mut world = Self { saga, account, warehouse, under_way, repeats, overdue, ends, told: 0 };
        begun.iter().for_each(|event| world.publish(&event.happened));
        world
    }

    /// What an event of the stream sends.
    fn publish(&mut self, happened: &Happened) {
        match happened {
            Happened::Asked(Participant::Payment) => self.under_way.push(Message::Charge),
            Happened::Asked(Participant::Inventory) => self.under_way.push(Message::Reserve),
            Happened::Undoing(Participant::Payment) => self.under_way.push(Message::Refund),
            Happened::Undoing(Participant::Inventory) => self.under_way.push(Message::Release),
            Happened::Told(_) => self.told += 1,
            Happened::Completed | Happened::Failed => self.ends.push(happened.clone()),
            _ => {}
        }
    }

    fn input(&mut self, input: &Input) {
        for event in decide(Some(&self.saga), input, NOW).unwrap() {
            self.saga = evolve(Some(self.saga.clone()), &event).unwrap();
            self.publish(&event.happened);
        }
    }

    fn arrives(&mut self, message: Message, rules: Rules) {
        let order = order();
        let payment = |refunded: bool| {
            let payment = self.saga.payment(NOW);
            Payment { amount: if refunded { payment.amount } else { Cents::new(0) }, ..payment }
        };
        let stock = |item: usize, is_any: bool| {
            let Item { product_id, quantity, .. } = order.items[item].clone();
            let quantity_reserved = if is_any { quantity } else { 0 };
            Stock { product_id, quantity_reserved, order_id: order.order_id.clone(), timestamp: NOW }
        };
        let number_of = |product: &str| order.items.iter().position(|item| item.product_id == product).unwrap();
        match message {
            Message::Charge | Message::Refund => {
                let request =
                    if message == Message::Charge { gateway::Request::Charge } else { gateway::Request::Refund };
                self.under_way.push(match self.account.answer(request, || rules.pays) {
                    gateway::Answer::Charged => Message::Charged,
                    gateway::Answer::Declined => Message::Declined,
                    gateway::Answer::Refunded(any) => Message::Refunded(any),
                });
            }
            Message::Reserve | Message::Release => {
                let request = if message == Message::Reserve {
                    inventory_service::Request::Reserve
                } else {
                    inventory_service::Request::Release
                };
                let (rows, items) = (&mut self.warehouse, &order.items);
                match inventory_service::answer(rows, &|_| 0, &order.order_id, items, request).unwrap() {
                    inventory_service::Answer::Reserved(all) => {
                        self.under_way
                            .extend(all.iter().map(|pieces| Message::Reserved(number_of(&pieces.product_id))));
                    }
                    inventory_service::Answer::Rejected(pieces) => {
                        self.under_way.push(Message::Rejected(number_of(&pieces.product_id), pieces.quantity > 0));
                    }
                    inventory_service::Answer::Released(all) => self.under_way.extend(
                        all.iter().map(|pieces| Message::Released(number_of(&pieces.product_id), pieces.quantity > 0)),
                    ),
                }
            }
            Message::Charged => self.input(&Input::Charged(PaymentCompleted(payment(true)))),
            Message::Declined => self.input(&Input::Declined(PaymentFailed(payment(true)))),
            Message::Refunded(any) => self.input(&Input::Refunded(PaymentRefunded(payment(any)))),
            Message::Reserved(item) => self.input(&Input::Reserved(InventoryReserved(stock(item, true)))),
            Message::Rejected(item, any) => self.input(&Input::Rejected(InventoryRejected(stock(item, any)))),
            Message::Released(item, any) => self.input(&Input::Released(InventoryReleased(stock(item, any)))),
        }
    }

    /// Every world that can come next.
    fn next(&self, rules: Rules) -> Vec<Self> {
        let mut worlds = Vec::new();
        let messages: BTreeSet<Message> = self.under_way.iter().copied().collect();
        for message in messages {
            let mut once = self.clone();
            let place = once.under_way.iter().position(|other| *other == message).unwrap();
            once.under_way.remove(place);
            once.arrives(message, rules);
            worlds.push(once);
            if self.repeats > 0 {
                let mut twice = self.clone();
                twice.repeats -= 1;
                twice.arrives(message, rules);
                worlds.push(twice);
            }
        }
        if self.overdue > 0
            && let Some(input) = self.saga.overdue(NOW.plus_ms(1_000), &patience())
        {
            let mut late = self.clone();
            late.overdue -= 1;
            late.input(&input);
            worlds.push(late);
        }
        worlds
    }

    /// Where nothing can happen any more: one end, and nothing but what it says.
    fn check_end(&self, rules: Rules) {
        assert!(self.saga.has_ended(), "it never ends: {self:?}");
        assert_eq!((self.ends.len(), self.told), (1, 1), "one end, and told once: {self:?}");
        assert!(self.account.charges <= 1 && self.account.refunds <= 1, "charged and paid back once at most: {self:?}");
        let level =
            |product: &str| Level::read(self.warehouse[&(STOCK, product.to_owned())].as_ref().unwrap()).unwrap().left;
        let levels: (u32, u32) = (level("hat"), level("shoe"));
        let full = (5, if rules.is_there { 5 } else { 1 });
        if self.ends == [Happened::Completed] {
            assert_eq!((self.account.standing, levels), (Standing::Charged, (3, 3)), "paid and reserved: {self:?}");
        } else {
            assert_ne!(self.account.standing, Standing::Charged, "nothing stays charged: {self:?}");
            assert_eq!(self.account.refunds, self.account.charges, "paid back what was charged: {self:?}");
            assert_eq!(levels, full, "nothing stays reserved: {self:?}");
        }
    }
}

/// Walks through every world that these rules allow; how many there are, and how their sagas ended.
fn explore(rules: Rules) -> (usize, BTreeSet<String>) {
    let mut seen = BTreeSet::new();
    let mut ends = BTreeSet::new();
    let mut open = vec![World::new(rules)];
    while let Some(world) = open.pop() {
        let mut world = world;
        world.under_way.sort_unstable(); // what is under way has no order
        if !seen.insert(format!("{world:?}")) {
            continue;
        }
        let next = world.next(rules);
        if world.under_way.is_empty() {
            world.check_end(rules);
            ends.insert(format!("{:?}", world.ends[0]));
        }
        open.extend(next);
    }
    (seen.len(), ends)
}

fn check(rules: Rules, ends: &[&str]) {
    let (worlds, found) = explore(rules);
    assert_eq!(found, ends.iter().map(|end| (*end).to_owned()).collect(), "of {worlds} worlds");
}

const CALM: Rules = Rules { pays: true, is_there: true, repeats: 0, overdue: 0 };

#[test]
fn an_order_that_is_paid_and_reserved_is_completed_in_whatever_order_its_answers_come() {
    check(Rules { repeats: 2, ..CALM }, &["Completed"]);
}

#[test]
fn a_declined_payment_releases_what_was_reserved_also_if_that_answers_late() {
    check(Rules { pays: false, repeats: 2, ..CALM }, &["Failed"]);
}

#[test]
fn a_shortage_refunds_what_was_charged_also_if_that_answers_late() {
    check(Rules { is_there: false, repeats: 2, ..CALM }, &["Failed"]);
}

#[test]
fn where_both_refuse_nothing_is_undone_and_the_order_fails_once() {
    check(Rules { pays: false, is_there: false, repeats: 2, ..CALM }, &["Failed"]);
}

#[test]
fn who_is_given_up_has_undone_whatever_it_did_before_the_order_fails() {
    check(Rules { overdue: 3, repeats: 1, ..CALM }, &["Completed", "Failed"]);
    check(Rules { overdue: 2, repeats: 1, pays: false, ..CALM }, &["Failed"]);
    check(Rules { overdue: 2, repeats: 1, is_there: false, ..CALM }, &["Failed"]);
}
