use simulation::{Fault, Faults, Report, Sabotage, Simulation};

use crate::{orders, shop};

const SEEDS: std::ops::Range<u64> = 0..20;

/// Of a few seeds none fails without the bug, and at least one with it, by this count.
#[track_caller]
fn check(sabotage: Sabotage, faults: Faults, count: impl Fn(&Report) -> u64) {
    let (shop, orders) = (shop(), orders(1, 40));
    let mut found = 0;
    for seed in SEEDS {
        let simulation = Simulation::new(&shop, &orders).schedule(seed).faults(faults);
        let sound = simulation.run().unwrap();
        assert!(sound.passed(), "{sound}");
        let broken = simulation.sabotage(sabotage).run().unwrap();
        let is_found = count(&broken) > 0;
        assert!(!(is_found && broken.passed()), "{broken}");
        found += u64::from(is_found);
    }
    println!("{sabotage:?}: found by {found} of {} seeds", SEEDS.end);
    assert!(found > 0, "{sabotage:?} was never found");
}

#[test]
fn a_commit_before_the_writes_loses_orders() {
    check(Sabotage::CommitBeforeProduce, Faults::ALL, |report| report.verdict.lost);
}

#[test]
fn a_record_that_the_broker_forgets_is_lost() {
    check(Sabotage::DropRecord, Faults::NONE, |report| report.verdict.lost);
}

#[test]
fn a_record_with_the_same_id_and_other_bytes_is_doubled() {
    check(Sabotage::DoubleRecord, Faults::NONE, |report| report.verdict.doubled);
}

#[test]
fn a_handler_that_looks_at_the_clock_doubles_at_a_redelivery() {
    check(Sabotage::ClockInPayload, Faults::ALL, |report| report.verdict.doubled);
}

#[test]
fn a_dead_letter_that_the_broker_forgets_is_lost() {
    check(Sabotage::LoseDeadLetter, Faults::NONE.with(Fault::Corruption), |report| report.verdict.lost);
}

#[test]
fn a_dead_letter_that_differs_from_its_record_is_reported() {
    check(Sabotage::AlterDeadLetter, Faults::NONE.with(Fault::Corruption), |report| report.altered_dead_letters);
}

#[test]
fn a_record_that_a_group_skips_is_lost() {
    check(Sabotage::SkipRecord, Faults::NONE, |report| report.verdict.lost);
}
