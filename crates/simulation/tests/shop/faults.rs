use std::collections::BTreeMap;

use messaging::{BatchStep, Outcome, Record};
use simulation::{Consumer, CrashPoint, Fault, Faults, Report, Simulation};

use crate::{orders, shop};

const SEEDS: std::ops::Range<u64> = 0..200;
const ORDERS: u64 = 50;

/// The shop has no store.
fn faults_of_a_shop() -> impl Iterator<Item = Fault> {
    Fault::ALL.into_iter().filter(|fault| *fault != Fault::StoreFailure)
}

fn run(seed: u64, faults: Faults) -> Report {
    Simulation::new(&shop(), &orders(1, ORDERS)).schedule(seed).faults(faults).run().unwrap()
}

#[test]
fn every_order_ends_once_under_every_fault() {
    let (shop, orders) = (shop(), orders(1, ORDERS));
    let (mut faults, mut crashes) = (BTreeMap::new(), BTreeMap::new());
    let mut refused_commits = 0;
    for seed in SEEDS {
        let report = Simulation::new(&shop, &orders).schedule(seed).faults(Faults::ALL).run().unwrap();
        assert!(report.passed(), "{report}\n{}", report.log().join("\n"));
        assert_eq!(report.verdict.accepted, ORDERS);
        assert_eq!(report.verdict.ended + report.verdict.dead_lettered, ORDERS);
        report.faults.into_iter().for_each(|(fault, count)| *faults.entry(fault).or_insert(0) += count);
        report.crashes.into_iter().for_each(|(point, count)| *crashes.entry(point).or_insert(0) += count);
        refused_commits += report.refused_commits;
    }
    println!("{faults:?}\n{crashes:?}\n{refused_commits} commits refused");
    assert_eq!(faults.into_keys().collect::<Vec<_>>(), faults_of_a_shop().collect::<Vec<_>>());
    assert_eq!(crashes.into_keys().collect::<Vec<_>>(), CrashPoint::ALL);
    assert!(refused_commits > 0, "no zombie ever committed");
}

#[test]
fn without_corruption_every_schedule_gives_the_bytes_of_the_undisturbed_run() {
    let (shop, orders) = (shop(), orders(1, ORDERS));
    let undisturbed = Simulation::new(&shop, &orders).run().unwrap();
    assert!(undisturbed.passed(), "{undisturbed}");
    let mut redelivered = 0;
    for seed in SEEDS {
        let faults = Faults::ALL.without(Fault::Corruption);
        let report = Simulation::new(&shop, &orders).schedule(seed).faults(faults).run().unwrap();
        assert!(report.passed(), "{report}\n{}", report.log().join("\n"));
        assert_eq!(report.verdict.digest, undisturbed.verdict.digest, "{report}");
        assert_eq!(report.tally, undisturbed.tally, "{report}");
        redelivered += report.verdict.redelivered;
    }
    assert!(redelivered > 0, "nothing was ever written twice");
}

#[test]
fn without_faults_nothing_is_delivered_or_written_twice() {
    for seed in SEEDS {
        let report = run(seed, Faults::NONE);
        assert!(report.passed(), "{report}");
        assert_eq!((report.verdict.ended, report.verdict.redelivered, report.redeliveries), (ORDERS, 0, 0), "{report}");
        assert!(report.faults.is_empty() && report.log().is_empty());
    }
}

#[test]
fn each_fault_alone_strikes_and_harms_nobody() {
    for fault in faults_of_a_shop() {
        let mut count = 0;
        for seed in 0..40 {
            let report = run(seed, Faults::NONE.with(fault));
            assert!(report.passed(), "{report}\n{}", report.log().join("\n"));
            assert!(report.faults.keys().all(|&found| found == fault), "{report}");
            count += report.faults.get(&fault).copied().unwrap_or(0);
        }
        assert!(count > 0, "{fault} never struck");
    }
}

#[test]
fn a_seed_replays_and_another_one_differs() {
    let report = run(7, Faults::ALL);
    assert_eq!(report, run(7, Faults::ALL));
    let other = run(8, Faults::ALL);
    assert_ne!(report.log(), other.log());
}

#[test]
fn one_system_serves_seeds_side_by_side() {
    let (shop, orders) = (shop(), orders(1, ORDERS));
    let run = || Simulation::new(&shop, &orders).schedule(7).faults(Faults::ALL).run();
    let (one, other) = std::thread::scope(|scope| {
        let threads = (scope.spawn(run), scope.spawn(run));
        (threads.0.join().unwrap(), threads.1.join().unwrap())
    });
    assert_eq!(one, other);
}

#[test]
fn a_corrupted_record_becomes_a_dead_letter_of_each_group_that_reads_it() {
    let corrupted = Faults::NONE.with(Fault::Corruption);
    let given_up = |seed| {
        // The audit expects a dead letter from each group that reads the record's topic.
        let report = run(seed, corrupted);
        assert!(report.passed(), "{report}");
        report.verdict.dead_lettered
    };
    let given_up: u64 = (0..40).map(given_up).sum();
    assert!(given_up > 0, "no order was ever given up");
}

/// A step whose database never comes back.
struct Away;

impl BatchStep for Away {
    fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
        batch.iter().map(|_| Outcome::Retry("the database is away".into())).collect()
    }
}

#[test]
fn a_group_that_never_gets_on_is_reported_as_stuck_and_its_orders_as_lost() {
    let mut shop = shop();
    let group = shop.consumers.iter().position(|consumer| consumer.subscription.service == "payment_processor");
    let subscription = shop.consumers[group.unwrap()].subscription.clone();
    shop.consumers[group.unwrap()] = Consumer::new(subscription, |_| Away);
    let report = Simulation::new(&shop, &orders(1, 10)).run().unwrap();
    assert!(!report.passed());
    assert_eq!((report.verdict.lost, report.verdict.ended), (10, 0));
    let told = report.to_string();
    assert!(told.contains("stuck: 10 records are not committed 600000 ms after the last fault"), "{told}");
}

#[test]
fn no_orders_end_at_once() {
    let report = Simulation::new(&shop(), &[]).faults(Faults::ALL).run().unwrap();
    assert!(report.passed(), "{report}");
    assert_eq!(report.verdict.accepted, 0);
}

#[test]
fn a_system_without_the_topic_of_an_order_is_refused() {
    let mut shop = shop();
    shop.topics.retain(|(topic, _)| topic.as_str() != "order_shipped");
    let refused = Simulation::new(&shop, &orders(1, 1)).run().unwrap_err();
    assert_eq!(refused.to_string(), "no topic `order_shipped`: create it first");
}

#[test]
fn a_system_without_the_topic_that_a_handler_writes_is_refused() {
    let mut shop = shop();
    shop.topics.retain(|(topic, _)| topic.as_str() != "notifications");
    shop.consumers.retain(|consumer| consumer.subscription.topic.as_str() != "notifications");
    let refused = Simulation::new(&shop, &orders(1, ORDERS)).run().unwrap_err();
    assert_eq!(refused.to_string(), "no topic `notifications`: create it first");
}
