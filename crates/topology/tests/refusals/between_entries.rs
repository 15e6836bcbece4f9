//! What must hold between topics, services and groups.

use serde_json::{Value, json};

use super::Change::{Remove, Set};
use super::{check, check_each, consumption, dead_letter, topic, valid};

#[test]
fn a_topic_must_be_declared_wherever_it_is_named() {
    check_each([
        (
            Set("/services/payer/consumes/0/topic", json!("plaxed")),
            "services.payer.consumes[0]: no topic `plaxed`; declare it under `topics`, or did you mean `placed`?",
        ),
        (
            Set("/services/payer/produces/0", json!("payd")),
            "services.payer.produces[0]: no topic `payd`; declare it under `topics`, or did you mean `paid`?",
        ),
        (
            Set("/services/payer/consumes/0/dead_letter", json!("payer.placed.deadletter")),
            "services.payer.consumes[0].dead_letter: no topic `payer.placed.deadletter`; \
             declare it under `topics`, or did you mean `payer.placed.dead_letter`?",
        ),
        (
            Set("/services/payer/produces/-", json!("refunds")),
            "services.payer.produces[1]: no topic `refunds`; declare it under `topics`",
        ),
    ]);
}

#[test]
fn a_topic_that_nobody_writes_or_reads_is_refused() {
    check(
        [Set("/topics/extra", topic()), Set("/services/payer/produces/-", json!("extra"))],
        "topics.extra: no service reads this topic; add it to a `consumes`, or remove it",
    );
    check(
        [Set("/services/payer/produces", json!([]))],
        "topics.paid: no service writes this topic; add it to a `produces`, or remove it",
    );
    check(
        [Set("/topics/extra", topic())],
        "topics.extra: no service writes this topic; add it to a `produces`, or remove it\n\
         topics.extra: no service reads this topic; add it to a `consumes`, or remove it",
    );
}

#[test]
fn a_service_that_does_nothing_is_refused() {
    check(
        [Set("/services/idle", valid()["services"]["generator"].clone()), Set("/services/idle/produces", json!([]))],
        "services.idle: consumes and produces nothing; name a topic, or remove the service",
    );
}

#[test]
fn a_topic_is_consumed_and_produced_once_by_a_service() {
    check(
        [Set("/services/payer/produces/-", json!("paid"))],
        "services.payer.produces[1]: produces topic `paid` a second time; keep one of them",
    );
    check(
        [
            Set("/topics/second.dead_letter", dead_letter()),
            Set("/services/payer/consumes/-", consumption("placed", Value::Null, "second.dead_letter")),
        ],
        "services.payer.consumes[1]: consumes topic `placed` a second time; keep one of them",
    );
}

#[test]
fn a_dead_letter_belongs_to_one_group() {
    check(
        [Set("/services/payer/consumes/-", consumption("paid", Value::Null, "payer.placed.dead_letter"))],
        "services.payer.consumes[1].dead_letter: topic `payer.placed.dead_letter` is already the dead letter \
         of group `payer.placed`; declare one for this group alone",
    );
}

#[test]
fn a_group_may_have_none_and_its_dead_letter_is_then_nobodys() {
    check(
        [Set("/services/payer/consumes/0/dead_letter", Value::Null), Remove("/topics/payer.placed.dead_letter")],
        "no error",
    );
    check(
        [Set("/services/payer/consumes/0/dead_letter", Value::Null)],
        "topics[\"payer.placed.dead_letter\"]: no group has this dead letter; name it in `consumes`, or remove it",
    );
}

#[test]
fn a_dead_letter_is_no_ordinary_topic() {
    check(
        [Set("/services/generator/produces/-", json!("payer.placed.dead_letter"))],
        "services.payer.consumes[0].dead_letter: topic `payer.placed.dead_letter` is also produced by service \
         `generator`; a dead letter is its group's alone",
    );
    check(
        [
            Set("/topics/second.dead_letter", dead_letter()),
            Set("/topics/second.dead_letter/max_message_bytes", json!(2_016_384)),
            Set(
                "/services/mailer/consumes/-",
                consumption("payer.placed.dead_letter", Value::Null, "second.dead_letter"),
            ),
        ],
        "services.payer.consumes[0].dead_letter: topic `payer.placed.dead_letter` is also consumed by service \
         `mailer`; a dead letter is its group's alone",
    );
}

#[test]
fn a_dead_letter_without_a_group_is_refused() {
    check(
        [Set("/topics/payer.old.dead_letter", dead_letter())],
        "topics[\"payer.old.dead_letter\"]: no group has this dead letter; name it in `consumes`, or remove it",
    );
}

#[test]
fn a_dead_letter_topic_takes_the_largest_record_and_the_headers_behind_it() {
    check_each([
        (Set("/topics/payer.placed.dead_letter/max_message_bytes", json!(1_016_384)), "no error"),
        (
            Set("/topics/payer.placed.dead_letter/max_message_bytes", json!(1_016_383)),
            "topics[\"payer.placed.dead_letter\"].max_message_bytes: found 1016383, allowed 1016384 or more: \
             topic `placed` takes 1000000, and headers are up to 16384",
        ),
        // What could not be read is not compared.
        (
            Set("/topics/payer.placed.dead_letter/max_message_bytes", json!("2 MB")),
            "topics[\"payer.placed.dead_letter\"].max_message_bytes: found \"2 MB\", \
             allowed an integer from 1024 to 8388608",
        ),
    ]);
}

#[test]
fn topics_that_differ_in_dot_and_underscore_alone_are_refused() {
    check(
        [
            Set("/topics/orders.new", topic()),
            Set("/topics/orders_new", topic()),
            Set("/services/generator/produces", json!(["placed", "orders.new", "orders_new"])),
            Set("/topics/one.dead_letter", dead_letter()),
            Set("/topics/two.dead_letter", dead_letter()),
            Set("/services/mailer/consumes/-", consumption("orders.new", json!("one"), "one.dead_letter")),
            Set("/services/mailer/consumes/-", consumption("orders_new", json!("two"), "two.dead_letter")),
        ],
        "topics.orders_new: collides with topic `orders.new` where metrics write `.` as `_`; rename one",
    );
}

#[test]
fn groups_that_are_equal_or_differ_in_dot_and_underscore_alone_are_refused() {
    check_each([
        (
            Set("/services/payer/consumes/0/group", json!("mailer.paid")),
            "services.payer.consumes[0]: group `mailer.paid` is already that of `mailer` for topic `paid`; \
             each (service, topic) has its own",
        ),
        (
            Set("/services/payer/consumes/0/group", json!("mailer_paid")),
            "services.payer.consumes[0]: group `mailer_paid` collides with group `mailer.paid` \
             where metrics write `.` as `_`; rename one",
        ),
    ]);
}
