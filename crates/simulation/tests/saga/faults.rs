use std::collections::BTreeMap;
use std::sync::Arc;

use events::Timestamp;
use events::saga::{OrderCreated, StatedItem};
use messaging::Outgoing;
use order_saga::{Outcomes, catalogue};
use simulation::{CrashPoint, Fault, Faults, Order};

use crate::{Bug, Outcome, honest, orders};

const SEEDS: std::ops::Range<u64> = 0..100;
const ORDERS: u64 = 50;

fn run(seed: u64, faults: Faults) -> Outcome {
    let bug: Arc<Bug> = Arc::new(honest);
    crate::run(seed, &orders(1, ORDERS), faults, &bug)
}

#[test]
fn every_order_ends_once_and_money_stock_and_emails_add_up_under_every_fault() {
    let (mut faults, mut crashes) = (BTreeMap::new(), BTreeMap::new());
    let mut outcomes = Outcomes::default();
    for seed in SEEDS {
        let outcome = run(seed, Faults::ALL);
        assert!(outcome.passed(), "{}", outcome.told());
        let verdict = &outcome.report.verdict;
        assert_eq!((verdict.accepted, verdict.ended + verdict.dead_lettered), (ORDERS, ORDERS));
        let Outcomes { completed, refunded, released, .. } = Outcomes::of(&outcome.report.tally);
        outcomes.completed += completed;
        outcomes.refunded += refunded;
        outcomes.released += released;
        outcome.report.faults.into_iter().for_each(|(fault, count)| *faults.entry(fault).or_insert(0) += count);
        outcome.report.crashes.into_iter().for_each(|(point, count)| *crashes.entry(point).or_insert(0) += count);
    }
    println!("{faults:?}\n{crashes:?}\n{outcomes:?}");
    assert_eq!(faults.into_keys().collect::<Vec<_>>(), Fault::ALL);
    assert_eq!(crashes.into_keys().collect::<Vec<_>>(), CrashPoint::ALL);
    assert!(outcomes.completed > 0 && outcomes.refunded > 0 && outcomes.released > 0, "{outcomes:?}");
}

#[test]
fn without_faults_every_order_ends_and_is_told_and_no_record_is_doubled() {
    for seed in SEEDS {
        let outcome = run(seed, Faults::NONE);
        assert!(outcome.passed(), "{}", outcome.told());
        assert_eq!((outcome.report.verdict.ended, outcome.books.untold), (ORDERS, 0), "{}", outcome.told());
        assert_eq!(outcome.books.completed + outcome.books.failed, ORDERS);
    }
}

#[test]
fn each_fault_alone_strikes_and_leaves_no_trace() {
    for fault in Fault::ALL {
        let mut count = 0;
        for seed in 0..20 {
            let outcome = run(seed, Faults::NONE.with(fault));
            assert!(outcome.passed(), "{}", outcome.told());
            count += outcome.report.faults.get(&fault).copied().unwrap_or(0);
        }
        assert!(count > 0, "{fault} never struck");
    }
}

#[test]
fn an_order_that_is_none_ends_refused_and_nothing_later_ever_sees_it() {
    let bug: Arc<Bug> = Arc::new(honest);
    let mut orders = orders(1, 10);
    let mut stated = catalogue::order(9, Timestamp::BASE, 0);
    stated.items.push(StatedItem { quantity: -1, ..stated.items[0].clone() });
    let order_id = stated.order_id.clone();
    orders.push(Order { record: Outgoing::of(&OrderCreated(stated)), order_id });
    let outcome = crate::run(7, &orders, Faults::ALL.without(Fault::Corruption), &bug);
    assert!(outcome.passed(), "{}", outcome.told());
    assert_eq!(Outcomes::of(&outcome.report.tally).refused, 1);
    assert_eq!(outcome.books.completed + outcome.books.failed, 10);
}

#[test]
fn a_seed_replays() {
    let (one, other) = (run(7, Faults::ALL), run(7, Faults::ALL));
    assert_eq!((one.report, one.books), (other.report, other.books));
}
