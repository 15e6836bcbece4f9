use std::sync::{Arc, Mutex};

use events::Event;
use events::shop::{OrderPlaced, PaymentResult};
use messaging::{BatchStep, Outcome, Record, RetryPolicy};

use crate::from_outside::{ends, read};
use crate::run::{Shop, orders};

const GROUP: &str = "payment_processor.order_placed";
const ORDERS: u64 = 300;

/// What a test and its step both look at.
#[derive(Default)]
struct Seen {
    is_back: bool,
    /// Where the record stands that fails.
    failing: Option<(i32, i64)>,
    attempts: u32,
    /// Records that were answered for good, in their order.
    answered: Vec<(i32, i64)>,
}

/// A step that needs something which is away for one order.
struct Needy {
    inner: Box<dyn BatchStep>,
    order: Vec<u8>,
    seen: Arc<Mutex<Seen>>,
}

impl BatchStep for Needy {
    fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
        let mut seen = self.seen.lock().unwrap();
        let mut behind = None;
        let outcomes = self.inner.process(batch);
        let answer = |(record, outcome): (&Record<'_>, Outcome)| {
            if record.key == Some(&self.order) {
                seen.failing = Some((record.partition, record.offset));
                seen.attempts += 1;
                if !seen.is_back {
                    behind = Some(record.partition);
                    return Outcome::Retry("it is away".into());
                }
            }
            if behind != Some(record.partition) {
                seen.answered.push((record.partition, record.offset));
            }
            outcome
        };
        batch.iter().zip(outcomes).map(answer).collect()
    }
}

#[test]
fn a_record_that_is_retried_holds_its_partition_back_in_order_while_the_others_go_on_and_nothing_is_lost() {
    let orders = orders(ORDERS);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let order = orders[20].key().to_vec();
    let mut run = Shop::with_partitions(3)
        .subscribed(GROUP, |group| {
            group.retry = RetryPolicy::try_new(1, 20, 3).unwrap();
            group.batch_records = 40; // so that it fails in the middle of a batch, with more batches behind it
        })
        .stepping(GROUP, |inner| Needy { inner, order, seen: Arc::clone(&seen) })
        .start();
    run.take(&orders);

    let mut partition_ends = Vec::new();
    run.until("all orders to stand", |run| {
        partition_ends = ends(&run.brokers, OrderPlaced::TOPIC, 3);
        partition_ends.iter().sum::<i64>() == ORDERS as i64
    });
    let (partition, offset) = {
        run.until("the first failure", |_| seen.lock().unwrap().failing.is_some());
        seen.lock().unwrap().failing.unwrap()
    };
    let before: i64 = (0..).zip(&partition_ends).map(|(each, &end)| if each == partition { offset } else { end }).sum();
    run.until("the others, and a few attempts", |_| {
        let seen = seen.lock().unwrap();
        seen.answered.len() as i64 == before && seen.attempts >= 5
    });
    assert!(run.audit.in_flight() > 0);
    seen.lock().unwrap().is_back = true;
    let ended = run.end();

    assert!(ended.verdict().passed(), "{}", ended.verdict());
    assert_eq!((ended.verdict().redelivered, ended.verdict().dead_lettered), (0, 0));
    assert_eq!(ended.records(PaymentResult::TOPIC), ORDERS);
    let answered = &seen.lock().unwrap().answered;
    for (each, end) in (0..).zip(partition_ends) {
        let of_it: Vec<i64> = answered.iter().filter(|(of, _)| *of == each).map(|(_, offset)| *offset).collect();
        assert_eq!(of_it, (0..end).collect::<Vec<i64>>(), "partition {each}");
    }
    let letters = Shop::with_partitions(3).topics;
    for (topic, partitions) in letters.into_iter().filter(|(topic, _)| topic.as_str().ends_with(".dead_letter")) {
        assert_eq!(read(&ended.brokers, topic, partitions), [], "{topic}");
    }
}

#[test]
fn records_that_fail_often_and_everywhere_all_come_through_once_and_in_order() {
    let attempts: Arc<Mutex<Vec<(i32, i64)>>> = Arc::default();
    let seen = Arc::clone(&attempts);
    let mut run = Shop::with_partitions(3)
        .subscribed(GROUP, |group| {
            group.retry = RetryPolicy::try_new(1, 2, 100).unwrap();
            group.batch_records = 7;
        })
        // Every fifth offset fails at its first two attempts.
        .stepping(GROUP, |inner| {
            crate::steps::altered(move |record: &Record<'_>, outcome| {
                let mut attempts = attempts.lock().unwrap();
                let place = (record.partition, record.offset);
                let is_due = record.offset % 5 == 0 && attempts.iter().filter(|seen| **seen == place).count() < 2;
                attempts.push(place);
                if is_due { Outcome::Retry("not yet".into()) } else { outcome }
            })(inner)
        })
        .start();
    run.take(&orders(ORDERS));
    let ended = run.end();
    assert!(ended.verdict().passed(), "{}", ended.verdict());
    assert_eq!(ended.verdict().redelivered, 0);
    assert_eq!(ended.records(PaymentResult::TOPIC), ORDERS);
    assert!(seen.lock().unwrap().len() as u64 > ORDERS);
}
