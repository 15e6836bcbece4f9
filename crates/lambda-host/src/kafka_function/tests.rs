use std::cell::RefCell;

use events::{EventId, OrderId};
use messaging::{EVENT_ID, Outcome, RUN, RetryPolicy};
use proptest::prelude::*;

use super::*;

/// The event id of each record that is handled.
const CAUSE: &[u8; 36] = b"00000000-0000-8000-8000-000000000001";

/// Notes what is written, in its order; confirms a partition unless it is among `refused`.
#[derive(Default)]
struct Notes {
    written: RefCell<Vec<String>>,
    refused: Vec<Slot>,
    open: RefCell<Vec<Slot>>,
}

impl Broker for Notes {
    const SLOTS: usize = 2;

    fn open(&self, slot: Slot) {
        assert!(slot < Self::SLOTS && !self.open.borrow().contains(&slot), "slot {slot}");
        self.open.borrow_mut().push(slot);
    }

    fn publish(&self, _: Slot, record: &Outgoing, follows: Follows<'_>) {
        assert_eq!(follows.cause, Some(&CAUSE[..]));
        let run = follows.run.map_or("-".into(), String::from_utf8_lossy);
        self.written.borrow_mut().push(format!("{} {run}", String::from_utf8_lossy(&record.value)));
    }

    fn dead_letter(&self, _: Slot, letter: &DeadLetter) {
        let (partition, offset) = (letter.origin.partition, letter.origin.offset);
        self.written.borrow_mut().push(format!("dead {partition}@{offset}"));
    }

    fn confirm(&self, slot: Slot, _: Instant) -> Result<(), String> {
        self.open.borrow_mut().retain(|&open| open != slot);
        if self.refused.contains(&slot) { Err("not confirmed".into()) } else { Ok(()) }
    }
}

/// Does what the record's value says.
#[derive(Clone)]
struct Scripted;

impl BatchStep for Scripted {
    fn process(&mut self, batch: &[Record<'_>]) -> Vec<Outcome> {
        let outcome = |record: &Record<'_>| match record.value {
            Some(b"retry") => Outcome::Retry("pool empty".into()),
            Some(b"reject") => Outcome::Reject("nonsense".into()),
            Some(b"panic") => panic!("as the script says"),
            _ => Outcome::Done(vec![Outgoing {
                topic: Topic::new("payment_result"),
                key: vec![],
                value: format!("{}@{}", record.partition, record.offset).into_bytes(),
                event_id: EventId::of(&OrderId::parse("7f3a").unwrap(), "payment_result", "", 1),
            }]),
        };
        batch.iter().map(outcome).collect()
    }
}

fn subscription(topic: &'static str) -> Subscription {
    Subscription {
        service: "payment_processor".into(),
        group: format!("payment_processor.{topic}"),
        topic: Topic::new(topic),
        dead_letter: Some(Topic::new("dead_letters")),
        batch_records: 100,
        retry: RetryPolicy::try_new(1, 1, 1).unwrap(),
    }
}

/// One partition's records, from offset 10 on, as their words say.
fn records(topic: &str, partition: i32, words: &str) -> Vec<Delivered> {
    let record = |(offset, word): (i64, &str)| Delivered {
        topic: topic.into(),
        partition,
        offset,
        key: None,
        value: Some(word.as_bytes().to_vec()),
        headers: vec![(RUN.into(), Some(b"the-run".to_vec())), (EVENT_ID.into(), Some(CAUSE.to_vec()))],
    };
    (10..).zip(words.split_whitespace()).map(record).collect()
}

fn new_step() -> NewStep {
    Arc::new(|| Box::new(Scripted))
}

fn handle(broker: Notes, mode: AnswerMode, batch: &[Delivered]) -> (Result<String, Error>, Vec<String>) {
    let groups = ["order_placed", "order_shipped"].map(|topic| (subscription(topic), new_step()));
    let function = KafkaFunction::new(groups.into(), broker, mode, None);
    let answer = function.handle(batch, Instant::now()).map(|answer| serde_json::to_string(&answer).unwrap());
    assert_eq!(function.broker.open.take(), [] as [Slot; 0], "batches left open");
    (answer, function.broker.written.take())
}

/// What the batch of `partitions` is answered with in the partial mode, as `partition@offset`, and what is written.
#[track_caller]
fn check(partitions: &[(i32, &str)], refused: &[Slot], stopped: &[&str], written: &[&str]) {
    let batch: Vec<Delivered> =
        partitions.iter().flat_map(|&(partition, words)| records("order_placed", partition, words)).collect();
    let broker = || Notes { refused: refused.into(), ..Notes::default() };
    let (answer, found) = handle(broker(), AnswerMode::Partial, &batch);
    let item = |position: &&str| {
        let (partition, offset) = position.split_once('@').unwrap();
        format!(r#"{{"itemIdentifier":{{"partition":"order_placed-{partition}","offset":{offset}}}}}"#)
    };
    let items: Vec<String> = stopped.iter().map(item).collect();
    assert_eq!(answer, Ok(format!(r#"{{"batchItemFailures":[{}]}}"#, items.join(","))));
    assert_eq!(found, written);
    let (answer, found) = handle(broker(), AnswerMode::Whole, &batch);
    assert_eq!(answer.is_ok(), stopped.is_empty(), "{answer:?}");
    assert_eq!(found, written);
}

#[test]
fn a_batch_of_several_partitions_is_handled_in_the_order_of_each() {
    check(&[(0, "a b"), (1, "c")], &[], &[], &["0@10 the-run", "0@11 the-run", "1@10 the-run"]);
}

#[test]
fn a_rejected_record_becomes_a_dead_letter_and_the_partition_goes_on() {
    check(&[(0, "reject a")], &[], &[], &["dead 0@10", "0@11 the-run"]);
}

#[test]
fn a_transient_failure_stops_its_partition_there_and_no_other() {
    check(&[(0, "a retry b reject"), (1, "c")], &[], &["0@11"], &["0@10 the-run", "1@10 the-run"]);
    check(&[(0, "retry"), (1, "retry")], &[], &["0@10", "1@10"], &[]);
}

#[test]
fn where_a_write_is_not_confirmed_the_whole_partition_comes_again() {
    check(&[(0, "a b"), (1, "c")], &[0], &["0@10"], &["0@10 the-run", "0@11 the-run", "1@10 the-run"]);
    check(&[(0, "reject")], &[0], &["0@10"], &["dead 0@10"]);
    check(&[(0, "a retry")], &[0], &["0@10"], &["0@10 the-run"]);
}

#[test]
fn more_partitions_than_slots_are_handled_one_lot_after_the_other() {
    let partitions = [(0, "a"), (1, "a"), (2, "retry"), (3, "a"), (4, "a")];
    check(&partitions, &[], &["2@10"], &["0@10 the-run", "1@10 the-run", "3@10 the-run", "4@10 the-run"]);
}

#[test]
fn a_step_that_panics_leaves_no_batch_open() {
    let groups = vec![(subscription("order_placed"), new_step())];
    let function = KafkaFunction::new(groups, Notes::default(), AnswerMode::Whole, None);
    let batch = [records("order_placed", 0, "a"), records("order_placed", 1, "panic")].concat();
    let handle = || function.handle(&batch, Instant::now());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(handle)).is_err();
    assert!(panicked);
    assert_eq!(function.broker.open.take(), [] as [Slot; 0]);
}

#[test]
fn an_empty_batch_succeeds() {
    check(&[], &[], &[], &[]);
}

#[test]
fn a_whole_batch_that_fails_says_where_each_partition_stopped_and_why() {
    let batch = [records("order_placed", 0, "a retry"), records("order_placed", 1, "b")].concat();
    let (answer, _) = handle(Notes { refused: vec![1], ..Notes::default() }, AnswerMode::Whole, &batch);
    let text = "the batch comes again: order_placed-0@11: pool empty; order_placed-1@10: not confirmed";
    assert_eq!(answer.unwrap_err().to_string(), text);
}

#[test]
fn records_of_two_of_its_topics_are_handled_each_by_its_group() {
    let batch = [records("order_placed", 0, "reject"), records("order_shipped", 0, "retry")].concat();
    let (answer, written) = handle(Notes::default(), AnswerMode::Partial, &batch);
    let item = r#"{"itemIdentifier":{"partition":"order_shipped-0","offset":10}}"#;
    assert_eq!(answer, Ok(format!(r#"{{"batchItemFailures":[{item}]}}"#)));
    assert_eq!(written, ["dead 0@10"]);
}

#[test]
fn of_a_batch_with_a_topic_that_it_does_not_read_nothing_is_handled() {
    let batch = [records("order_placed", 0, "a"), records("payment_result", 0, "a")].concat();
    let (answer, written) = handle(Notes::default(), AnswerMode::Partial, &batch);
    let text = "payment_processor does not read the topic payment_result: it reads order_placed, order_shipped; is the \
                event source mapping another service's?";
    assert_eq!(answer.unwrap_err().to_string(), text);
    assert_eq!(written, [] as [&str; 0]);
}

proptest! {
    #[test]
    fn what_is_done_is_written_in_order_and_what_is_not_comes_again_from_its_first_record(
        script in proptest::collection::vec(proptest::collection::vec(0..8u8, 1..12), 1..6),
        refused in proptest::collection::vec(0..2usize, 0..2),
    ) {
        let word = |&choice: &u8| match choice { 0 => "retry", 1 => "reject", _ => "done" };
        let words: Vec<Vec<&str>> = script.iter().map(|words| words.iter().map(word).collect()).collect();
        let partition = |(number, words): (usize, &Vec<&str>)| records("order_placed", number as i32, &words.join(" "));
        let batch: Vec<Delivered> = words.iter().enumerate().flat_map(partition).collect();
        let (answer, written) = handle(Notes { refused: refused.clone(), ..Notes::default() }, AnswerMode::Partial, &batch);

        let (mut stopped, mut expected) = (Vec::new(), Vec::new());
        for (number, words) in words.iter().enumerate() {
            let done = words.iter().position(|word| *word == "retry").unwrap_or(words.len());
            expected.extend((10..).zip(&words[..done]).map(|(offset, word)| match *word {
                "reject" => format!("dead {number}@{offset}"),
                _ => format!("{number}@{offset} the-run"),
            }));
            let is_refused = refused.contains(&(number % Notes::SLOTS));
            let first = if is_refused { 0 } else { done };
            if first < words.len() {
                let offset = 10 + first;
                stopped.push(format!(r#"{{"itemIdentifier":{{"partition":"order_placed-{number}","offset":{offset}}}}}"#));
            }
        }
        prop_assert_eq!(answer, Ok(format!(r#"{{"batchItemFailures":[{}]}}"#, stopped.join(","))));
        prop_assert_eq!(written, expected);
    }
}
