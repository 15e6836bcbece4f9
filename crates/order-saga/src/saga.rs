//! One saga an order: what was asked of whom, what came of it, and what follows.
//!
//! The state is nothing but its events: [`decide`] answers an input with the events to append, [`evolve`] applies one. An input that comes
//! again appends nothing.
//!
//! Payment and reservation are asked for together. Both granted: the customer is told, the order is completed. One refused, or one
//! that never answers: what the other granted is undone, the customer is told, the order has failed. It fails only once nothing of it
//! is left, so an undoing that does not succeed is asked for again, with a growing wait, without an end ([`Saga::is_stuck`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use events::saga::{
    EmailAbout, InventoryRejected, InventoryReleased, InventoryReserved, Order, OrderValidated, Payment,
    PaymentCompleted, PaymentFailed, PaymentRefunded, Stock,
};
use events::{Event, EventId, OrderId, Timestamp};
use messaging::store::Standing;
use messaging::{Draw, RetryPolicy};

use crate::{Leg, Participant, Question, order_orchestrator};

/// What came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The order was found valid, in this run.
    Validated(OrderValidated, Option<String>),
    /// Its payment was charged.
    Charged(PaymentCompleted),
    /// Its payment was declined.
    Declined(PaymentFailed),
    /// Nothing of its payment is charged any more.
    Refunded(PaymentRefunded),
    /// A product of it is reserved.
    Reserved(InventoryReserved),
    /// A product of it is not there.
    Rejected(InventoryRejected),
    /// A product of it is not reserved any more.
    Released(InventoryReleased),
    /// An answer is overdue, as [`Saga::overdue`] says.
    Overdue(Overdue),
}

/// An answer that is overdue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// Of which order.
    pub order_id: OrderId,
    /// Whose.
    pub participant: Participant,
    /// How often it was asked for.
    pub times: u32,
    /// When it became so.
    pub at: Timestamp,
    /// What comes of it.
    pub then: Then,
}

/// What comes of an overdue answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It is asked for once more.
    AskAgain,
    /// Its undoing is.
    UndoAgain,
    /// It is given up, and the part undone.
    GiveUp,
}

/// What happened, in the order in which it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// The order's saga began, in this run: what it asks later on belongs to that, too.
    Began(Order, Option<String>),
    /// A participant was asked for its part, perhaps not for the first time.
    Asked(Participant),
    /// It granted its part: for the inventory, this product of it.
    Granted(Participant, Option<String>),
    /// It refused its part.
    Refused(Participant),
    /// It never answered: its part is undone, whatever it may have done.
    GivenUp(Participant),
    /// It was asked to undo its part, perhaps not for the first time.
    Undoing(Participant),
    /// It has undone its part: for the inventory, this product of it.
    Undone(Participant, Option<String>),
    /// The customer was told.
    Told(EmailAbout),
    /// The order is completed.
    Completed,
    /// The order has failed, and nothing of it is left.
    Failed,
}

/// An event of the stream: what happened, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SagaEvent {
    /// What happened.
    pub happened: Happened,
    /// When: the time of the input that led to it, or of what happened before if that is later; never the clock's.
    pub at: Timestamp,
    /// When it was noted, by the clock: waits count from here, and no record has it.
    pub recorded_at: Timestamp,
    /// The input that led to it: if that comes again, this is published again.
    pub cause: EventId,
}

/// Why an input has no place in the saga: it goes to the dead letters, and changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An answer about an order of which nobody asked anything.
    #[error("order {0}: nothing was asked about it")]
    Unknown(OrderId),
    /// An order's id, a second time, with other content.
    #[error("order {0}: an order of this id has begun with other content")]
    OtherOrder(OrderId),
    /// An answer about something else than what was asked.
    #[error("order {order_id}: found {found}, allowed {allowed}")]
    OtherAnswer {
        /// The order.
        order_id: OrderId,
        /// What was answered.
        found: String,
        /// What was asked.
        allowed: String,
    },
}

/// How long an answer may take, and how often it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The wait for an answer, which grows with each time that it is asked for; and when somebody should look.
    pub retry: RetryPolicy,
    /// How often a participant is asked for its part before that is given up, 1 or more. For an undoing there is no limit.
    pub asks: u32,
}

impl Patience {
    /// The latest moment at which anything noted by now may be due.
    pub fn horizon(&self, now: Timestamp) -> Timestamp {
        now.plus_ms(self.retry.longest_ms())
    }
}

/// An order's saga: what its events say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saga {
    /// Shared: what remembers a saga and what decides about it need no copy of their own.
    order: Arc<Order>,
    run: Option<String>,
    /// The time of what happened last.
    latest: Timestamp,
    payment: Leg,
    inventory: Leg,
    /// Products that are reserved, and those that were released: an order has an answer for each.
    reserved: BTreeSet<String>,
    released: BTreeSet<String>,
    /// When each participant was first asked to undo its part.
    undoing_since: BTreeMap<Participant, Timestamp>,
    /// Who refused first, or did not answer: why everything is undone.
    cause: Option<Participant>,
    is_told: bool,
    has_ended: bool,
}

/// What follows from an input: the events to append, none where nothing is new.
///
/// - `now`: when they are noted.
///
/// # Errors
/// Where the input has no place in the saga.
pub fn decide(saga: Option<&Saga>, input: &Input, now: Timestamp) -> Result<Vec<SagaEvent>, Refusal> {
    advance(saga, input, now).map(|(events, _)| events)
}

/// As [`decide`], with the saga after those events, as [`evolve`] makes it of them.
///
/// # Errors
/// As [`decide`].
pub(crate) fn advance(
    saga: Option<&Saga>,
    input: &Input,
    now: Timestamp,
) -> Result<(Vec<SagaEvent>, Option<Saga>), Refusal> {
    let fact = match (saga, input) {
        (Some(saga), _) => saga.fact(input)?,
        (None, Input::Validated(OrderValidated(order), run)) => Some(Happened::Began(order.clone(), run.clone())),
        (None, Input::Overdue(_)) => None, // its saga is gone
        (None, _) => return Err(Refusal::Unknown(input.order_id().clone())),
    };
    // Answers come in any order, and what follows from them is never earlier than what they tell.
    let at = saga.map_or(input.at(), |saga| saga.latest.max(input.at()));
    let cause = input.event_id();
    let mut events = Vec::new();
    let mut next = fact;
    let mut state = saga.cloned();
    while let Some(happened) = next {
        let event = SagaEvent { happened, at, recorded_at: now, cause };
        state = evolve(state, &event);
        events.push(event);
        next = state.as_ref().and_then(Saga::follows);
    }
    Ok((events, state))
}

/// The saga after an event; events before its first one have no effect.
pub fn evolve(saga: Option<Saga>, event: &SagaEvent) -> Option<Saga> {
    let mut saga = match &event.happened {
        Happened::Began(order, run) => Saga::new(order.clone(), run.clone()),
        _ => saga?,
    };
    saga.latest = saga.latest.max(event.at);
    match &event.happened {
        Happened::Began(..) => {}
        Happened::Asked(participant) => {
            let leg = saga.leg_mut(*participant);
            *leg = Leg::Asked(event.question(leg.times() + 1));
        }
        Happened::Granted(participant, product) => {
            saga.reserved.extend(product.clone());
            if *participant == Participant::Payment || saga.reserved.len() == saga.order.items.len() {
                *saga.leg_mut(*participant) = Leg::Granted;
            }
        }
        Happened::Refused(participant) => {
            *saga.leg_mut(*participant) = Leg::Refused;
            saga.cause.get_or_insert(*participant);
        }
        Happened::GivenUp(participant) => {
            *saga.leg_mut(*participant) = Leg::Undoing(event.question(0));
            saga.cause.get_or_insert(*participant);
        }
        Happened::Undoing(participant) => {
            saga.undoing_since.entry(*participant).or_insert(event.at);
            let leg = saga.leg_mut(*participant);
            *leg = Leg::Undoing(event.question(leg.times() + 1));
        }
        Happened::Undone(participant, product) => {
            saga.released.extend(product.clone());
            if *participant == Participant::Payment || saga.released.len() == saga.order.items.len() {
                *saga.leg_mut(*participant) = Leg::Undone;
            }
        }
        Happened::Told(_) => saga.is_told = true,
        Happened::Completed | Happened::Failed => saga.has_ended = true,
    }
    Some(saga)
}

impl SagaEvent {
    /// The question that it asks for the time of this number.
    fn question(&self, times: u32) -> Question {
        Question { times, at: self.at, recorded_at: self.recorded_at }
    }
}

impl Saga {
    fn new(order: Order, run: Option<String>) -> Self {
        let order = Arc::new(order);
        Self {
            latest: order.timestamp,
            order,
            run,
            payment: Leg::Idle,
            inventory: Leg::Idle,
            reserved: BTreeSet::new(),
            released: BTreeSet::new(),
            undoing_since: BTreeMap::new(),
            cause: None,
            is_told: false,
            has_ended: false,
        }
    }

    /// The order.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// The run that it belongs to.
    pub fn run(&self) -> Option<&str> {
        self.run.as_deref()
    }

    /// How far a participant's part is.
    pub fn leg(&self, participant: Participant) -> Leg {
        match participant {
            Participant::Payment => self.payment,
            Participant::Inventory => self.inventory,
        }
    }

    /// When a participant was first asked to undo its part; never, if it was not.
    pub fn undoing_since(&self, participant: Participant) -> Option<Timestamp> {
        self.undoing_since.get(&participant).copied()
    }

    fn leg_mut(&mut self, participant: Participant) -> &mut Leg {
        match participant {
            Participant::Payment => &mut self.payment,
            Participant::Inventory => &mut self.inventory,
        }
    }

    /// Whether the order has come to its end.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The payment that is asked for; its refund is of the same.
    pub fn payment(&self, at: Timestamp) -> Payment {
        let order_id = self.order.order_id.clone();
        let hash = events::hash64_of(&[order_id.as_str(), "payment"]);
        Payment {
            order_id,
            payment_id: format!("PAY-{hash:016X}"),
            amount: self.order.total(),
            payment_method: "card".into(),
            timestamp: at,
        }
    }

    /// Who has to answer next, and by when, by the clock; nobody where all have.
    ///
    /// Waits are spread by the order and the participant, so that many sagas do not ask in step.
    pub fn due(&self, patience: &Patience) -> Option<(Participant, Timestamp)> {
        let dues = Participant::ALL.into_iter().filter_map(|participant| {
            let (question, wait_ms) = self.wait(participant, patience)?;
            Some((participant, question.recorded_at.plus_ms(wait_ms)))
        });
        dues.min_by_key(|(_, at)| *at)
    }

    /// What a participant was asked and has not answered, and how long it has for that in milliseconds.
    fn wait(&self, participant: Participant, patience: &Patience) -> Option<(Question, u64)> {
        let (Leg::Asked(question) | Leg::Undoing(question)) = self.leg(participant) else { return None };
        let Question { times, .. } = question;
        let draw = Draw::of(&self.order.order_id, order_orchestrator::NAME, participant.as_str(), times);
        Some((question, patience.retry.delay_ms(times, draw)))
    }

    /// How long whoever has asked the next question leaves the saga alone, in milliseconds.
    pub fn next_wait_ms(&self, patience: &Patience) -> u64 {
        let waits = Participant::ALL.into_iter().filter_map(|participant| self.wait(participant, patience));
        waits.map(|(_, wait_ms)| wait_ms).min().unwrap_or_default()
    }

    /// Where it stands, for whoever looks after timers; nowhere once it has ended.
    pub fn standing(&self, patience: &Patience) -> Option<Standing> {
        let (_, due_at) = self.due(patience).filter(|_| !self.has_ended)?;
        Some(Standing { due_at, is_stuck: self.is_stuck(patience) })
    }

    /// Whether somebody should look: an undoing was asked for so many times, and is not done.
    pub fn is_stuck(&self, patience: &Patience) -> bool {
        Participant::ALL.into_iter().any(
            |participant| matches!(self.leg(participant), Leg::Undoing(Question { times, .. }) if patience.retry.is_stuck(times)),
        )
    }

    /// What is overdue leads to: the question once more, or that it is given up. Nothing where nobody is late.
    pub fn overdue(&self, now: Timestamp, patience: &Patience) -> Option<Input> {
        let (participant, due_at) = self.due(patience)?;
        // No wait is longer: the question was noted by a clock that ran ahead.
        let is_late = due_at <= now || due_at > patience.horizon(now);
        (is_late && !self.has_ended).then_some(())?;
        let (Question { times, at, .. }, wait_ms) = self.wait(participant, patience)?;
        let then = match self.leg(participant) {
            Leg::Asked(_) if times >= patience.asks => Then::GiveUp,
            Leg::Asked(_) => Then::AskAgain,
            _ => Then::UndoAgain,
        };
        // When it became overdue in the records' time, not when somebody looked: another host comes to the same.
        let (order_id, at) = (self.order.order_id.clone(), at.plus_ms(wait_ms));
        Some(Input::Overdue(Overdue { order_id, participant, times, at, then }))
    }

    /// The id of an overdue answer, by what it was asked for and how often.
    pub fn overdue_id(order_id: &OrderId, participant: Participant, times: u32, then: Then) -> EventId {
        let about = if then == Then::UndoAgain { "undoing_overdue" } else { "overdue" };
        EventId::of(order_id, about, participant.as_str(), times)
    }

    /// What an input says that is not known yet.
    fn fact(&self, input: &Input) -> Result<Option<Happened>, Refusal> {
        use Participant::{Inventory, Payment};
        let (asked, undoing) = (|leg| matches!(leg, Leg::Asked(..)), |leg| matches!(leg, Leg::Undoing(..)));
        match input {
            Input::Validated(OrderValidated(order), _) if *order == *self.order => return Ok(None),
            Input::Validated(..) => return Err(Refusal::OtherOrder(self.order.order_id.clone())),
            Input::Charged(PaymentCompleted(payment)) | Input::Declined(PaymentFailed(payment)) => {
                self.expect_payment(payment, false)?;
            }
            Input::Refunded(PaymentRefunded(payment)) => self.expect_payment(payment, true)?,
            Input::Reserved(InventoryReserved(stock))
            | Input::Rejected(InventoryRejected(stock))
            | Input::Released(InventoryReleased(stock)) => self.expect_stock(stock)?,
            Input::Overdue(_) => {}
        }
        Ok(match input {
            Input::Charged(_) if asked(self.payment) => Some(Happened::Granted(Payment, None)),
            Input::Declined(_) if asked(self.payment) => Some(Happened::Refused(Payment)),
            Input::Refunded(_) if undoing(self.payment) => Some(Happened::Undone(Payment, None)),
            Input::Reserved(InventoryReserved(stock))
                if asked(self.inventory) && !self.reserved.contains(&stock.product_id) =>
            {
                Some(Happened::Granted(Inventory, Some(stock.product_id.clone())))
            }
            Input::Rejected(_) if asked(self.inventory) => Some(Happened::Refused(Inventory)),
            Input::Released(InventoryReleased(stock))
                if undoing(self.inventory) && !self.released.contains(&stock.product_id) =>
            {
                Some(Happened::Undone(Inventory, Some(stock.product_id.clone())))
            }
            Input::Overdue(overdue) if overdue.times == self.leg(overdue.participant).times() => {
                let participant = overdue.participant;
                match (self.leg(participant), overdue.then) {
                    (Leg::Asked(..), Then::GiveUp) => Some(Happened::GivenUp(participant)),
                    (Leg::Asked(..), Then::AskAgain) => Some(Happened::Asked(participant)),
                    (Leg::Undoing(..), Then::UndoAgain) => Some(Happened::Undoing(participant)),
                    _ => None,
                }
            }
            // It is known, or comes too late to matter: whoever was asked to undo has undone that, too, or will.
            _ => None,
        })
    }

    fn expect_payment(&self, payment: &Payment, is_refund: bool) -> Result<(), Refusal> {
        let asked = self.payment(payment.timestamp);
        let is_amount = payment.amount == asked.amount || is_refund && payment.amount == events::Cents::new(0);
        if payment.payment_id == asked.payment_id && is_amount {
            return Ok(());
        }
        let of = |payment: &Payment| format!("{} of {}", payment.payment_id, payment.amount);
        Err(Refusal::OtherAnswer { order_id: self.order.order_id.clone(), found: of(payment), allowed: of(&asked) })
    }

    fn expect_stock(&self, stock: &Stock) -> Result<(), Refusal> {
        let wanted = self.order.items.iter().find(|item| item.product_id == stock.product_id);
        if wanted.is_some_and(|item| [0, item.quantity].contains(&stock.quantity_reserved)) {
            return Ok(());
        }
        let allowed =
            wanted.map_or("a product of the order".into(), |item| format!("{} of {}", item.quantity, item.product_id));
        let found = format!("{} of {}", stock.quantity_reserved, stock.product_id);
        Err(Refusal::OtherAnswer { order_id: self.order.order_id.clone(), found, allowed })
    }

    /// What follows from the state by itself; nothing while an answer is awaited.
    fn follows(&self) -> Option<Happened> {
        if self.has_ended {
            return None;
        }
        let all = |is: fn(Leg) -> bool| Participant::ALL.into_iter().all(|participant| is(self.leg(participant)));
        let first = |is: fn(Leg) -> bool| Participant::ALL.into_iter().find(|&participant| is(self.leg(participant)));
        if let Some(participant) = first(|leg| leg == Leg::Idle) {
            return Some(Happened::Asked(participant));
        }
        let Some(cause) = self.cause else {
            return all(|leg| leg == Leg::Granted)
                .then_some(self.ends(EmailAbout::OrderConfirmed, Happened::Completed));
        };
        if let Some(participant) =
            first(|leg| leg == Leg::Granted || matches!(leg, Leg::Undoing(Question { times: 0, .. })))
        {
            return Some(Happened::Undoing(participant));
        }
        let about = match cause {
            Participant::Payment => EmailAbout::PaymentFailed,
            Participant::Inventory => EmailAbout::OutOfStock,
        };
        all(Leg::is_clear).then_some(self.ends(about, Happened::Failed))
    }

    /// The customer is told before the order ends.
    fn ends(&self, about: EmailAbout, end: Happened) -> Happened {
        if self.is_told { end } else { Happened::Told(about) }
    }
}

impl Input {
    /// Which order it is about.
    pub fn order_id(&self) -> &OrderId {
        match self {
            Self::Validated(event, _) => event.order_id(),
            Self::Charged(event) => event.order_id(),
            Self::Declined(event) => event.order_id(),
            Self::Refunded(event) => event.order_id(),
            Self::Reserved(event) => event.order_id(),
            Self::Rejected(event) => event.order_id(),
            Self::Released(event) => event.order_id(),
            Self::Overdue(overdue) => &overdue.order_id,
        }
    }

    /// The id of the record that it came as; of an overdue answer one that tells how often it was asked for.
    pub fn event_id(&self) -> EventId {
        match self {
            Self::Validated(event, _) => event.event_id(),
            Self::Charged(event) => event.event_id(),
            Self::Declined(event) => event.event_id(),
            Self::Refunded(event) => event.event_id(),
            Self::Reserved(event) => event.event_id(),
            Self::Rejected(event) => event.event_id(),
            Self::Released(event) => event.event_id(),
            Self::Overdue(Overdue { order_id, participant, times, then, .. }) => {
                Saga::overdue_id(order_id, *participant, *times, *then)
            }
        }
    }

    /// When it happened.
    fn at(&self) -> Timestamp {
        match self {
            Self::Validated(event, _) => event.0.timestamp,
            Self::Charged(event) => event.0.timestamp,
            Self::Declined(event) => event.0.timestamp,
            Self::Refunded(event) => event.0.timestamp,
            Self::Reserved(event) => event.0.timestamp,
            Self::Rejected(event) => event.0.timestamp,
            Self::Released(event) => event.0.timestamp,
            Self::Overdue(overdue) => overdue.at,
        }
    }
}

#[cfg(test)]
mod tests {
    use events::saga::Item;

    use super::*;

    const LATER: Timestamp = Timestamp::BASE;

    fn order() -> Order {
        let item = |product: &str| Item { product_id: product.into(), quantity: 2, price: events::Cents::new(500) };
        let (order_id, customer_id) = (OrderId::parse("7f3a").unwrap(), "CUST-00042".into());
        Order { order_id, customer_id, items: vec![item("hat"), item("shoe")], timestamp: Timestamp::BASE }
    }

    fn stock(product: &str) -> Stock {
        Stock { product_id: product.into(), quantity_reserved: 2, order_id: order().order_id, timestamp: LATER }
    }

    fn payment() -> Payment {
        Saga::new(order(), None).payment(LATER)
    }

    fn patience() -> Patience {
        Patience { retry: RetryPolicy::try_new(100, 400, 3).unwrap(), asks: 2 }
    }

    /// A saga that had these inputs, and what the last one led to.
    fn after(inputs: &[Input]) -> (Saga, Vec<Happened>) {
        let (mut saga, mut happened) = (None, Vec::new());
        for input in [Input::Validated(OrderValidated(order()), None)].iter().chain(inputs) {
            let events = decide(saga.as_ref(), input, LATER).unwrap();
            saga = events.iter().fold(saga, evolve);
            happened = events.into_iter().map(|event| event.happened).collect();
        }
        (saga.unwrap(), happened)
    }

    fn granted(product: &str) -> Happened {
        Happened::Granted(Participant::Inventory, Some(product.into()))
    }

    #[test]
    fn payment_and_reservation_are_asked_for_together() {
        let asked = |participant| Happened::Asked(participant);
        let began = Happened::Began(order(), None);
        assert_eq!(after(&[]).1, [began, asked(Participant::Payment), asked(Participant::Inventory)]);
    }

    #[test]
    fn an_order_is_completed_once_it_is_paid_and_each_of_its_products_is_reserved() {
        let inputs = [
            Input::Charged(PaymentCompleted(payment())),
            Input::Reserved(InventoryReserved(stock("hat"))),
            Input::Reserved(InventoryReserved(stock("shoe"))),
        ];
        assert_eq!(after(&inputs[..2]).1, [granted("hat")]);
        let (saga, happened) = after(&inputs);
        assert_eq!(happened, [granted("shoe"), Happened::Told(EmailAbout::OrderConfirmed), Happened::Completed]);
        assert!(saga.has_ended());
    }

    #[test]
    fn a_declined_payment_has_the_reservation_released_then_the_customer_told_and_the_order_fails() {
        let declined = [
            Input::Reserved(InventoryReserved(stock("hat"))),
            Input::Reserved(InventoryReserved(stock("shoe"))),
            Input::Declined(PaymentFailed(payment())),
        ];
        assert_eq!(
            after(&declined).1,
            [Happened::Refused(Participant::Payment), Happened::Undoing(Participant::Inventory)]
        );
        let released =
            [Input::Released(InventoryReleased(stock("hat"))), Input::Released(InventoryReleased(stock("shoe")))];
        let undone = Happened::Undone(Participant::Inventory, Some("shoe".into()));
        assert_eq!(
            after(&[&declined[..], &released].concat()).1,
            [undone, Happened::Told(EmailAbout::PaymentFailed), Happened::Failed]
        );
    }

    #[test]
    fn a_shortage_has_the_payment_refunded_whether_it_is_known_before_or_after_the_payment_answers() {
        let undoing = Happened::Undoing(Participant::Payment);
        let (before, after_it) = (
            [Input::Rejected(InventoryRejected(stock("hat"))), Input::Charged(PaymentCompleted(payment()))],
            [Input::Charged(PaymentCompleted(payment())), Input::Rejected(InventoryRejected(stock("hat")))],
        );
        assert_eq!(after(&before).1, [Happened::Granted(Participant::Payment, None), undoing.clone()]);
        assert_eq!(after(&after_it).1, [Happened::Refused(Participant::Inventory), undoing]);
        for inputs in [before, after_it] {
            let (saga, happened) = after(&[&inputs[..], &[Input::Refunded(PaymentRefunded(payment()))]].concat());
            let undone = Happened::Undone(Participant::Payment, None);
            assert_eq!(happened, [undone, Happened::Told(EmailAbout::OutOfStock), Happened::Failed]);
            assert!(saga.has_ended());
        }
    }

    #[test]
    fn what_is_known_already_appends_nothing() {
        let inputs = [
            Input::Charged(PaymentCompleted(payment())),
            Input::Reserved(InventoryReserved(stock("hat"))),
            Input::Reserved(InventoryReserved(stock("shoe"))),
        ];
        for inputs in [&inputs[..1], &inputs[..2], &inputs] {
            for again in inputs.iter().chain(&[Input::Validated(OrderValidated(order()), None)]) {
                assert_eq!(after(&[inputs, std::slice::from_ref(again)].concat()).1, [], "{again:?}");
            }
        }
        let late = [
            Input::Declined(PaymentFailed(payment())),
            Input::Rejected(InventoryRejected(stock("hat"))),
            Input::Refunded(PaymentRefunded(payment())),
        ];
        for late in late {
            assert_eq!(after(&[&inputs[..], std::slice::from_ref(&late)].concat()).1, [], "{late:?}");
        }
    }

    #[test]
    fn what_has_no_place_in_the_saga_is_refused_and_says_why() {
        let refusal = |saga: Option<&Saga>, input: Input| decide(saga, &input, LATER).unwrap_err().to_string();
        let (saga, _) = after(&[]);
        let other = Order { customer_id: "CUST-00001".into(), ..order() };
        let dearer = Payment { amount: events::Cents::new(2_001), ..payment() };
        let more = Stock { quantity_reserved: 3, ..stock("hat") };
        for (saga, input, reason) in [
            (None, Input::Charged(PaymentCompleted(payment())), "order 7f3a: nothing was asked about it"),
            (None, Input::Released(InventoryReleased(stock("hat"))), "order 7f3a: nothing was asked about it"),
            (
                Some(&saga),
                Input::Validated(OrderValidated(other), None),
                "order 7f3a: an order of this id has begun with other content",
            ),
            (
                Some(&saga),
                Input::Reserved(InventoryReserved(stock("coat"))),
                "order 7f3a: found 2 of coat, allowed a product of the order",
            ),
            (Some(&saga), Input::Reserved(InventoryReserved(more)), "order 7f3a: found 3 of hat, allowed 2 of hat"),
        ] {
            assert_eq!(refusal(saga, input), reason);
        }
        let text = refusal(Some(&saga), Input::Charged(PaymentCompleted(dearer)));
        assert!(text.starts_with("order 7f3a: found PAY-") && text.ends_with(" of 20.00"), "{text}");
    }

    #[test]
    fn an_answer_that_is_overdue_is_asked_for_again_and_then_given_up() {
        let patience = patience();
        let (mut saga, _) = after(&[
            Input::Reserved(InventoryReserved(stock("hat"))),
            Input::Reserved(InventoryReserved(stock("shoe"))),
        ]);
        let (mut told, mut now) = (Vec::new(), LATER);
        for _ in 0..5 {
            let (participant, at) = saga.due(&patience).unwrap();
            assert_eq!(participant, Participant::Payment);
            assert_eq!(saga.overdue(now, &patience), None, "not yet");
            now = at;
            let input = saga.overdue(now, &patience).unwrap();
            for event in decide(Some(&saga), &input, now).unwrap() {
                saga = evolve(Some(saga), &event).unwrap();
                told.push(event.happened);
            }
            if saga.leg(Participant::Inventory) == Leg::Granted {
                continue;
            }
            for product in ["hat", "shoe"] {
                for event in decide(Some(&saga), &Input::Released(InventoryReleased(stock(product))), now).unwrap() {
                    saga = evolve(Some(saga), &event).unwrap();
                }
            }
        }
        let undoing = |participant| Happened::Undoing(participant);
        assert_eq!(
            told,
            [
                Happened::Asked(Participant::Payment),
                Happened::GivenUp(Participant::Payment),
                undoing(Participant::Payment),
                undoing(Participant::Inventory),
                undoing(Participant::Payment),
                undoing(Participant::Payment),
                undoing(Participant::Payment),
            ]
        );
        // Never given up, and somebody is told.
        assert!(saga.is_stuck(&patience) && !saga.has_ended());
        let stale = saga.overdue(LATER.plus_ms(60_000), &patience).unwrap();
        assert_eq!(decide(None, &stale, LATER), Ok(vec![]), "its saga is gone");
        let (fresh, _) = after(&[]);
        assert_eq!(decide(Some(&fresh), &stale, LATER), Ok(vec![]), "another question is open");
    }

    #[test]
    fn waits_grow_to_their_cap_and_end_with_the_answer() {
        let patience = patience();
        let (mut saga, _) = after(&[
            Input::Reserved(InventoryReserved(stock("hat"))),
            Input::Rejected(InventoryRejected(stock("shoe"))),
        ]);
        let mut waits = Vec::new();
        for times in 1..=4 {
            let begin = LATER.plus_ms(1_000 * times);
            let times = u32::try_from(times).unwrap();
            saga.payment = Leg::Undoing(Question { times, at: LATER, recorded_at: begin });
            let (_, at) = saga.due(&patience).unwrap();
            waits.push(at.as_ms() - begin.as_ms());
        }
        assert_eq!(waits[0], 100);
        assert!(
            (100..=200).contains(&waits[1]) && waits[2..].iter().all(|wait| (200..=400).contains(wait)),
            "{waits:?}"
        );
        saga.payment = Leg::Undone;
        assert_eq!((saga.due(&patience), saga.is_stuck(&patience)), (None, false));
    }

    #[test]
    fn a_question_noted_by_a_clock_that_ran_ahead_is_due_at_once() {
        let patience = patience();
        let (saga, _) = after(&[]);
        let (_, due_at) = saga.due(&patience).unwrap();
        assert_eq!(saga.standing(&patience), Some(Standing { due_at, is_stuck: false }));
        let just_possible = Timestamp::from_ms(due_at.as_ms() - 400).unwrap();
        assert_eq!(saga.overdue(just_possible, &patience), None);
        let earlier = Timestamp::from_ms(due_at.as_ms() - 401).unwrap();
        let Some(Input::Overdue(overdue)) = saga.overdue(earlier, &patience) else { panic!("not due") };
        assert_eq!(overdue.at, LATER.plus_ms(100), "in the records' time, whatever the clock says");
    }

    #[test]
    fn a_stream_is_read_back_as_the_saga_that_wrote_it() {
        let inputs = [
            Input::Rejected(InventoryRejected(stock("hat"))),
            Input::Charged(PaymentCompleted(payment())),
            Input::Refunded(PaymentRefunded(payment())),
        ];
        let (mut saga, mut stream) = (None, Vec::new());
        for input in [Input::Validated(OrderValidated(order()), None)].iter().chain(&inputs) {
            let events = decide(saga.as_ref(), input, LATER).unwrap();
            saga = events.iter().fold(saga, evolve);
            stream.extend(events);
        }
        assert_eq!(stream.iter().fold(None, evolve), saga);
        assert_eq!(stream[1..].iter().fold(None, evolve), None, "nothing begins without its first event");
        assert_eq!(saga.unwrap().order(), &order());
    }
}
