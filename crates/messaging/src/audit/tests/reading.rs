use super::*;
use crate::{DeadLetter, EVENT_ID, Header, Headers, NoHeaders, Record, RetryPolicy, Subscription};

fn group(service: &str, topic: Topic, dead_letter: &'static str) -> Subscription {
    Subscription {
        service: service.into(),
        group: format!("{service}.{topic}"),
        topic,
        dead_letter: Topic::new(dead_letter),
        batch_records: 1,
        retry: RetryPolicy::try_new(1, 1, 1).unwrap(),
    }
}

fn packer() -> Subscription {
    group("packer", ORDERS, "packer.orders.dead_letter")
}

fn reading() -> Reading {
    let mailer = group("mailer", SHIPMENTS, "mailer.shipments.dead_letter");
    Reading::new(Arc::new(Parcels), [packer(), group("biller", ORDERS, "biller.orders.dead_letter"), mailer])
}

fn record<'a>(topic: Topic, key: Option<&'a str>, value: Option<&'a str>, headers: &'a dyn Headers) -> Record<'a> {
    let (key, value) = (key.map(str::as_bytes), value.map(str::as_bytes));
    Record { topic, partition: 2, offset: 7, key, value, headers, deliveries: None }
}

fn event_id() -> Vec<Header> {
    vec![(EVENT_ID.into(), Some(EventId::of(&id("a"), ORDERS.as_str(), "", 1).encode().to_vec()))]
}

/// What a record tells, in words.
fn words(told: Told<'_>) -> String {
    let place = |Origin { group, topic, partition, offset }| format!("{group} of {topic}-{partition}@{offset}");
    match told {
        Told::Now(Observation::Entered { order_id }) => format!("entered {order_id}"),
        Told::Now(Observation::Written(written)) => format!("written {:?}", written.mark),
        Told::Now(Observation::Rejected { origin }) => format!("rejected by {}", place(origin)),
        Told::Now(Observation::DeadLettered { origin, order }) => {
            assert_eq!(order, Some(OrderKey::of(b"a")));
            format!("dead letter by {}", place(origin))
        }
        Told::OnceCommitted(group, Observation::Handled { order, mark }) => {
            assert_eq!(order, OrderKey::of(b"a"));
            format!("{mark:?} once {} has committed", group.group)
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check(record: &Record<'_>, expected: &[&str]) {
    let mut told = Vec::new();
    reading().read(record, &mut |of_record| told.push(words(of_record)));
    assert_eq!(told, expected);
}

const REJECTED: [&str; 2] = ["rejected by packer.orders of orders-2@7", "rejected by biller.orders of orders-2@7"];

#[test]
fn a_record_where_orders_enter_takes_its_order_in() {
    check(&record(ORDERS, Some("a"), Some("placed"), &event_id()), &["entered a", "written Mark(0)"]);
    check(&record(CANCELLATIONS, Some("a"), Some("cancelled"), &event_id()), &["written Mark(2)"]);
}

#[test]
fn a_group_that_writes_nothing_has_handled_a_record_once_it_has_committed() {
    let expected = ["written Mark(1)", "Mark(3) once mailer.shipments has committed"];
    check(&record(SHIPMENTS, Some("a"), Some("shipped"), &event_id()), &expected);
    let silent: Vec<String> = reading().silent_groups().map(|group| group.group.clone()).collect();
    assert_eq!(silent, ["mailer.shipments"]);
}

#[test]
fn what_nobody_can_decode_is_rejected_by_each_group_that_reads_it_and_its_order_was_taken_in_all_the_same() {
    let taken_in = [&["entered a"], &REJECTED[..]].concat();
    for value in [Some(""), None] {
        check(&record(ORDERS, Some("a"), value, &event_id()), &taken_in);
    }
    let broken = vec![(EVENT_ID.to_owned(), Some(b"7".to_vec()))];
    check(&record(ORDERS, Some("a"), Some("placed"), &NoHeaders), &taken_in);
    check(&record(ORDERS, Some("a"), Some("placed"), &broken), &taken_in);
    check(&record(SHIPMENTS, Some("a"), None, &event_id()), &["rejected by mailer.shipments of shipments-2@7"]);
    check(&record(CANCELLATIONS, Some("a"), None, &event_id()), &[]); // nobody reads it
}

#[test]
fn a_record_without_the_key_of_an_order_takes_none_in() {
    check(&record(ORDERS, None, Some("placed"), &event_id()), &REJECTED);
    check(&record(ORDERS, Some("no key"), Some("placed"), &event_id()), &["written Mark(0)"]);
}

#[test]
fn a_dead_letter_tells_of_the_record_that_it_is_of() {
    let letter = DeadLetter::new(&packer(), &record(ORDERS, Some("a"), None, &event_id()), "no value");
    check(&record(letter.topic, Some("a"), None, &letter.headers), &["dead letter by packer.orders of orders-2@7"]);
}

#[test]
fn a_dead_letter_of_another_group_or_of_no_record_tells_nothing() {
    let strange = Subscription { group: "strange".into(), ..packer() };
    let letter = DeadLetter::new(&strange, &record(ORDERS, Some("a"), None, &event_id()), "no value");
    check(&record(letter.topic, Some("a"), None, &letter.headers), &[]);
    check(&record(letter.topic, Some("a"), None, &event_id()), &[]);
}
