use std::time::{Duration, Instant};

use events::{EventId, OrderId, Topic};
use kafka_transport::{Connection, EmbeddedCluster, GroupOffsets, Writer};
use lambda_emulator::{AwsError, CreateEventSourceMapping, Options};
use messaging::{Follows, Outgoing};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::fixture::Fixture;

pub(crate) const TOPIC: Topic = Topic::new("orders");
const GROUP: &str = "f.orders";
pub(crate) const PROVISIONED: &str = "ProvisionedPollerConfig";

/// A function that notes its batches, and a cluster with a topic.
pub(crate) struct Kafka {
    pub(crate) fixture: Fixture,
    cluster: EmbeddedCluster,
    partitions: i32,
}

/// One invocation, as the function noted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) partition: String,
    pub(crate) offsets: Vec<i64>,
    values: Vec<String>,
    pub(crate) did: String,
}

impl Kafka {
    pub(crate) fn start(partitions: i32, more: &Value) -> Self {
        Self::start_with(partitions, more, |_| ())
    }

    /// With some of the emulator's options changed.
    pub(crate) fn start_with(partitions: i32, more: &Value, change: impl FnOnce(&mut Options)) -> Self {
        let cluster = EmbeddedCluster::start([(TOPIC, partitions)]).unwrap();
        let fixture = Fixture::with_options(change);
        let folder = fixture.folder.path().display().to_string();
        let mut body = json!({"Environment": {"Variables": {"FOLDER": folder}}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fixture.emulator.create_function(&crate::fixture::function(&body)).unwrap();
        Self { fixture, cluster, partitions }
    }

    /// What the function does with a partition's next batches, a word each: `done`, `error`, `exit`, `from 3`, ...
    pub(crate) fn script(&self, partition: i32, words: &[&str]) {
        std::fs::write(self.fixture.path(&format!("{TOPIC}-{partition}")), words.join("\n")).unwrap();
    }

    /// Writes numbers, each under its own key.
    pub(crate) fn write(&self, numbers: std::ops::Range<u64>) {
        self.write_keyed(numbers.map(|number| number.to_string().into_bytes()).map(|value| (value.clone(), value)));
    }

    /// Writes values under one key.
    fn write_values(&self, values: impl Iterator<Item = Vec<u8>>) {
        self.write_keyed(values.map(|value| (b"k".to_vec(), value)));
    }

    fn write_keyed(&self, records: impl Iterator<Item = (Vec<u8>, Vec<u8>)>) {
        let connection = Connection::plaintext(&self.cluster.brokers());
        let writer = Writer::new(&connection, &[(TOPIC, self.partitions)], Duration::from_secs(5)).unwrap();
        writer.open(0);
        for (key, value) in records {
            let event_id = EventId::of(&OrderId::parse("7f3a").unwrap(), "order_placed", "", 1);
            writer.publish(0, &Outgoing { topic: TOPIC, key, value, event_id }, Follows::NOTHING);
        }
        writer.confirm(0, Instant::now() + Duration::from_secs(5)).unwrap();
    }

    /// The body of `CreateEventSourceMapping`, with fields changed or added.
    pub(crate) fn mapping(&self, more: &Value) -> Value {
        let mut body = json!({"FunctionName": "f", "Topics": [TOPIC.as_str()], "StartingPosition": "TRIM_HORIZON",
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [self.cluster.brokers()]}},
            "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": GROUP}, "MaximumBatchingWindowInSeconds": 0});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    }

    pub(crate) fn map(&self, more: &Value) -> Result<String, AwsError> {
        let body: CreateEventSourceMapping = serde_json::from_value(self.mapping(more)).unwrap();
        self.fixture.emulator.create_event_source_mapping(body)
    }

    pub(crate) fn noted(&self) -> Vec<Noted> {
        let text = std::fs::read_to_string(self.fixture.path("notes")).unwrap_or_default();
        let noted = |line: &str| {
            let (partition, offsets, values, did) = serde_json::from_str(line).unwrap();
            Noted { partition, offsets, values, did }
        };
        text.lines().map(noted).collect()
    }

    pub(crate) fn committed(&self) -> Vec<i64> {
        let offsets = GroupOffsets::of(&Connection::plaintext(&self.cluster.brokers()), GROUP).unwrap();
        let committed = offsets.committed(TOPIC.as_str(), self.partitions as u32).unwrap();
        committed.into_iter().map(Option::unwrap_or_default).collect()
    }

    /// Waits until the group is done with this many records.
    #[track_caller]
    pub(crate) fn until_committed(&self, records: i64) {
        self.fixture.until("commits", || self.is_done(records));
    }

    fn is_done(&self, records: i64) -> bool {
        self.committed().iter().sum::<i64>() == records
    }

    /// What was noted of the only partition: offsets, and what was done with them.
    pub(crate) fn offsets(&self) -> Vec<(Vec<i64>, String)> {
        self.noted().into_iter().map(|noted| (noted.offsets, noted.did)).collect()
    }
}

fn did(offsets: std::ops::Range<i64>, word: &str) -> (Vec<i64>, String) {
    (offsets.collect(), word.to_owned())
}

/// Developer guide, "Lambda with self-managed Kafka": every record once, a batch holds at most BatchSize, order per partition.
#[test]
fn every_record_comes_in_the_order_of_its_partition_in_batches_of_one_partition() {
    crate::needs_python!();
    let kafka = Kafka::start(3, &json!({}));
    kafka.write(0..300);
    kafka.map(&json!({"BatchSize": 40})).unwrap();
    kafka.until_committed(300);
    let noted = kafka.noted();
    assert!(noted.iter().all(|batch| batch.offsets.len() <= 40));
    let mut values: Vec<u64> =
        noted.iter().flat_map(|batch| &batch.values).map(|value| value.parse().unwrap()).collect();
    values.sort_unstable();
    assert_eq!(values, (0..300).collect::<Vec<u64>>());
    for partition in 0..3 {
        let name = format!("{TOPIC}-{partition}");
        let offsets: Vec<i64> =
            noted.iter().filter(|batch| batch.partition == name).flat_map(|batch| batch.offsets.clone()).collect();
        assert_eq!(offsets, (0..offsets.len() as i64).collect::<Vec<i64>>());
    }
}

/// Developer guide, "Batching behavior": it collects until the batch is full or the window over.
#[test]
fn a_batch_waits_for_its_window_unless_it_is_full() {
    crate::needs_python!();
    let kafka = Kafka::start(1, &json!({}));
    kafka.map(&json!({"BatchSize": 10, "MaximumBatchingWindowInSeconds": 300})).unwrap();
    kafka.write(0..15);
    kafka.until_committed(10);
    kafka.write(15..20);
    kafka.until_committed(20);
    assert_eq!(kafka.offsets(), [did(0..10, "done"), did(10..20, "done")]);
}

/// Developer guide, "On-demand mode": a batch that fails is tried as it is until it succeeds, and holds up its partition alone.
#[test]
fn a_failed_batch_comes_again_as_a_whole_and_nothing_behind_it_is_committed() {
    crate::needs_python!();
    let kafka = Kafka::start(1, &json!({}));
    kafka.script(0, &["done", "error", "exit", "kill", "gate"]);
    kafka.write(0..6);
    let uuid = kafka.map(&json!({"BatchSize": 3})).unwrap();
    kafka.fixture.until("the last attempt", || kafka.fixture.path("gate").exists());
    assert_eq!(kafka.committed(), [3]);
    std::fs::write(kafka.fixture.path("open"), "").unwrap();
    kafka.until_committed(6);
    let again = |word| did(3..6, word);
    assert_eq!(kafka.offsets(), [did(0..3, "done"), again("error"), again("exit"), again("kill"), again("gate")]);
    let status = kafka.fixture.emulator.mapping_status(&uuid).unwrap();
    assert_eq!((status.state, status.invocations, status.failures), ("Enabled", 5, 3));
    kafka
        .fixture
        .until("the last result", || kafka.fixture.emulator.mapping_status(&uuid).unwrap().last_result == "OK");
}

/// Developer guide, "Timeout": the function is ended, the batch comes again.
#[test]
fn a_batch_over_the_functions_time_comes_again_to_a_new_environment() {
    crate::needs_python!();
    let kafka = Kafka::start(1, &json!({"Timeout": 1}));
    kafka.script(0, &["hang"]);
    kafka.write(0..3);
    kafka.map(&json!({})).unwrap();
    kafka.until_committed(3);
    assert_eq!(kafka.offsets(), [did(0..3, "hang"), did(0..3, "done")]);
}

/// Developer guide, "Partial batch response": with ReportBatchItemFailures the batch goes on at the lowest failure.
#[test]
fn a_partial_response_commits_what_is_before_the_failure_and_brings_the_rest_again() {
    crate::needs_python!();
    let kafka = Kafka::start(1, &json!({}));
    kafka.script(0, &["from 2", "from 0", "done"]);
    kafka.write(0..5);
    kafka.map(&json!({"FunctionResponseTypes": ["ReportBatchItemFailures"], PROVISIONED: {}})).unwrap();
    kafka.until_committed(5);
    assert_eq!(kafka.offsets(), [did(0..5, "from 2"), did(2..5, "from 0"), did(2..5, "done")]);
}

/// Developer guide: a mapping without ReportBatchItemFailures takes a partial response for success.
#[test]
fn without_report_batch_item_failures_a_partial_response_is_success() {
    crate::needs_python!();
    let kafka = Kafka::start(1, &json!({}));
    kafka.script(0, &["from 2"]);
    kafka.write(0..5);
    kafka.map(&json!({})).unwrap();
    kafka.until_committed(5);
    assert_eq!(kafka.offsets(), [did(0..5, "from 2")]);
}

/// Developer guide, "Configuring error handling controls": MaximumRetryAttempts.
#[test]
fn after_the_last_retry_a_batch_is_given_up_and_counted() {
    crate::needs_python!();
    let kafka = Kafka::start(1, &json!({}));
    kafka.script(0, &["error", "error", "error"]);
    kafka.write(0..4);
    let uuid = kafka.map(&json!({"BatchSize": 2, "MaximumRetryAttempts": 1, PROVISIONED: {}})).unwrap();
    kafka.until_committed(4);
    let expected = [did(0..2, "error"), did(0..2, "error"), did(2..4, "error"), did(2..4, "done")];
    assert_eq!(kafka.offsets(), expected);
    assert_eq!(kafka.fixture.emulator.mapping_status(&uuid).unwrap().given_up, 2);
}

/// API, StartingPosition and ConsumerGroupId: a group goes on where it has committed; the position is for one that has not.
#[test]
fn a_mapping_goes_on_where_its_group_stopped() {
    crate::needs_python!();
    let kafka = Kafka::start(1, &json!({}));
    kafka.write(0..3);
    let uuid = kafka.map(&json!({"StartingPosition": "LATEST"})).unwrap();
    kafka.fixture.until("polling", || kafka.fixture.emulator.mapping_status(&uuid).unwrap().state == "Enabled");
    kafka.write(3..5);
    kafka.until_committed(5);
    kafka.fixture.emulator.enable_event_source_mapping(&uuid, false).unwrap();
    assert_eq!(kafka.fixture.emulator.mapping_status(&uuid).unwrap().state, "Disabled");
    kafka.write(5..7);
    assert_eq!(kafka.committed(), [5]);
    kafka.fixture.emulator.enable_event_source_mapping(&uuid, true).unwrap();
    kafka.until_committed(7);
    let offsets: Vec<i64> = kafka.noted().into_iter().flat_map(|noted| noted.offsets).collect();
    assert_eq!(offsets, [3, 4, 5, 6]);
}

/// How many invocations were under way at once: seven partitions whose first batches wait until `at_least` have begun.
#[track_caller]
fn most_at_once(more: &Value, at_least: usize) -> usize {
    let kafka = Kafka::start_with(7, &json!({"Timeout": 60}), |options| options.max_environments = 10);
    (0..7).for_each(|partition| kafka.script(partition, &["gate"]));
    kafka.write(0..200);
    kafka.map(more).unwrap();
    let gate = || std::fs::read_to_string(kafka.fixture.path("gate")).unwrap_or_default();
    kafka.fixture.until("invocations under way", || gate().len() >= at_least);
    std::fs::write(kafka.fixture.path("open"), "").unwrap();
    kafka.until_committed(200);
    let (mut under_way, mut most) = (0, 0);
    for line in kafka.fixture.log().lines() {
        if line.starts_with("START ") {
            under_way += 1;
            most = most.max(under_way);
        } else if line.starts_with("END ") {
            under_way -= 1;
        }
    }
    most
}

/// Developer guide, "Event poller scaling modes": a provisioned poller carries up to five concurrent invocations.
#[test]
fn one_provisioned_poller_carries_five_invocations_at_once() {
    crate::needs_python!();
    assert_eq!(most_at_once(&json!({PROVISIONED: {"MaximumPollers": 1}}), 5), 5);
}

/// The same guide: on demand there is at most one consumer a partition, and nothing else that limits them.
#[test]
fn on_demand_each_partition_has_an_invocation_of_its_own() {
    crate::needs_python!();
    assert_eq!(most_at_once(&json!({}), 7), 7);
}

/// While one mapping waits for its function, others are asked, created and enabled.
#[test]
fn a_mapping_that_waits_for_its_function_holds_up_no_other() {
    crate::needs_python!();
    let kafka = Kafka::start(1, &json!({"Timeout": 60}));
    kafka.script(0, &["gate"]);
    kafka.write(0..1);
    let uuid = kafka.map(&json!({})).unwrap();
    kafka.fixture.until("the batch", || kafka.fixture.path("gate").exists());
    std::thread::scope(|scope| {
        let disabling = scope.spawn(|| kafka.fixture.emulator.enable_event_source_mapping(&uuid, false));
        let status = || kafka.fixture.emulator.mapping_status(&uuid).unwrap();
        kafka.fixture.until("disabling", || status().state == "Disabling");
        kafka.map(&json!({"SelfManagedKafkaEventSourceConfig": {}, "Enabled": false})).unwrap();
        assert_eq!(kafka.fixture.emulator.mappings().len(), 2);
        assert!(!disabling.is_finished(), "the batch is still under way");
        std::fs::write(kafka.fixture.path("open"), "").unwrap();
        disabling.join().unwrap().unwrap();
    });
    assert_eq!(kafka.committed(), [1]);
}

/// A batch that waits for an environment is given up for now when its mapping stops; it has not been tried.
#[test]
fn a_mapping_that_is_disabled_waits_for_no_free_environment() {
    crate::needs_python!();
    let kafka = Kafka::start_with(2, &json!({"Timeout": 60}), |options| options.max_environments = 1);
    (0..2).for_each(|partition| kafka.script(partition, &["gate"]));
    kafka.write(0..40);
    let uuid = kafka.map(&json!({PROVISIONED: {}, "MaximumRetryAttempts": 0, "BatchSize": 100})).unwrap();
    kafka.fixture.until("the batch", || kafka.fixture.path("gate").exists());
    let status = || kafka.fixture.emulator.mapping_status(&uuid).unwrap();
    std::thread::scope(|scope| {
        let disabling = scope.spawn(|| kafka.fixture.emulator.enable_event_source_mapping(&uuid, false));
        kafka.fixture.until("the other batch", || status().last_result.contains("Function was not called"));
        std::fs::write(kafka.fixture.path("open"), "").unwrap();
        disabling.join().unwrap().unwrap();
    });
    assert_eq!((status().invocations, status().failures, kafka.noted().len()), (1, 0, 1));
    kafka.fixture.emulator.enable_event_source_mapping(&uuid, true).unwrap();
    kafka.until_committed(40);
    assert_eq!(status().given_up, 0);
}

/// Lambda quotas: 6 MB for the event of a batch, its bytes in base64.
#[test]
fn a_batch_ends_before_six_megabytes() {
    crate::needs_python!();
    let kafka = Kafka::start(1, &json!({"MemorySize": 512}));
    kafka.write_values((0..5).map(|number| vec![b'0' + number; 960_000]));
    kafka.map(&json!({"MaximumBatchingWindowInSeconds": 300})).unwrap();
    kafka.fixture.until("the first batch", || kafka.committed() == [4]);
    assert_eq!(kafka.offsets(), [did(0..4, "done")]);
}

/// A record that alone is larger cannot be handed over: nothing was tried, so that it is never given up.
#[test]
fn a_record_that_is_too_large_for_an_event_holds_up_its_partition_and_is_no_attempt() {
    crate::needs_python!();
    let kafka = Kafka::start(1, &json!({}));
    kafka.write_values(std::iter::once(vec![b'x'; 4_900_000]));
    let uuid = kafka.map(&json!({PROVISIONED: {}, "MaximumRetryAttempts": 0})).unwrap();
    let status = || kafka.fixture.emulator.mapping_status(&uuid).unwrap();
    kafka.fixture.until("the refusal", || status().last_result.contains("RequestTooLargeException"));
    assert_eq!((status().given_up, status().invocations, kafka.committed()), (0, 0, vec![0]));
}

/// Disabling waits for the batch that is under way, and commits it.
#[test]
fn what_is_under_way_ends_before_a_mapping_is_disabled() {
    crate::needs_python!();
    let kafka = Kafka::start(1, &json!({}));
    kafka.script(0, &["slow"]);
    kafka.write(0..3);
    let uuid = kafka.map(&json!({})).unwrap();
    kafka.fixture.until("the batch", || !kafka.noted().is_empty());
    kafka.fixture.emulator.enable_event_source_mapping(&uuid, false).unwrap();
    assert_eq!(kafka.committed(), [3]);
}

/// API: what AWS refuses, with its error types; states and their reasons.
#[test]
fn a_mapping_that_cannot_work_is_refused_or_says_why() {
    crate::needs_python!();
    let kafka = Kafka::start(1, &json!({}));
    let first = kafka.map(&json!({})).unwrap();
    let refused = |more: &Value| kafka.map(more).unwrap_err().kind;
    assert_eq!(refused(&json!({})), "ResourceConflictException");
    assert_eq!(refused(&json!({"FunctionName": "g"})), "ResourceNotFoundException");
    assert_eq!(kafka.fixture.emulator.mapping_status("none").unwrap_err().kind, "ResourceNotFoundException");
    let other = json!({"Topics": ["nowhere"], "SelfManagedKafkaEventSourceConfig": {}});
    let uuid = kafka.map(&other).unwrap();
    let status = || kafka.fixture.emulator.mapping_status(&uuid).unwrap();
    let reason = || status().reason;
    kafka.fixture.until("the reason", || !reason().is_empty());
    assert_eq!(status().state, "Creating", "it will go on");
    kafka.fixture.emulator.enable_event_source_mapping(&uuid, false).unwrap();
    assert_eq!(status().state, "Disabled");
    kafka.fixture.emulator.enable_event_source_mapping(&uuid, true).unwrap();
    assert_eq!(status().state, "Enabling");
    kafka.fixture.until("the reason", || !reason().is_empty());
    assert!(reason().starts_with("ESM_CONFIG_NOT_VALID: ") && reason().contains("no topic nowhere"), "{}", reason());
    kafka.write(0..3);
    kafka.until_committed(3); // the first goes on
    assert_eq!(kafka.fixture.emulator.mapping_status(&first).unwrap().state, "Enabled");
}

/// The embedded cluster drops what is older than 5 MiB: a mapping that missed it says so instead of going on behind it.
#[test]
fn a_mapping_whose_next_record_was_dropped_stops_with_words_that_say_so() {
    crate::needs_python!();
    let kafka = Kafka::start(1, &json!({}));
    let uuid = kafka.map(&json!({})).unwrap();
    kafka.write(0..1);
    kafka.until_committed(1);
    kafka.fixture.emulator.enable_event_source_mapping(&uuid, false).unwrap();
    for _ in 0..10 {
        kafka.write(0..20_000); // each more than a megabyte with its headers
    }
    kafka.fixture.emulator.enable_event_source_mapping(&uuid, true).unwrap();
    let status = || kafka.fixture.emulator.mapping_status(&uuid).unwrap();
    kafka.fixture.until("the end", || status().state == "Disabled");
    assert!(status().reason.contains("dropped records of orders before they were read"), "{}", status().reason);
    assert_eq!(kafka.committed(), [1]);
}

/// At least once, in order, and no commit passes a record that failed, whatever fails how often.
#[test]
fn under_random_faults_every_record_is_done_in_order_and_none_is_passed() {
    crate::needs_python!();
    const WORDS: [&str; 6] = ["done", "done", "error", "exit", "from 0", "from 1"];
    let script = || proptest::collection::vec(0..WORDS.len(), 0..12);
    let plan = (2..60u64, 1..20u64, [script(), script()]);
    let mut runner = TestRunner::new(Config { cases: 5, failure_persistence: None, ..Config::default() });
    let result = runner.run(&plan, |(records, batch_size, scripts)| {
        let kafka = Kafka::start(2, &json!({}));
        for (partition, script) in (0..).zip(&scripts) {
            // A batch of one has no second record to begin again at: such an answer is a failure of the whole.
            kafka.script(partition, &script.iter().map(|&word| WORDS[word]).collect::<Vec<_>>());
        }
        kafka.write(0..records);
        let reports =
            json!({"BatchSize": batch_size, "FunctionResponseTypes": ["ReportBatchItemFailures"], PROVISIONED: {}});
        let uuid = kafka.map(&reports).unwrap();
        // What is not done comes from where the group has committed, not from the mapping's memory.
        for batches in 1..4 {
            kafka.fixture.until("a batch", || kafka.noted().len() >= batches || kafka.is_done(records as i64));
            kafka.fixture.emulator.enable_event_source_mapping(&uuid, false).unwrap();
            kafka.fixture.emulator.enable_event_source_mapping(&uuid, true).unwrap();
        }
        kafka.until_committed(records as i64);
        for (partition, committed) in (0..).zip(kafka.committed()) {
            let name = format!("{TOPIC}-{partition}");
            let mut done = 0;
            for batch in kafka.noted().into_iter().filter(|batch| batch.partition == name) {
                prop_assert_eq!(batch.offsets[0], done, "what is not done comes next");
                let count = batch.offsets.len() as i64;
                prop_assert_eq!(&batch.offsets, &(done..done + count).collect::<Vec<i64>>());
                done += match batch.did.as_str() {
                    "done" => count,
                    "from 1" if count > 1 => 1,
                    _ => 0,
                };
            }
            prop_assert_eq!(done, committed, "what is committed was done");
        }
        Ok(())
    });
    result.unwrap();
}
