use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use events::saga::{
    EmailAbout, InventoryRejected, InventoryReleased, InventoryReserved, Item, Order, OrderValidated, Payment,
    PaymentCompleted, PaymentFailed, PaymentRefunded, Stock,
};
use events::{Cents, Event, OrderId, Timestamp};
use order_saga::saga::{Happened, Input, Overdue, Saga, SagaEvent, Then, decide, evolve};
use order_saga::{Leg, Participant, stored};

use crate::read;

const BEGIN: &str = "<!-- as crates/order-saga/tests/documents finds it in the code -->\n";
const END: &str = "<!-- to here -->\n";

const NOW: Timestamp = Timestamp::BASE;

/// How often anybody is asked here: from then on nothing changes but a number.
const ASKS: u32 = 2;

/// The states of a leg, in the order of its way.
const STATES: [&str; 6] = ["Idle", "Asked", "Granted", "Refused", "Undoing", "Undone"];

fn state(leg: Leg) -> usize {
    match leg {
        Leg::Idle => 0,
        Leg::Asked(_) => 1,
        Leg::Granted => 2,
        Leg::Refused => 3,
        Leg::Undoing(_) => 4,
        Leg::Undone => 5,
    }
}

/// A step of a leg: from a state by an event to a state.
type Step = (usize, String, usize);

/// When a leg takes a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct When {
    /// What leads to it.
    because: BTreeSet<&'static str>,
    /// Where the other leg may be meanwhile.
    other: BTreeSet<usize>,
}

/// All that the saga of an order can do.
#[derive(Default)]
struct Ways {
    /// The steps of each leg.
    steps: BTreeMap<Participant, BTreeMap<Step, When>>,
    /// Where the legs are when it ends, how, and what the customer is told.
    ends: BTreeMap<(usize, usize, String), BTreeSet<String>>,
}

fn order(products: &[&str]) -> Order {
    let item = |product: &&str| Item { product_id: (*product).into(), quantity: 2, price: Cents::new(500) };
    let (order_id, customer_id) = (OrderId::parse("7f3a").unwrap(), "CUST-00042".into());
    Order { order_id, customer_id, items: products.iter().map(item).collect(), timestamp: NOW }
}

/// Everything that can come to a saga: each answer, whether anybody would give it or not, and each overdue one.
fn inputs(saga: &Saga) -> Vec<(&'static str, Input)> {
    let order = saga.order();
    let payment = || -> Payment { saga.payment(NOW) };
    let mut inputs = vec![
        (OrderValidated::TOPIC.as_str(), Input::Validated(OrderValidated(order.clone()), None)),
        (PaymentCompleted::TOPIC.as_str(), Input::Charged(PaymentCompleted(payment()))),
        (PaymentFailed::TOPIC.as_str(), Input::Declined(PaymentFailed(payment()))),
        (PaymentRefunded::TOPIC.as_str(), Input::Refunded(PaymentRefunded(payment()))),
    ];
    for item in &order.items {
        let (product_id, order_id) = (item.product_id.clone(), order.order_id.clone());
        let stock = Stock { product_id, quantity_reserved: item.quantity, order_id, timestamp: NOW };
        inputs.push((InventoryReserved::TOPIC.as_str(), Input::Reserved(InventoryReserved(stock.clone()))));
        inputs.push((InventoryRejected::TOPIC.as_str(), Input::Rejected(InventoryRejected(stock.clone()))));
        inputs.push((InventoryReleased::TOPIC.as_str(), Input::Released(InventoryReleased(stock))));
    }
    for participant in Participant::ALL {
        let (order_id, times) = (order.order_id.clone(), saga.leg(participant).times());
        let overdue = |then| Input::Overdue(Overdue { order_id: order_id.clone(), participant, times, at: NOW, then });
        let again = if matches!(saga.leg(participant), Leg::Asked(_)) { Then::AskAgain } else { Then::UndoAgain };
        if (1..ASKS).contains(&times) {
            inputs.push(("no answer", overdue(again)));
        }
        if again == Then::AskAgain {
            inputs.push(("no answer, for the last time", overdue(Then::GiveUp)));
        }
    }
    inputs
}

/// Follows everything that can come, in every state to which it leads.
fn explore(products: &[&str]) -> Ways {
    let mut ways = Ways::default();
    let mut seen = BTreeSet::new();
    let begins = Input::Validated(OrderValidated(order(products)), None);
    let mut open: Vec<Saga> = ways.follow(None, "", &begins).into_iter().collect();
    while let Some(saga) = open.pop() {
        if seen.insert(format!("{saga:?}")) {
            open.extend(inputs(&saga).iter().filter_map(|(because, input)| ways.follow(Some(&saga), because, input)));
        }
    }
    ways
}

impl Ways {
    /// The saga after an input. Of its events the first is what the input says, and the others follow from that.
    fn follow(&mut self, saga: Option<&Saga>, because: &'static str, input: &Input) -> Option<Saga> {
        let events = decide(saga, input, NOW).unwrap();
        let because = std::iter::once(because).chain(std::iter::repeat("it follows"));
        events.iter().zip(because).fold(saga.cloned(), |saga, (event, because)| {
            let after = evolve(saga.clone(), event);
            if let (Some(before), Some(after)) = (&saga, &after) {
                self.note(before, event, after, because);
            }
            after
        })
    }

    /// Notes what an event did.
    fn note(&mut self, before: &Saga, event: &SagaEvent, after: &Saga, because: &'static str) {
        let word = stored::store(event).event_type;
        match &event.happened {
            Happened::Asked(who)
            | Happened::Granted(who, _)
            | Happened::Refused(who)
            | Happened::GivenUp(who)
            | Happened::Undoing(who)
            | Happened::Undone(who, _) => {
                let other = if *who == Participant::Payment { Participant::Inventory } else { Participant::Payment };
                let step = (state(before.leg(*who)), word, state(after.leg(*who)));
                let when = self.steps.entry(*who).or_default().entry(step).or_default();
                when.because.insert(because);
                when.other.insert(state(before.leg(other)));
            }
            Happened::Told(about) => {
                let end = if *about == EmailAbout::OrderConfirmed { "completed" } else { "failed" };
                self.end(after, end).insert(about.to_string());
            }
            Happened::Completed | Happened::Failed => {
                assert!(!self.end(after, &word).is_empty(), "the customer was told something else than {word}");
            }
            Happened::Began(..) => {}
        }
    }

    fn end(&mut self, saga: &Saga, end: &str) -> &mut BTreeSet<String> {
        let [payment, inventory] = Participant::ALL.map(|participant| state(saga.leg(participant)));
        self.ends.entry((payment, inventory, end.to_owned())).or_default()
    }

    /// The steps of both legs, as one: what leads to them is told for each.
    fn both(&self) -> BTreeMap<Step, When> {
        let mut both = BTreeMap::<Step, When>::new();
        for (step, when) in self.steps.values().flatten() {
            let all = both.entry(step.clone()).or_default();
            all.because.extend(&when.because);
            all.other.extend(&when.other);
        }
        both
    }

    fn picture(&self) -> String {
        let mut edges = BTreeMap::<(usize, usize), Vec<&str>>::new();
        let both = self.both();
        both.keys().for_each(|(from, event, to)| edges.entry((*from, *to)).or_default().push(event));
        let mut ends = BTreeMap::<usize, BTreeSet<&str>>::new();
        for (payment, inventory, end) in self.ends.keys() {
            for leg in [payment, inventory] {
                ends.entry(*leg).or_default().insert(end);
            }
        }
        let mut text = "```mermaid\nstateDiagram-v2\n  [*] --> Idle\n".to_owned();
        for ((from, to), events) in edges {
            writeln!(text, "  {} --> {}: {}", STATES[from], STATES[to], events.join(", ")).unwrap();
        }
        for (leg, ends) in ends {
            let ends: Vec<&str> = ends.into_iter().collect();
            writeln!(text, "  {} --> [*]: {}", STATES[leg], ends.join(", ")).unwrap();
        }
        text.push_str("```\n\n| from | event | to | because of | while the other leg is |\n|---|---|---|---|---|\n");
        for ((from, event, to), When { because, other }) in both {
            let because: Vec<String> = because.into_iter().map(marked).collect();
            let states: Vec<&str> = other.iter().map(|&state| STATES[state]).collect();
            let other = if (1..STATES.len()).all(|state| other.contains(&state)) {
                "any but Idle".into()
            } else {
                states.join(", ")
            };
            let (from, to) = (STATES[from], STATES[to]);
            writeln!(text, "| {from} | `{event}` | {to} | {} | {other} |", because.join(", ")).unwrap();
        }
        text.push_str("\n| payment | inventory | the customer is told | the order has |\n|---|---|---|---|\n");
        for ((payment, inventory, end), told) in &self.ends {
            let told: Vec<String> = told.iter().map(|about| format!("`{about}`")).collect();
            writeln!(text, "| {} | {} | {} | `{end}` |", STATES[*payment], STATES[*inventory], told.join(" or "))
                .unwrap();
        }
        text
    }
}

/// A topic is code, anything else is said.
fn marked(because: &str) -> String {
    if because.contains('.') { format!("`{because}`") } else { because.to_owned() }
}

#[test]
fn the_architecture_shows_every_step_that_a_leg_can_take_and_every_end() {
    let right = explore(&["hat", "shoe"]).picture();
    let architecture = read("ARCHITECTURE.md");
    let (_, rest) = architecture.split_once(BEGIN).expect("the mark where it begins");
    let (found, _) = rest.split_once(END).expect("the mark where it ends");
    assert!(found == right, "between {BEGIN}and {END}of ARCHITECTURE.md has to stand:\n\n{right}");
}

#[test]
fn both_legs_go_the_same_way() {
    // Of several products each has an answer of its own, which a payment has not.
    let ways = explore(&["hat"]);
    let steps = |participant| ways.steps[&participant].keys().collect::<Vec<_>>();
    assert_eq!(steps(Participant::Payment), steps(Participant::Inventory));
}
