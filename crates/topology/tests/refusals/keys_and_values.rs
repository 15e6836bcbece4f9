//! Keys, types, ranges and names.

use serde_json::{Value, json};

use super::Change::{Remove, Set};
use super::{check, check_each, error_of, valid};

#[test]
fn an_unknown_key_is_refused_with_the_nearest_and_all_allowed() {
    check_each([
        (Set("/topic", json!({})), "top level: unknown key `topic`; allowed: `topics`, `services`"),
        (
            Set("/topics/paid/color", json!(1)),
            "topics.paid: unknown key `color`; allowed: `partitions`, `replication`, `retention_ms`, `max_message_bytes`",
        ),
    ]);
    check(
        [Remove("/topics/paid/partitions"), Set("/topics/paid/partition", json!(3))],
        "topics.paid: unknown key `partition`, did you mean `partitions`? \
         Allowed: `partitions`, `replication`, `retention_ms`, `max_message_bytes`",
    );
}

#[test]
fn a_missing_key_is_refused_with_what_is_allowed() {
    check_each([
        (Remove("/topics"), "top level: missing key `topics`; allowed: an object of topics by name"),
        (Remove("/topics/paid/replication"), "topics.paid: missing key `replication`; allowed: an integer from 1 to 7"),
        (
            Remove("/services/payer/system"),
            r#"services.payer: missing key `system`; allowed: "shop" or "order_saga" or "food_orders""#,
        ),
        (
            Remove("/services/payer/consumes"),
            "services.payer: missing key `consumes`; allowed: a list of objects, empty for none",
        ),
        (
            Remove("/services/payer/produces"),
            "services.payer: missing key `produces`; allowed: a list of topics' names, empty for none",
        ),
        (
            Remove("/services/payer/retry"),
            "services.payer: missing key `retry`; allowed: an object, or null for a service that consumes nothing",
        ),
        (
            Remove("/services/payer/settings"),
            "services.payer: missing key `settings`; allowed: an object of integers by name, empty for none",
        ),
        (
            Remove("/services/payer/consumes/0/topic"),
            "services.payer.consumes[0]: missing key `topic`; allowed: a topic's name",
        ),
        (
            Remove("/services/payer/consumes/0/group"),
            "services.payer.consumes[0]: missing key `group`; allowed: a group's name, or null for `SERVICE.TOPIC`",
        ),
    ]);
}

#[test]
fn a_value_of_the_wrong_type_is_refused() {
    check_each([
        (Set("/topics", json!([])), "topics: found a list, allowed an object of topics by name"),
        (
            Set("/topics/paid", json!(3)),
            "topics.paid: found 3, allowed an object with the keys \
             `partitions`, `replication`, `retention_ms`, `max_message_bytes`",
        ),
        (
            Set("/topics/paid/partitions", json!("3")),
            r#"topics.paid.partitions: found "3", allowed an integer from 1 to 1000"#,
        ),
        (Set("/services/payer/host", json!(true)), r#"services.payer.host: found true, allowed "lambda" or "worker""#),
        (
            Set("/services/payer/produces", json!("paid")),
            r#"services.payer.produces: found "paid", allowed a list of topics' names, empty for none"#,
        ),
        (
            Set("/services/payer/produces/0", json!({})),
            "services.payer.produces[0]: found an object, allowed a topic's name",
        ),
        (
            Set("/services/payer/consumes/0/dead_letter", json!(7)),
            "services.payer.consumes[0].dead_letter: found 7, allowed a topic's name, or null for a group that skips what it can \
             never handle",
        ),
        (
            Set("/services/payer/consumes/0/group", json!(1)),
            "services.payer.consumes[0].group: found 1, allowed a group's name, or null for `payer.placed`",
        ),
        (
            Set("/services/payer/settings", Value::Null),
            "services.payer.settings: found null, allowed an object of integers by name, empty for none",
        ),
    ]);
    assert_eq!(error_of("7"), "top level: found 7, allowed an object with the keys `topics`, `services`");
}

#[test]
fn a_float_is_refused_even_if_it_is_whole() {
    check_each([
        (
            Set("/topics/paid/partitions", json!(3.0)),
            "topics.paid.partitions: found the float 3.0, allowed an integer from 1 to 1000",
        ),
        (
            Set("/services/payer/settings/success_percent", json!(0.9)),
            "services.payer.settings.success_percent: found the float 0.9, allowed an integer from 0 to 100",
        ),
    ]);
    let exponent = valid().to_string().replacen(r#""timeout_s":30"#, r#""timeout_s":3e1"#, 1);
    assert_eq!(
        error_of(&exponent),
        "services.generator.timeout_s: found the float 30.0, allowed an integer from 1 to 840"
    );
}

#[test]
fn an_integer_out_of_its_range_is_refused_and_its_bounds_are_not() {
    for (pointer, path, least, most) in [
        ("/topics/paid/partitions", "topics.paid.partitions", 1, 1000),
        ("/topics/paid/replication", "topics.paid.replication", 1, 7),
        ("/topics/paid/retention_ms", "topics.paid.retention_ms", 60_000, 315_360_000_000_i64),
        ("/services/payer/consumes/0/batch_records", "services.payer.consumes[0].batch_records", 1, 10_000),
        ("/services/payer/memory_mib", "services.payer.memory_mib", 128, 10_240),
        ("/services/payer/timeout_s", "services.payer.timeout_s", 1, 840),
        ("/services/payer/retry/backoff_max_ms", "services.payer.retry.backoff_max_ms", 1, 3_600_000),
        ("/services/payer/retry/stuck_after_attempts", "services.payer.retry.stuck_after_attempts", 1, 1000),
        ("/services/payer/settings/success_percent", "services.payer.settings.success_percent", 0, 100),
        ("/services/payer/settings/orders", "services.payer.settings.orders", 0, 9_007_199_254_740_991),
    ] {
        // The least backoff must not exceed the longest, whichever is tried.
        let with = |value: i64| [Set("/services/payer/retry/backoff_min_ms", json!(1)), Set(pointer, json!(value))];
        check(with(least), "no error");
        check(with(most), "no error");
        for found in [least - 1, most + 1, -1] {
            check(with(found), &format!("{path}: found {found}, allowed an integer from {least} to {most}"));
        }
    }
}

#[test]
fn the_largest_batch_has_bounds() {
    let range = "allowed an integer from 1024 to 8388608";
    let (least, most) = ("/topics/paid/max_message_bytes", "/topics/mailer.paid.dead_letter/max_message_bytes");
    let (paid, dead_letter) =
        ("topics.paid.max_message_bytes", "topics[\"mailer.paid.dead_letter\"].max_message_bytes");
    check_each([
        (Set(least, json!(1_024)), "no error"),
        (Set(least, json!(1_023)), &format!("{paid}: found 1023, {range}")),
        (Set(most, json!(8_388_608)), "no error"),
        (Set(most, json!(8_388_609)), &format!("{dead_letter}: found 8388609, {range}")),
    ]);
}

#[test]
fn the_least_backoff_may_not_exceed_the_longest() {
    check_each([
        (Set("/services/payer/retry/backoff_min_ms", json!(30_000)), "no error"),
        (
            Set("/services/payer/retry/backoff_min_ms", json!(30_001)),
            "services.payer.retry: found backoff_min_ms 30001, allowed at most backoff_max_ms 30000",
        ),
    ]);
}

#[test]
fn an_unknown_system_or_host_is_refused() {
    check_each([
        (Set("/services/payer/system", json!("order_saga")), "no error"),
        (Set("/services/payer/system", json!("food_orders")), "no error"),
        (Set("/services/payer/host", json!("worker")), "no error"),
        (
            Set("/services/payer/system", json!("shops")),
            r#"services.payer.system: found "shops", allowed "shop" or "order_saga" or "food_orders""#,
        ),
        (
            Set("/services/payer/host", json!("fargate")),
            r#"services.payer.host: found "fargate", allowed "lambda" or "worker""#,
        ),
    ]);
}

#[test]
fn names_that_kafka_or_the_environment_would_refuse_are_refused() {
    let topic_rule = "allowed 1 to 249 of A-Z a-z 0-9 `.` `_` `-`, but neither `.` nor `..`";
    for (name, path) in [
        ("", r#"topics[""]"#),
        (".", r#"topics["."]"#),
        ("..", r#"topics[".."]"#),
        ("a b", r#"topics["a b"]"#),
        ("größe", r#"topics["größe"]"#),
    ] {
        let text = valid().to_string().replace(r#""paid""#, &format!("{name:?}"));
        assert_eq!(error_of(&text), format!("{path}: found the topic name {name:?}, {topic_rule}"));
    }
    let renamed = |name: &str| error_of(&valid().to_string().replace(r#""paid""#, &format!("{name:?}")));
    let (longest, too_long) = ("t".repeat(249), "t".repeat(250));
    assert_eq!(renamed(&too_long), format!("topics.{too_long}: found the topic name {too_long:?}, {topic_rule}"));
    assert_eq!(renamed(&"t".repeat(200 - "mailer.".len())), "no error");
    let one_too_long_for_a_group = "t".repeat(201 - "mailer.".len());
    assert!(renamed(&one_too_long_for_a_group).starts_with("services.mailer.consumes[0].group: "));
    let group = format!("mailer.{longest}");
    assert_eq!(
        renamed(&longest),
        format!(
            "services.mailer.consumes[0].group: found the group name {group:?}, \
             allowed 1 to 200 of A-Z a-z 0-9 `.` `_` `-`"
        )
    );
    check_each([
        (
            Set("/services/payer/consumes/0/group", json!("order processors")),
            "services.payer.consumes[0].group: found the group name \"order processors\", \
             allowed 1 to 200 of A-Z a-z 0-9 `.` `_` `-`",
        ),
        (Set("/services/payer/consumes/0/group", json!("order-processors")), "no error"),
    ]);
    let too_long = "p".repeat(65);
    for name in [&too_long, "Payer", "payer-2", "2payer", "_payer", "payer_", "pay__er", ""] {
        let text = valid().to_string().replace(r#""payer":"#, &format!("{name:?}:"));
        let path = if name.contains('-') || name.is_empty() {
            format!("services[{name:?}]")
        } else {
            format!("services.{name}")
        };
        let rule = "allowed lower snake_case, 1 to 64 of a-z 0-9 `_`";
        assert_eq!(error_of(&text), format!("{path}: found the service name {name:?}, {rule}"));
    }
    check_each([
        (Set("/services/payer/settings/orders_2", json!(1)), "no error"),
        (
            Set("/services/payer/settings/SUCCESS", json!(1)),
            "services.payer.settings.SUCCESS: found the setting name \"SUCCESS\", \
             allowed lower snake_case, 1 to 64 of a-z 0-9 `_`",
        ),
    ]);
}

#[test]
fn a_retry_policy_stands_exactly_where_something_is_consumed() {
    check_each([
        (
            Set("/services/payer/retry", Value::Null),
            "services.payer.retry: found null, but the service consumes: \
             allowed an object with the keys `backoff_min_ms`, `backoff_max_ms`, `stuck_after_attempts`",
        ),
        (
            Set("/services/generator/retry", valid()["services"]["payer"]["retry"].clone()),
            "services.generator.retry: found an object, but the service consumes nothing: allowed null",
        ),
    ]);
    check(
        [Set("/services/payer/retry", Value::Null), Set("/services/payer/consumes", Value::Null)],
        "services.payer.consumes: found null, allowed a list of objects, empty for none",
    );
}
