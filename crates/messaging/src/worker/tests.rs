//! The rules of the loop, one a test: given a worker, when its host calls it, then exactly these effects follow.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use events::{EventId, OrderId, Topic};

use super::*;
use crate::{NoHeaders, RetryPolicy};

mod schedules; // the same rules under random schedules of faults

#[test]
fn nothing_is_stored_before_the_writes_of_the_batch_are_confirmed() {
    given()
        .receive(&[writes(0, 1), writes(0, 2), done(1, 7)])
        .then(&[handled(0), produce(0, 0), handled(1), produce(0, 1), handled(2)])
        .confirm(0)
        .then(&[store(0, 3), store(1, 8)]);
}

#[test]
fn offsets_are_stored_in_batch_order_even_when_batches_settle_out_of_order() {
    let mut host = given();
    host.receive(&[done(0, 1)]).receive(&[done(0, 2), done(1, 1)]).receive(&[done(0, 3)]);
    host.confirm(2).then(&[]);
    host.confirm(1).then(&[]);
    host.confirm(0).then(&[store(0, 2), store(0, 3), store(1, 2), store(0, 4)]);
}

#[test]
fn offsets_may_have_gaps() {
    given().receive(&[done(0, 3), done(0, 9)]).confirm(0).then(&[store(0, 10)]);
}

#[test]
fn a_failed_delivery_brings_the_batch_again_and_nothing_from_there_on_is_stored() {
    let mut host = given();
    host.receive(&[done(0, 1)]).receive(&[writes(0, 2), writes(0, 3)]).receive(&[done(0, 4)]);
    host.fail(1).then(&[pause(0)]);
    host.confirm(2).then(&[]);
    // What stands before the failed batch is stored all the same.
    host.confirm(0).then(&[store(0, 2)]);
    host.tick_at(WAIT_MS).then(&[resume(0, 2)]);
    host.receive(&[writes(0, 2), writes(0, 3), done(0, 4)]).confirm(3).then(&[store(0, 5)]);
}

#[test]
fn a_failed_delivery_brings_every_partition_of_its_batch_again_and_no_other() {
    let mut host = given();
    host.receive(&[writes(0, 5), done(1, 6)]).receive(&[done(2, 7)]);
    host.fail(0).then(&[pause(0), pause(1)]);
    host.confirm(1).then(&[store(2, 8)]);
    host.tick_at(WAIT_MS).then(&[resume(0, 5), resume(1, 6)]);
}

#[test]
fn a_batch_whose_records_come_again_anyway_may_fail_without_effect() {
    let mut host = given();
    host.receive(&[writes(0, 1)]).receive(&[writes(0, 2)]);
    host.fail(0).then(&[pause(0)]);
    host.fail(1).then(&[]);
    host.tick_at(WAIT_MS).then(&[resume(0, 1)]);
}

#[test]
fn a_retry_pauses_its_partition_alone_and_the_others_go_on() {
    given()
        .receive(&[done(0, 1), retry(0, 2), done(1, 1), done(1, 2)])
        .then(&[handled(0), retried(1), pause(0), handled(2), handled(3)])
        .confirm(0)
        .then(&[store(0, 2), store(1, 3)]);
}

#[test]
fn a_batch_that_begins_with_a_retry_stores_nothing() {
    given().receive(&[retry(0, 5)]).then(&[retried(0), pause(0)]).confirm(0).then(&[]);
}

#[test]
fn records_behind_a_retry_are_not_answered_and_come_again() {
    let mut host = given();
    host.receive(&[retry(0, 1), writes(0, 2), done(1, 1), reject(0, 3), retry(0, 4)]);
    host.then(&[retried(0), pause(0), handled(2)]);
    host.confirm(0).then(&[store(1, 2)]);
    host.tick_at(WAIT_MS).then(&[resume(0, 1)]);
    host.receive(&[done(0, 1), writes(0, 2)]).then(&[handled(0), handled(1), produce(1, 1)]);
    host.confirm(1).then(&[store(0, 3)]);
}

#[test]
fn while_a_partition_waits_its_records_are_passed_over() {
    let mut host = given();
    host.receive(&[retry(0, 1)]);
    // An index still counts in the slice that was handed in.
    host.receive(&[done(0, 2), writes(1, 1), reject(0, 3), retry(2, 1)]);
    host.then(&[handled(1), produce(1, 1), retried(3), pause(2)]);
    host.confirm(1).confirm(0).then(&[store(1, 2)]);
}

#[test]
fn a_batch_that_is_passed_over_is_open_until_its_host_settles_it() {
    let mut host = given();
    host.receive(&[retry(0, 1)]).confirm(0);
    host.receive(&[done(0, 2)]).then(&[]);
    assert!(host.worker.step.asked == 1, "a step is not asked about nothing");
    assert_eq!(host.worker.open.len(), 1);
    host.confirm(1).then(&[]);
    assert_eq!(host.worker.open.len(), 0);
}

#[test]
fn a_partition_resumes_at_the_failed_record_once_its_wait_is_over() {
    let mut host = given();
    host.tick_at(50).receive(&[done(0, 1), retry(0, 2), done(0, 3)]);
    host.tick_at(50 + WAIT_MS - 1).then(&[]);
    host.tick_at(50 + WAIT_MS).then(&[resume(0, 2)]);
    host.tick_at(50 + 2 * WAIT_MS).then(&[]);
}

#[test]
fn an_earlier_batch_that_fails_while_the_partition_waits_brings_it_back_further_in_the_same_wait() {
    let mut host = given();
    host.receive(&[writes(0, 1), writes(0, 2)]).receive(&[done(0, 3), retry(0, 4)]);
    host.tick_at(WAIT_MS - 1).fail(0).then(&[]);
    host.confirm(1).then(&[]);
    host.tick_at(WAIT_MS).then(&[resume(0, 1)]);
}

#[test]
fn a_batch_that_fails_behind_its_own_retry_comes_again_from_its_first_record() {
    let mut host = given();
    host.receive(&[writes(0, 1), retry(0, 2)]).fail(0).then(&[]);
    host.tick_at(WAIT_MS).then(&[resume(0, 1)]);
}

#[test]
fn an_earlier_batch_that_fails_after_the_partition_resumed_pauses_it_again() {
    let mut host = given();
    host.receive(&[writes(0, 1)]).receive(&[retry(0, 2)]).tick_at(WAIT_MS).then(&[resume(0, 2)]);
    host.receive(&[done(0, 2)]).fail(0).then(&[pause(0)]);
    host.confirm(1).confirm(2).then(&[]);
    host.tick_at(2 * WAIT_MS).then(&[resume(0, 1)]);
}

#[test]
fn backoff_grows_from_failure_to_failure_up_to_its_cap() {
    let mut host = given_policy(100, 400, 99);
    let mut now_ms = 0;
    for (least_ms, most_ms) in [(100, 100), (100, 200), (200, 400), (200, 400), (200, 400)] {
        host.receive_and_confirm(&[retry(0, 1)]);
        host.tick_at(now_ms + least_ms - 1).then(&[]);
        host.tick_at(now_ms + most_ms).then(&[resume(0, 1)]);
        now_ms += most_ms;
    }
}

#[test]
fn backoff_begins_anew_once_the_failing_record_is_stored_and_not_before() {
    let mut host = given_policy(100, 10_000, 99);
    host.receive_and_confirm(&[retry(0, 3)]).tick_at(100).receive_and_confirm(&[retry(0, 3)]);
    assert_eq!(host.attempts(0), Some(2));
    host.tick_at(300).receive(&[done(0, 3)]);
    assert_eq!(host.attempts(0), Some(2), "handled, but not stored yet");
    host.fail(2);
    assert_eq!(host.attempts(0), Some(3), "a lost write is another failure");
    host.tick_at(700).receive_and_confirm(&[done(0, 3)]).then(&[store(0, 4)]);
    assert_eq!(host.attempts(0), None);
    host.receive_and_confirm(&[retry(0, 4)]);
    assert_eq!(host.attempts(0), Some(1));
}

#[test]
fn a_success_before_the_failing_record_does_not_begin_the_backoff_anew() {
    let mut host = given();
    host.receive(&[done(0, 1)]).receive(&[retry(0, 2)]).tick_at(WAIT_MS);
    host.confirm(0).then(&[store(0, 2)]);
    assert_eq!(host.attempts(0), Some(1));
}

#[test]
fn a_failure_further_back_does_not_begin_the_backoff_anew_for_the_record_that_failed_before() {
    for resumed_in_between in [false, true] {
        let mut host = given();
        host.receive(&[writes(0, 1)]).receive(&[retry(0, 2)]);
        if resumed_in_between {
            host.tick_at(WAIT_MS);
        }
        host.fail(0).tick_at(2 * WAIT_MS).then(&[resume(0, 1)]);
        let attempts = host.attempts(0);
        host.receive_and_confirm(&[done(0, 1)]).then(&[]); // behind batch 1, which is still open
        host.confirm(1).then(&[store(0, 2)]);
        assert_eq!(host.attempts(0), attempts, "record 2 has not succeeded yet");
        host.receive_and_confirm(&[done(0, 2)]).then(&[store(0, 3)]);
        assert_eq!(host.attempts(0), None);
    }
}

#[test]
fn partitions_count_their_failures_apart() {
    let mut host = given_policy(100, 10_000, 99);
    host.receive_and_confirm(&[retry(0, 1)]).tick_at(100).receive_and_confirm(&[retry(0, 1), retry(1, 1)]);
    assert_eq!((host.attempts(0), host.attempts(1)), (Some(2), Some(1)));
}

#[test]
fn the_loop_is_a_circuit_breaker_open_while_a_partition_waits_half_open_while_it_tries_closed_once_it_is_past() {
    let mut host = given();
    assert_eq!(host.worker.breaker(), Breaker::Closed);
    host.receive_and_confirm(&[retry(0, 1), done(1, 1)]);
    assert_eq!(host.worker.breaker(), Breaker::Open);
    host.tick_at(WAIT_MS);
    assert_eq!(host.worker.breaker(), Breaker::HalfOpen);
    host.receive(&[retry(1, 2), writes(0, 1)]);
    assert_eq!(host.worker.breaker(), Breaker::Open, "another partition fails");
    host.tick_at(2 * WAIT_MS).receive(&[done(1, 2)]).confirm(1).confirm(2);
    assert_eq!(host.worker.breaker(), Breaker::Closed);
}

#[test]
fn a_partition_is_stuck_after_the_attempts_of_the_policy_and_again_each_time() {
    let mut host = given();
    host.fails_at(1).then(&[retried(0), pause(0)]);
    host.fails_at(2).then(&[retried(0), pause(0)]);
    host.fails_at(3).then(&[retried(0), pause(0), stuck(0, 1, 3, "away")]);
    host.fails_at(4).then(&[retried(0), pause(0), stuck(0, 1, 4, "away")]);
}

#[test]
fn writes_that_are_never_confirmed_are_reported_as_stuck_too() {
    let mut host = given();
    for attempt in 1..=3 {
        host.tick_at(attempt * WAIT_MS).receive(&[writes(0, 1)]).fail(attempt - 1);
    }
    host.then(&[pause(0), stuck(0, 1, 3, "broker away")]);
}

#[test]
fn a_retry_is_never_given_up_even_after_a_thousand_failures() {
    let mut host = given();
    for attempt in 1..=1_000 {
        host.fails_at(attempt);
        assert!(!host.effects.iter().any(|effect| matches!(effect, Effect::DeadLetter { .. } | Effect::Store { .. })));
    }
    host.tick_at(1_001 * WAIT_MS).then(&[resume(0, 1)]);
    host.receive_and_confirm(&[done(0, 1)]).then(&[store(0, 2)]);
}

#[test]
fn a_rejected_record_becomes_a_dead_letter_and_its_offset_is_stored_once_that_is_confirmed() {
    given()
        .receive(&[done(0, 1), reject(0, 2), done(0, 3)])
        .then(&[handled(0), rejected(1), dead_letter(0, &reject(0, 2)), handled(2)])
        .confirm(0)
        .then(&[store(0, 4)]);
}

#[test]
fn a_batch_of_nothing_but_a_rejected_record_is_stored_too() {
    given().receive(&[reject(0, 1)]).confirm(0).then(&[store(0, 2)]);
}

#[test]
fn a_rejected_record_whose_dead_letter_is_not_confirmed_is_not_stored_and_comes_again() {
    let mut host = given();
    host.receive(&[reject(0, 1)]).fail(0).then(&[pause(0)]);
    host.tick_at(WAIT_MS).then(&[resume(0, 1)]);
}

#[test]
fn a_rejected_record_becomes_a_dead_letter_once_for_each_delivery() {
    let mut host = given();
    let again = Record { deliveries: Some(2), ..reject(0, 1) };
    host.receive(&[reject(0, 1)]).fail(0).tick_at(WAIT_MS);
    host.receive(&[again]).then(&[rejected(0), dead_letter(1, &again)]);
}

#[test]
fn a_clock_that_jumps_back_does_not_prolong_a_wait() {
    let mut host = given();
    host.tick_at(5_000).receive(&[retry(0, 1)]);
    host.tick_at(4_999).then(&[resume(0, 1)]);
}

#[test]
fn a_clock_at_the_end_of_its_range_resumes_too() {
    let mut host = given();
    host.tick_at(u64::MAX - 1).receive(&[retry(0, 1)]);
    host.tick_at(u64::MAX - 1).then(&[]);
    host.tick_at(u64::MAX).then(&[resume(0, 1)]);
}

#[test]
fn a_worker_is_idle_once_everything_is_stored() {
    let mut host = given();
    assert!(host.worker.is_idle());
    host.receive(&[done(0, 1), retry(0, 2)]);
    assert!(!host.worker.is_idle());
    host.confirm(0).tick_at(WAIT_MS);
    assert!(!host.worker.is_idle(), "resumed, but not handled yet");
    host.receive_and_confirm(&[done(0, 2)]);
    assert!(host.worker.is_idle());
}

#[test]
fn a_revoked_partition_is_forgotten_and_what_was_open_of_it_is_not_stored() {
    let mut host = given();
    host.receive(&[writes(0, 1), writes(1, 1)]).receive(&[writes(0, 2)]);
    host.revoke(0).confirm(0).then(&[store(1, 2)]);
    host.fail(1).then(&[]);
    // The other member may have gone back: what counts is where the group is when the partition returns.
    host.receive_and_confirm(&[done(0, 1)]).then(&[store(0, 2)]);
}

#[test]
fn a_revoked_partition_waits_no_longer() {
    let mut host = given();
    host.receive_and_confirm(&[retry(0, 1)]);
    host.revoke(0).tick_at(WAIT_MS).then(&[]);
    host.receive_and_confirm(&[retry(0, 1)]);
    assert_eq!(host.attempts(0), Some(1));
}

#[test]
fn a_worker_has_capacity_for_its_number_of_open_batches() {
    let mut host = given();
    host.receive(&[done(0, 1)]).receive(&[done(0, 2)]);
    assert!(host.worker.has_capacity());
    host.receive(&[done(0, 3)]);
    assert!(!host.worker.has_capacity());
    host.confirm(1);
    assert!(!host.worker.has_capacity(), "a batch that is settled stays open behind an earlier one");
    host.confirm(0);
    assert!(host.worker.has_capacity());
}

#[test]
fn records_without_an_outcome_come_again() {
    let mut host = given();
    host.receive(&[writes(0, 1), silent(0, 2), done(0, 3), done(1, 1)]);
    let retried = |index| answered(index, Answer::Retried("the step gave no outcome".into()));
    host.then(&[handled(0), produce(0, 0), retried(1), pause(0), retried(3), pause(1)]);
    host.confirm(0).then(&[store(0, 2)]);
    host.tick_at(WAIT_MS).then(&[resume(0, 2), resume(1, 1)]);
}

#[test]
fn a_batch_that_nobody_knows_is_settled_without_effect() {
    let mut host = given();
    host.receive(&[done(0, 1)]);
    host.confirm(7).then(&[]);
    host.fail(7).then(&[]);
    host.confirm(0).then(&[store(0, 2)]);
    host.confirm(0).then(&[]);
    host.fail(0).then(&[]);
}

#[test]
fn a_record_that_comes_again_never_moves_the_stored_offset_back() {
    let mut host = given();
    host.receive_and_confirm(&[done(0, 7), done(0, 8)]).then(&[store(0, 9)]);
    host.receive_and_confirm(&[done(0, 7)]).then(&[]);
    host.receive_and_confirm(&[done(0, 8)]).then(&[]);
    host.receive_and_confirm(&[done(0, 9)]).then(&[store(0, 10)]);
}

#[test]
fn an_old_record_that_comes_again_and_fails_holds_its_partition_until_it_succeeds() {
    let mut host = given();
    host.receive_and_confirm(&[done(0, 7), done(0, 8)]);
    host.receive_and_confirm(&[retry(0, 7)]).tick_at(WAIT_MS).then(&[resume(0, 7)]);
    host.receive_and_confirm(&[done(0, 7)]).then(&[]);
}

#[test]
fn a_worker_names_its_subscription_and_asks_its_step_for_remarks() {
    let host = given();
    assert_eq!(host.worker.subscription(), &subscription(RetryPolicy::try_new(WAIT_MS, WAIT_MS, 3).unwrap()));
    assert_eq!(host.worker.remark(&done(0, 1)), Some("scripted done".into()));
}

#[test]
fn a_stateful_batch_step_is_lifted_into_the_loop() {
    let table = Arc::new(Mutex::new(Table::default()));
    let mut host = given_step(policy(WAIT_MS, WAIT_MS, 3), Sink(Arc::clone(&table)));
    let batch = [done(0, 1), done(0, 2), done(1, 1)];

    table.lock().unwrap().is_away = true;
    let away = |index| answered(index, Answer::Retried("database away".into()));
    host.receive(&batch).then(&[away(0), pause(0), away(2), pause(1)]);
    host.confirm(0).then(&[]);
    assert_eq!(table.lock().unwrap().rows, BTreeSet::new());

    table.lock().unwrap().is_away = false;
    host.tick_at(WAIT_MS).then(&[resume(0, 1), resume(1, 1)]);
    host.receive(&batch).then(&[handled(0), handled(1), handled(2)]);
    host.confirm(1).then(&[store(0, 3), store(1, 2)]);

    // After a crash before the commit of the offsets the batch comes again; its rows are there.
    let mut restarted = given_step(policy(WAIT_MS, WAIT_MS, 3), Sink(Arc::clone(&table)));
    restarted.receive(&batch).confirm(0).then(&[store(0, 3), store(1, 2)]);
    let table = table.lock().unwrap();
    assert_eq!(table.rows, BTreeSet::from([(0, 1), (0, 2), (1, 1)]));
    assert_eq!(table.transactions, 2, "one for each batch that came through");
}

/// A sink that writes a batch in one transaction: all of it or nothing.
struct Sink(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    is_away: bool,
    transactions: u32,
    rows: BTreeSet<(i32, i64)>,
}

impl BatchStep for Sink {
    fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
        let mut table = self.0.lock().unwrap();
        if table.is_away {
            return vec![Outcome::Retry("database away".into()); batch.len()];
        }
        table.transactions += 1;
        table.rows.extend(batch.iter().map(|record| (record.partition, record.offset)));
        vec![Outcome::Done(Vec::new()); batch.len()]
    }
}

/// How long a partition waits after a failure, unless a test sets its own policy.
const WAIT_MS: u64 = 1_000;

const TOPIC: Topic = Topic::new("order_placed");

/// A step that does what the record's value says, so that a batch reads as its own script.
#[derive(Default)]
struct Scripted {
    asked: u32,
}

impl BatchStep for Scripted {
    fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
        self.asked += 1;
        let outcome = |record: &Record<'_>| match record.value {
            Some(b"done") => Some(Outcome::Done(Vec::new())),
            Some(b"writes") => Some(Outcome::Done(vec![outgoing()])),
            Some(b"retry") => Some(Outcome::Retry("away".into())),
            Some(b"reject") => Some(Outcome::Reject("nonsense".into())),
            _ => None, // and nothing from there on
        };
        batch.iter().map_while(outcome).collect()
    }

    fn remark(&self, record: &Record<'_>) -> Option<String> {
        record.value.map(|value| format!("scripted {}", String::from_utf8_lossy(value)))
    }
}

fn outgoing() -> Outgoing {
    let event_id = EventId::of(&OrderId::parse("7f3a").unwrap(), "payment_result", "", 1);
    Outgoing { topic: Topic::new("payment_result"), key: b"7f3a".to_vec(), value: b"paid".to_vec(), event_id }
}

fn record(partition: i32, offset: i64, script: &'static str) -> Record<'static> {
    let (key, value) = (Some(&b"7f3a"[..]), Some(script.as_bytes()));
    Record { topic: TOPIC, partition, offset, key, value, headers: &NoHeaders, deliveries: None }
}

fn done(partition: i32, offset: i64) -> Record<'static> {
    record(partition, offset, "done")
}

fn writes(partition: i32, offset: i64) -> Record<'static> {
    record(partition, offset, "writes")
}

fn retry(partition: i32, offset: i64) -> Record<'static> {
    record(partition, offset, "retry")
}

fn reject(partition: i32, offset: i64) -> Record<'static> {
    record(partition, offset, "reject")
}

fn silent(partition: i32, offset: i64) -> Record<'static> {
    record(partition, offset, "silent")
}

fn answered(index: usize, answer: Answer) -> Effect {
    Effect::Answered { index, answer }
}

fn handled(index: usize) -> Effect {
    answered(index, Answer::Handled)
}

fn retried(index: usize) -> Effect {
    answered(index, Answer::Retried("away".into()))
}

fn rejected(index: usize) -> Effect {
    answered(index, Answer::Rejected("nonsense".into()))
}

fn produce(batch: BatchId, index: usize) -> Effect {
    Effect::Produce { batch, index, record: outgoing() }
}

fn dead_letter(batch: BatchId, record: &Record<'_>) -> Effect {
    let subscription = subscription(policy(WAIT_MS, WAIT_MS, 3));
    Effect::DeadLetter { batch, dead_letter: DeadLetter::new(&subscription, record, "nonsense").unwrap() }
}

fn store(partition: i32, offset: i64) -> Effect {
    Effect::Store { partition, offset }
}

fn pause(partition: i32) -> Effect {
    Effect::Pause { partition }
}

fn resume(partition: i32, from: i64) -> Effect {
    Effect::Resume { partition, from }
}

fn stuck(partition: i32, offset: i64, attempts: u32, reason: &str) -> Effect {
    Effect::Stuck { partition, offset, attempts, reason: reason.into() }
}

fn policy(backoff_min_ms: u64, backoff_max_ms: u64, stuck_after_attempts: u32) -> RetryPolicy {
    RetryPolicy::try_new(backoff_min_ms, backoff_max_ms, stuck_after_attempts).unwrap()
}

#[test]
fn a_group_without_a_dead_letter_topic_skips_what_is_rejected_and_says_so() {
    let subscription = Subscription { dead_letter: None, ..subscription(policy(WAIT_MS, WAIT_MS, 3)) };
    let clock = Arc::new(SetClock::default());
    let worker = Worker::new(subscription, Scripted::default(), Arc::clone(&clock) as Arc<dyn Clock>, 3);
    let mut host = Host { worker, clock, effects: Vec::new() };
    let answer = Answer::Rejected("nonsense".into());
    host.receive(&[reject(0, 1)]).then(&[Effect::Answered { index: 0, answer }]);
    host.confirm(0).then(&[store(0, 2)]);
}

fn subscription(retry: RetryPolicy) -> Subscription {
    Subscription {
        service: "payment_processor".into(),
        group: "payment_processor.order_placed".into(),
        topic: TOPIC,
        dead_letter: Some(Topic::new("payment_processor.order_placed.dead_letter")),
        batch_records: 100,
        retry,
    }
}

/// A clock that shows what a test sets.
#[derive(Default)]
struct SetClock(AtomicU64);

impl Clock for SetClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A worker, the clock it looks at, and the effects of the last call.
struct Host<S> {
    worker: Worker<S>,
    clock: Arc<SetClock>,
    effects: Vec<Effect>,
}

fn given() -> Host<Scripted> {
    given_policy(WAIT_MS, WAIT_MS, 3)
}

fn given_policy(backoff_min_ms: u64, backoff_max_ms: u64, stuck_after_attempts: u32) -> Host<Scripted> {
    given_step(policy(backoff_min_ms, backoff_max_ms, stuck_after_attempts), Scripted::default())
}

fn given_step<S: BatchStep>(retry: RetryPolicy, step: S) -> Host<S> {
    let clock = Arc::new(SetClock::default());
    let worker = Worker::new(subscription(retry), step, Arc::clone(&clock) as Arc<dyn Clock>, 3);
    Host { worker, clock, effects: Vec::new() }
}

impl<S: BatchStep> Host<S> {
    fn receive(&mut self, batch: &[Record<'_>]) -> &mut Self {
        self.effects.clear();
        self.worker.receive(batch, &mut self.effects);
        self
    }

    fn confirm(&mut self, batch: BatchId) -> &mut Self {
        self.effects.clear();
        self.worker.settle(batch, Ok(()), &mut self.effects);
        self
    }

    fn fail(&mut self, batch: BatchId) -> &mut Self {
        self.effects.clear();
        self.worker.settle(batch, Err("broker away".into()), &mut self.effects);
        self
    }

    /// The effects are those of the confirmation.
    fn receive_and_confirm(&mut self, batch: &[Record<'_>]) -> &mut Self {
        self.effects.clear();
        let id = self.worker.receive(batch, &mut self.effects);
        self.confirm(id)
    }

    fn tick_at(&mut self, now_ms: u64) -> &mut Self {
        self.effects.clear();
        self.clock.0.store(now_ms, Ordering::Relaxed);
        self.worker.tick(&mut self.effects);
        self
    }

    fn revoke(&mut self, partition: i32) -> &mut Self {
        self.effects.clear();
        self.worker.revoke(partition);
        self
    }

    /// The one record of partition 0 fails for the `attempt`-th time, after all waits before.
    fn fails_at(&mut self, attempt: u64) -> &mut Self {
        self.tick_at(attempt * WAIT_MS).receive(&[retry(0, 1)]);
        self.worker.settle(attempt - 1, Ok(()), &mut self.effects);
        self
    }

    /// How often a partition failed in a row.
    fn attempts(&self, partition: i32) -> Option<u32> {
        self.worker.partitions.get(&partition)?.failing.as_ref().map(|failing| failing.attempts)
    }

    #[track_caller]
    fn then(&mut self, expected: &[Effect]) -> &mut Self {
        assert_eq!(self.effects, expected);
        self
    }
}
