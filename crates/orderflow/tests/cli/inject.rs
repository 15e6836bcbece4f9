use std::collections::BTreeMap;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use events::shop::{OrderPlaced, PaymentResult};
use events::{Event, Topic};
use kafka_transport::{Connection, EmbeddedCluster, TopicReader};
use messaging::{EVENT_ID, RUN};
use serde_json::{Value, json};

use crate::call::{Call, Ended, orderflow, orders};
use crate::interruption::send;

fn cluster() -> EmbeddedCluster {
    EmbeddedCluster::start([(OrderPlaced::TOPIC, 3), (PaymentResult::TOPIC, 3)]).unwrap()
}

fn inject(cluster: &EmbeddedCluster, arguments: &str) -> Call {
    orderflow(&format!("inject {arguments} --format json --brokers {}", cluster.brokers()))
}

/// What stands in a topic: how often each value with its key, event id and run.
fn standing(cluster: &EmbeddedCluster, topic: Topic) -> BTreeMap<[String; 4], u64> {
    let mut reader = TopicReader::connect(&Connection::plaintext(&cluster.brokers())).unwrap();
    let spans = reader.spans([topic]).unwrap();
    let mut standing = BTreeMap::new();
    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
    let take = |record: &messaging::Record<'_>, _| {
        let header = |name| text(record.headers.last(name));
        *standing.entry([text(record.value), text(record.key), header(EVENT_ID), header(RUN)]).or_default() += 1;
        Ok::<_, kafka_transport::Error>(())
    };
    reader.read_all(&spans, take).unwrap();
    standing
}

/// The call is refused with this status, and its last line says why.
#[track_caller]
fn refuses(call: Call, status: i32, reason: &str) {
    let ended = call.end().with_status(status);
    assert!(ended.stderr.lines().any(|line| line.starts_with("error: ") && line.contains(reason)), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_topic_that_no_events_go_to_is_refused_with_what_to_do() {
    let call = |topic: &str| orderflow(&format!("inject {topic} - --brokers localhost:1"));
    refuses(
        call("order_place"),
        2,
        "topology.json: no topic `order_place` that events go to, did you mean `order_placed`?",
    );
    refuses(call("somewhere"), 2, "no topic `somewhere` that events go to; `orderflow topology show` lists those");
    refuses(
        call("payment_processor.order_placed.dead_letter"),
        2,
        "only payment_processor writes there, what it gives up; to have it do so: \
         `orderflow inject order_placed FILE --corrupt 100%`",
    );
}

#[test]
fn a_call_that_makes_no_sense_is_refused_before_anything_is_written() {
    let call = |arguments: &str| orderflow(&format!("inject order_placed {arguments}"));
    refuses(call("- --corrupt 101% --brokers localhost:1"), 2, "allowed 0% to 100%");
    refuses(call("- --duplicate few --brokers localhost:1"), 2, "allowed 0% to 100%");
    refuses(call("- --run a/b --brokers localhost:1"), 2, "allowed 1 to 64 characters of A-Z a-z 0-9 . _ : -");
    refuses(call("- --delay soon --brokers localhost:1"), 2, "'soon' for '--delay");
    refuses(call("nowhere.jsonl --brokers localhost:1"), 2, "nowhere.jsonl: No such file or directory");
    refuses(call(". --brokers localhost:1"), 2, ".: is a folder, allowed a file of JSON lines or -");
    refuses(call("-"), 2, "1 setting is wrong");
}

#[test]
fn each_line_stands_in_the_topic_as_it_was_with_its_key_its_id_and_its_run() {
    let cluster = cluster();
    let lines = orders(50, 7);
    let ended = inject(&cluster, "order_placed - --run mine --seed 3").stdin(lines.as_str()).end().with_status(0);
    let expected = json!({"topic": "order_placed", "run": "mine", "seed": 3, "read": 50, "refused": 0, "written": 50, "corrupted": 0, "duplicated": 0});
    assert_eq!(ended.document(), expected);
    assert_eq!(ended.stderr, "run mine, seed 3\n");
    let of_line = |line: &str| {
        let order = OrderPlaced::decode(line.as_bytes()).unwrap();
        let id = String::from_utf8(order.event_id().encode().to_vec()).unwrap();
        ([line.to_owned(), order.order_id.to_string(), id, "mine".to_owned()], 1)
    };
    assert_eq!(standing(&cluster, OrderPlaced::TOPIC), lines.lines().map(of_line).collect());
}

#[test]
fn the_same_seed_breaks_and_doubles_the_same_lines() {
    let injected = || {
        let cluster = cluster();
        let call = inject(&cluster, "order_placed orders.jsonl --corrupt 20% --duplicate 30% --seed 3 --run mine");
        let document = call.file("orders.jsonl", orders(100, 7)).end().with_status(0).document();
        (document, standing(&cluster, OrderPlaced::TOPIC))
    };
    let (document, standing) = injected();
    assert_eq!((&document, &standing), (&injected().0, &injected().1));
    let broken = |value: &str| OrderPlaced::decode(value.as_bytes()).is_err();
    let corrupted: u64 = standing.iter().filter(|([value, ..], _)| broken(value)).map(|(_, count)| count).sum();
    let twice = standing.values().filter(|&&count| count == 2).count() as u64;
    assert_eq!((&document["read"], standing.len()), (&100.into(), 100));
    assert_eq!(document["written"], 100 + twice);
    assert_eq!((&document["corrupted"], &document["duplicated"]), (&corrupted.into(), &twice.into()));
    assert!((5..60).contains(&corrupted) && (10..60).contains(&twice), "{document}");
}

#[test]
fn a_line_that_is_no_such_event_is_set_aside_and_those_around_it_are_written() {
    let cluster = cluster();
    let payment = r#"{"order_id":"7f3a","event_type":"payment_result","timestamp":"2026-01-01T00:00:00.000Z","status":"success","amount":39.98}"#;
    let mut lines = format!("{payment}\n{}\n\n{}\n", orders(1, 7).trim_end(), "x".repeat(2 << 20)).into_bytes();
    lines.extend_from_slice(b"\xff\xfe\n");
    lines.extend_from_slice(payment.replace("7f3a", "7f3b").as_bytes());
    let ended = inject(&cluster, "payment_result - --rejects bad.jsonl").stdin(lines).end().with_status(3);
    let document = ended.document();
    assert_eq!((&document["read"], &document["written"], &document["refused"]), (&6.into(), &2.into(), &4.into()));
    let rejects = ended.file("bad.jsonl");
    let refused: Vec<(u64, &str)> =
        rejects.iter().map(|reject| (reject["line"].as_u64().unwrap(), reject["reason"].as_str().unwrap())).collect();
    let expected = [
        (2, r#"event_type: found "order_placed", allowed "payment_result""#),
        (3, "found an empty line, allowed one JSON object a line"),
        (4, "found more than 65536 bytes, allowed 65536 bytes at most"),
        (5, "value: found invalid JSON (expected value at column 1), allowed a JSON object in UTF-8"),
    ];
    assert_eq!(refused, expected);
    assert_eq!(standing(&cluster, PaymentResult::TOPIC).len(), 2);
}

#[test]
fn nothing_at_all_is_no_error() {
    let cluster = cluster();
    let ended = inject(&cluster, "order_placed empty.jsonl").file("empty.jsonl", "").end().with_status(0);
    assert_eq!((&ended.document()["read"], &ended.document()["written"]), (&0.into(), &0.into()));
    let ended = inject(&cluster, "order_placed -").stdin("").end().with_status(0);
    assert_eq!(ended.document()["read"], 0);
}

#[test]
fn the_result_says_for_a_person_what_became_of_the_lines_by_which_seed_and_in_which_run() {
    let cluster = cluster();
    let call = format!("inject order_placed - --run mine --seed 3 --duplicate 100% --brokers {}", cluster.brokers());
    let ended = orderflow(&call).stdin(orders(3, 7) + "no order\n").end().with_status(3);
    let expected = "order_placed: 4 lines of -, run mine, seed 3\n\
        \x20 written              6 confirmed\n\
        \x20 corrupted            0 of them\n\
        \x20 duplicated           3 of them, which stood there already\n\
        \x20 refused              1 of the lines, see rejects.jsonl\n";
    assert_eq!(ended.stdout, expected);
}

#[test]
fn records_are_as_far_apart_as_somebody_wants_them() {
    let cluster = cluster();
    let started = Instant::now();
    inject(&cluster, "order_placed - --delay 150ms --duplicate 100%").stdin(orders(2, 7)).end().with_status(0);
    assert!(started.elapsed() >= Duration::from_millis(450), "{:?}", started.elapsed());
}

#[test]
fn a_signal_ends_it_also_while_no_line_comes_and_what_was_written_is_told() {
    for (signal, delay) in [("INT", "0s"), ("TERM", "1000years")] {
        let cluster = cluster();
        let (call, mut input) = inject(&cluster, &format!("order_placed pipe --delay {delay}")).pipe("pipe");
        input.write_all(orders(1, 7).as_bytes()).unwrap();
        let (child, folder) = call.start();
        let deadline = Instant::now() + Duration::from_secs(10);
        while standing(&cluster, OrderPlaced::TOPIC).is_empty() {
            assert!(Instant::now() < deadline, "nothing is written");
            thread::sleep(Duration::from_millis(20));
        }
        input.write_all(b"no order\n").unwrap();
        send(signal, &child);
        let ended = Ended::of(child.wait_with_output().unwrap(), folder).with_status(130);
        let document: Value = ended.document();
        assert_eq!((&document["written"], &document["topic"]), (&1.into(), &json!("order_placed")));
        drop(input);
    }
}
