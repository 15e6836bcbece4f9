//! Each rule broken once: a valid document, one change, the exact message.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests, which clippy takes for production code")]

use serde_json::{Value, json};
use topology::Topology;

mod between_entries;
mod keys_and_values;
mod text;

/// generator -> placed -> payer -> paid -> mailer: the smallest shop that has every kind of entry.
fn valid() -> Value {
    let topic = |max_message_bytes: u32| {
        json!({
            "partitions": 3, "replication": 3, "retention_ms": 604_800_000, "max_message_bytes": max_message_bytes,
        })
    };
    let retry = json!({"backoff_min_ms": 100, "backoff_max_ms": 30_000, "stuck_after_attempts": 5});
    let consumes = |topic: &str, dead_letter: &str| json!([consumption(topic, Value::Null, dead_letter)]);
    let service = |consumes: Value, produces: Value, retry: Value, settings: Value| {
        json!({
            "system": "shop", "host": "lambda", "consumes": consumes, "produces": produces, "retry": retry,
            "memory_mib": 128, "timeout_s": 30, "settings": settings,
        })
    };
    json!({
        "topics": {
            "placed": topic(1_000_000), "payer.placed.dead_letter": topic(2_000_000),
            "paid": topic(1_000_000), "mailer.paid.dead_letter": topic(2_000_000),
        },
        "services": {
            "generator": service(json!([]), json!(["placed"]), Value::Null, json!({})),
            "payer": service(
                consumes("placed", "payer.placed.dead_letter"), json!(["paid"]), retry.clone(),
                json!({"success_percent": 90}),
            ),
            "mailer": service(consumes("paid", "mailer.paid.dead_letter"), json!([]), retry, json!({})),
        },
    })
}

enum Change {
    Set(&'static str, Value),
    Remove(&'static str),
}
use Change::{Remove, Set};

impl Change {
    /// Sets or removes what a JSON pointer names; the last word may be a new key, or `-` for a list's end.
    fn apply(self, document: &mut Value) {
        let (pointer, value) = match self {
            Set(pointer, value) => (pointer, Some(value)),
            Remove(pointer) => (pointer, None),
        };
        let (parent, last) = pointer.rsplit_once('/').expect("a pointer starts with a slash");
        match (document.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}")), value) {
            (Value::Object(entries), Some(value)) => drop(entries.insert(last.to_owned(), value)),
            (Value::Object(entries), None) => drop(entries.remove(last).unwrap_or_else(|| panic!("no {pointer}"))),
            (Value::Array(list), Some(value)) if last == "-" => list.push(value),
            (Value::Array(list), Some(value)) => list[last.parse::<usize>().expect("an index")] = value,
            _ => panic!("nothing to change at {pointer}"),
        }
    }
}

/// The problems of a text, one a line, each without the name of the file that must stand before it.
#[track_caller]
fn error_of(text: &str) -> String {
    let message = match Topology::parse("t.json", text) {
        Ok(_) => return "no error".to_owned(),
        Err(error) => error.to_string(),
    };
    let lines = message.lines().map(|line| line.strip_prefix("t.json: ").unwrap_or_else(|| panic!("{line}")));
    lines.collect::<Vec<_>>().join("\n")
}

/// The valid document with these changes is refused with exactly this line (or these lines).
#[track_caller]
fn check(changes: impl IntoIterator<Item = Change>, expected: &str) {
    let mut document = valid();
    changes.into_iter().for_each(|change| change.apply(&mut document));
    assert_eq!(error_of(&document.to_string()), expected);
}

/// Each row is a change of its own.
#[track_caller]
fn check_each<const N: usize>(rows: [(Change, &str); N]) {
    for (change, expected) in rows {
        check([change], expected);
    }
}

fn topic() -> Value {
    valid()["topics"]["paid"].clone()
}

fn dead_letter() -> Value {
    valid()["topics"]["mailer.paid.dead_letter"].clone()
}

fn consumption(topic: &str, group: Value, dead_letter: &str) -> Value {
    json!({"topic": topic, "group": group, "dead_letter": dead_letter, "batch_records": 500})
}

#[test]
fn the_unchanged_document_is_valid() {
    check([], "no error");
}

#[test]
fn the_message_for_a_misspelt_topic_is_the_one_of_the_house_style() {
    let text = include_str!("../../../../topology.json");
    let misspelt = text.replacen(r#""topic": "order_placed""#, r#""topic": "order_place""#, 1);
    assert_eq!(
        Topology::parse("topology.json", &misspelt).unwrap_err().to_string(),
        "topology.json: services.payment_processor.consumes[0]: no topic `order_place`; declare it under `topics`, \
         or did you mean `order_placed`?"
    );
}

#[test]
fn all_problems_are_reported_at_once() {
    let changes = || {
        [
            Set("/topics/paid/partitions", json!(0)),
            Set("/services/payer/retry/backoff_max_ms", json!(0)),
            Set("/services/mailer/consumes/0/topic", json!("payd")),
            Set("/services/payer/settings/success_percent", json!(101)),
        ]
    };
    check(
        changes(),
        "topics.paid.partitions: found 0, allowed an integer from 1 to 1000\n\
         services.payer.retry.backoff_max_ms: found 0, allowed an integer from 1 to 3600000\n\
         services.payer.settings.success_percent: found 101, allowed an integer from 0 to 100\n\
         services.mailer.consumes[0]: no topic `payd`; declare it under `topics`, or did you mean `paid`?",
    );
    let mut document = valid();
    changes().into_iter().for_each(|change| change.apply(&mut document));
    let error = Topology::parse("t.json", &document.to_string()).unwrap_err();
    let paths: Vec<&str> = error.problems().iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "topics.paid.partitions",
            "services.payer.retry.backoff_max_ms",
            "services.payer.settings.success_percent",
            "services.mailer.consumes[0]",
        ]
    );
}
