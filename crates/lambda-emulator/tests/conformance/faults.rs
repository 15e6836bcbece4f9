use std::collections::BTreeSet;

use lambda_emulator::Faults;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::mappings::{Kafka, Noted, PROVISIONED, TOPIC};

fn faults(seed: u64, fail: u32, kill: u32) -> Faults {
    let share = |percent: u32| format!("{percent}%").parse().unwrap();
    Faults { seed, fail: share(fail), kill: share(kill), ..Faults::default() }
}

/// Twenty records of one partition, each a batch; gives what came, and how many failures were injected.
fn twenty_batches(faults: Faults) -> (Kafka, Vec<i64>, u64) {
    let kafka = Kafka::start_with(1, &json!({}), |options| options.faults = faults);
    kafka.write(0..20);
    let uuid = kafka.map(&json!({"BatchSize": 1})).unwrap();
    kafka.until_committed(20);
    let status = kafka.fixture.emulator.mapping_status(&uuid).unwrap();
    assert_eq!(status.injected, status.failures, "the function itself never fails");
    let offsets = kafka.noted().into_iter().flat_map(|noted| noted.offsets).collect();
    (kafka, offsets, status.injected)
}

/// The issue: transient failures are injected by the emulator, a successful answer is turned into an error.
#[test]
fn a_batch_whose_answer_was_turned_into_an_error_comes_again_although_it_was_done() {
    crate::needs_python!();
    let (kafka, offsets, injected) = twenty_batches(faults(7, 30, 0));
    assert!(injected > 0, "a seed that hits nothing proves nothing");
    assert_eq!(offsets.len() as u64, 20 + injected, "each failure is one batch more");
    assert!(offsets.is_sorted(), "{offsets:?}");
    assert!(kafka.fixture.log().contains("turns the answer to f.orders/0, batch "));
}

/// The issue: a failure is a seed, and replays.
#[test]
fn the_same_seed_hits_the_same_batches_and_another_one_others() {
    crate::needs_python!();
    let came = |seed| twenty_batches(faults(seed, 30, 0)).1;
    let first = came(1);
    assert_eq!(came(1), first);
    assert_ne!(came(2), first);
}

/// The issue: functions killed at random. Developer guide, "Failures during the invoke phase": the batch comes again.
#[test]
fn a_process_that_the_emulator_kills_fails_its_invocation_and_the_batch_comes_again() {
    crate::needs_python!();
    let (kafka, offsets, injected) = twenty_batches(faults(7, 0, 30));
    assert!(injected > 0, "a seed that hits nothing proves nothing");
    assert!(offsets.is_sorted() && offsets.len() as u64 <= 20 + injected, "{offsets:?}");
    assert_eq!(BTreeSet::from_iter(offsets).len(), 20);
    let log = kafka.fixture.log();
    assert_eq!(log.matches("the emulator kills the process").count() as u64, injected);
    assert_eq!(log.matches("Runtime.ExitError: ").count() as u64, injected);
    assert!(log.contains("signal: 9 (SIGKILL)"));
}

/// The issue: functions that time out at random, whatever they had done; developer guide, "Failures during the invoke phase".
#[test]
fn a_process_that_the_emulator_lets_stand_still_times_out_and_the_batch_comes_again() {
    crate::needs_python!();
    let hang = Faults { seed: 7, hang: "30%".parse().unwrap(), ..Faults::default() };
    let kafka = Kafka::start_with(1, &json!({"Timeout": 1}), |options| options.faults = hang);
    kafka.write(0..5);
    let uuid = kafka.map(&json!({"BatchSize": 1})).unwrap();
    kafka.until_committed(5);
    let status = kafka.fixture.emulator.mapping_status(&uuid).unwrap();
    assert!(status.injected > 0, "a seed that hits nothing proves nothing");
    assert_eq!(kafka.fixture.log().matches("\tStatus: timeout\n").count() as u64, status.injected);
    assert_eq!(kafka.noted().into_iter().flat_map(|noted| noted.offsets).collect::<BTreeSet<_>>().len(), 5);
}

/// Developer guide, "Lambda with self-managed Kafka": at least once, in the order of each partition; nothing is committed past a
/// record that failed, unless the function has written it to a dead-letter topic, for which a file stands here.
#[test]
fn under_random_faults_of_function_and_emulator_nothing_is_passed_that_is_neither_done_nor_a_dead_letter() {
    crate::needs_python!();
    const WORDS: [&str; 7] = ["done", "done", "error", "exit", "from 0", "from 1", "dead letter"];
    let script = || proptest::collection::vec(0..WORDS.len(), 0..10);
    // A batch that fails again waits twice as long: with more of both a case could take minutes, and so it would be shrunk.
    let plan = (any::<u64>(), 0..30u32, 0..20u32, 2..20u64, 1..20u64, [script(), script()]);
    let config = Config { cases: 5, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let result = runner.run(&plan, |(seed, fail, kill, records, batch_size, scripts)| {
        let kafka = Kafka::start_with(2, &json!({}), |options| options.faults = faults(seed, fail, kill));
        for (partition, script) in (0..).zip(&scripts) {
            kafka.script(partition, &script.iter().map(|&word| WORDS[word]).collect::<Vec<_>>());
        }
        kafka.write(0..records);
        let reports =
            json!({"BatchSize": batch_size, "FunctionResponseTypes": ["ReportBatchItemFailures"], PROVISIONED: {}});
        kafka.map(&reports).unwrap();
        kafka.until_committed(records as i64);
        let letters = std::fs::read_to_string(kafka.fixture.path("dead letters")).unwrap_or_default();
        let letters: BTreeSet<&str> = letters.lines().collect();
        let noted = kafka.noted();
        for (partition, committed) in (0..).zip(kafka.committed()) {
            let name = format!("{TOPIC}-{partition}");
            let of_partition: Vec<&Noted> = noted.iter().filter(|batch| batch.partition == name).collect();
            let (mut handled, mut last_first) = (0, 0);
            for batch in of_partition {
                let (first, end) = (batch.offsets[0], batch.offsets[0] + batch.offsets.len() as i64);
                prop_assert_eq!(&batch.offsets, &(first..end).collect::<Vec<i64>>());
                prop_assert!(first <= handled, "{name}@{handled} was passed");
                prop_assert!(first >= last_first, "{name}@{first} came behind {last_first}");
                last_first = first;
                handled = handled.max(match batch.did.as_str() {
                    "done" => end,
                    "dead letter" => {
                        // Killed in between, it may not have got so far: then the batch comes again.
                        if letters.contains(format!("{name}@{first}").as_str()) { end } else { first }
                    }
                    "from 1" if end - first > 1 => first + 1,
                    _ => first,
                });
            }
            prop_assert_eq!(handled, committed, "what is committed was done, or is a dead letter");
        }
        Ok(())
    });
    result.unwrap();
}
