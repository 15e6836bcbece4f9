use events::Event;
use events::shop::PaymentResult;
use messaging::audit::Verdict;
use messaging::{Outcome, Outgoing, Record};

use crate::run::{Shop, orders};
use crate::steps::altered;

const ORDERS: u64 = 100;

/// Which of its outcomes a step alters.
const AT: u64 = 40;

const WRITING: &str = "payment_processor.order_placed";
const SILENT: &str = "notification_handler.inventory_result";

/// The shop with one outcome of a group altered, and what the audit says of it once all records are answered. `answers` are
/// those of all groups.
#[track_caller]
fn verdict(group: &str, answers: u64, mut alter: impl FnMut(Outcome) -> Outcome + Send + 'static) -> Verdict {
    let mut seen = 0;
    let alter = move |_: &Record<'_>, outcome| {
        seen += 1;
        if seen == AT { alter(outcome) } else { outcome }
    };
    let mut run = Shop::with_partitions(3).stepping(group, altered(alter)).start();
    run.take(&orders(ORDERS));
    let ended = run.end_after(answers);
    assert!(ended.drained.is_ok(), "{:?}", ended.drained);
    ended.verdict()
}

/// An order is answered for five times: twice as placed, once for each of its two results, once for its end.
const ANSWERS: u64 = 5 * ORDERS;

#[test]
fn the_faults_below_are_the_only_ones() {
    let verdict = verdict(WRITING, ANSWERS, |outcome| outcome);
    assert!(verdict.passed(), "{verdict}");
}

#[test]
fn an_order_is_lost_when_a_step_drops_what_follows_from_it() {
    let verdict = verdict(WRITING, ANSWERS - 2, |_| Outcome::Done(Vec::new()));
    assert!(!verdict.passed(), "{verdict}");
    assert_eq!((verdict.lost, verdict.doubled, verdict.ended), (1, 0, ORDERS - 1));
}

#[test]
fn a_record_with_other_bytes_under_the_same_event_id_is_doubled() {
    let verdict = verdict(WRITING, ANSWERS + 2, |outcome| {
        let Outcome::Done(mut records) = outcome else { panic!("{outcome:?}") };
        let mut result = PaymentResult::decode(&records[0].value).unwrap();
        result.timestamp = result.timestamp.plus_ms(1);
        records.push(Outgoing::of(&result));
        assert_eq!(records[0].event_id, records[1].event_id);
        Outcome::Done(records)
    });
    assert!(!verdict.passed(), "{verdict}");
    assert_eq!((verdict.lost, verdict.ended), (0, ORDERS));
    assert!(verdict.doubled >= 1, "{verdict}");
}

#[test]
fn a_record_written_twice_with_equal_bytes_is_redelivered_and_no_fault() {
    let verdict = verdict(WRITING, ANSWERS + 2, |outcome| {
        let Outcome::Done(mut records) = outcome else { panic!("{outcome:?}") };
        records.push(records[0].clone());
        Outcome::Done(records)
    });
    assert!(verdict.passed(), "{verdict}");
    // The copy, and what the next service makes of it.
    assert_eq!((verdict.redelivered, verdict.ended), (2, ORDERS));
}

#[test]
fn a_silent_group_that_writes_a_second_end_doubles_the_order() {
    let order = orders(AT);
    let stranger = Outgoing::of(&order[0]);
    let verdict = verdict(SILENT, ANSWERS, move |_| {
        let (value, event_id) = (b"{}".to_vec(), stranger.event_id);
        Outcome::Done(vec![Outgoing { value, event_id, ..stranger.clone() }])
    });
    assert!(!verdict.passed(), "{verdict}");
    assert!(verdict.doubled >= 1, "{verdict}");
}

#[test]
fn a_silent_group_that_never_answers_for_a_record_leaves_its_order_lost() {
    // Nothing behind that record is answered either.
    let mut run = Shop::with_partitions(1)
        .stepping(
            SILENT,
            altered(
                |record: &Record<'_>, outcome| {
                    if record.offset >= ORDERS as i64 - 1 { Outcome::Retry("never".into()) } else { outcome }
                },
            ),
        )
        .start();
    run.take(&orders(ORDERS));
    run.until("all but one", |run| run.audit.in_flight() == 1);
    let verdict = run.drain().verdict();
    assert!(!verdict.passed(), "{verdict}");
    assert_eq!((verdict.lost, verdict.ended), (1, ORDERS - 1));
}

/// Where the audit's sight ends: a group that writes nothing is believed when it says that it handled a record.
#[test]
fn a_silent_group_that_says_done_without_its_handler_is_believed() {
    let verdict = verdict(SILENT, ANSWERS, |_| Outcome::Done(Vec::new()));
    assert!(verdict.passed(), "{verdict}");
    assert_eq!(verdict.ended, ORDERS);
}
