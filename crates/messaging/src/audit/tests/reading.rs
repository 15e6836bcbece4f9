use super::*;
use crate::{DeadLetter, EVENT_ID, Fate, Header, Headers, NoHeaders, Record, RetryPolicy, Settlement, Subscription};

fn group(service: &str, topic: Topic, dead_letter: &'static str) -> Subscription {
    Subscription {
        service: service.into(),
        group: format!("{service}.{topic}"),
        topic,
        dead_letter: Some(Topic::new(dead_letter)),
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
        Told::Now(Observation::Entered { order_id, .. }) => format!("entered {order_id}"),
        Told::Now(Observation::Written(written)) => format!("written {:?}", written.mark),
        Told::Now(Observation::Rejected { origin }) => format!("rejected by {}", place(origin)),
        Told::Now(Observation::DeadLettered { origin, order }) => {
            assert_eq!(order, Some(OrderKey::of(b"a")));
            format!("dead letter by {}", place(origin))
        }
        Told::Now(Observation::Redriven { origin }) => format!("redriven: {}", place(origin)),
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
    let letter = DeadLetter::new(&packer(), &record(ORDERS, Some("a"), None, &event_id()), "no value").unwrap();
    check(&record(letter.topic, Some("a"), None, &letter.headers), &["dead letter by packer.orders of orders-2@7"]);
}

#[test]
fn what_became_of_a_dead_letter_tells_only_where_its_record_was_redriven() {
    let letter = DeadLetter::new(&packer(), &record(ORDERS, Some("a"), None, &event_id()), "no value").unwrap();
    let settlement = |origin: &Origin, fate| {
        let settlement = Settlement { origin: Some(origin.clone()), letter: 3, fate };
        settlement.record(letter.topic, 0, Some(b"a"), &letter.headers).headers
    };
    let check = |headers: &Vec<Header>, expected: &[&str]| {
        let record = record(letter.topic, Some("a"), None, headers);
        assert!(reading().is_settlement(&record));
        check(&record, expected);
    };
    check(&settlement(&letter.origin, Fate::Redriven), &["redriven: packer.orders of orders-2@7"]);
    check(&settlement(&letter.origin, Fate::Discarded), &[]);
    check(&settlement(&Origin { group: "strange".into(), ..letter.origin.clone() }, Fate::Redriven), &[]);
    assert!(!reading().is_settlement(&record(letter.topic, Some("a"), None, &letter.headers)));
}

#[test]
fn what_a_group_without_a_dead_letter_topic_cannot_decode_it_skips_and_nothing_more_is_expected_of_its_order() {
    let reading = Reading::new(Arc::new(Parcels), [Subscription { dead_letter: None, ..packer() }]);
    let mut told = Vec::new();
    reading.read(&record(ORDERS, Some("a"), None, &event_id()), &mut |of_record| told.push(words(of_record)));
    assert_eq!(told, ["entered a", "dead letter by packer.orders of orders-2@7"]);
}

#[test]
fn a_dead_letter_of_another_group_or_of_no_record_tells_nothing() {
    let strange = Subscription { group: "strange".into(), ..packer() };
    let letter = DeadLetter::new(&strange, &record(ORDERS, Some("a"), None, &event_id()), "no value").unwrap();
    check(&record(letter.topic, Some("a"), None, &letter.headers), &[]);
    check(&record(letter.topic, Some("a"), None, &event_id()), &[]);
}

/// What a record of the order `a` tells that stands where orders enter.
fn entering(offset: i64, value: Option<&str>, headers: &dyn Headers) -> Vec<Observation> {
    let mut observations = Vec::new();
    reading().read(&Record { offset, ..record(ORDERS, Some("a"), value, headers) }, &mut |told| match told {
        Told::Now(observation) => observations.push(observation),
        Told::OnceCommitted(..) => panic!("nobody reads orders in silence"),
    });
    observations
}

/// The dead letters of that record, of each group that reads it.
fn given_up(offset: i64) -> Vec<Observation> {
    let of = |group: &str| Origin { group: group.into(), ..origin(offset) };
    ["packer.orders", "biller.orders"]
        .map(|group| Observation::dead_lettered(&Parcels, of(group), Some(b"a"), None))
        .into()
}

/// An order that goes well, and another one with its id.
fn twice() -> Vec<Observation> {
    [entering(7, Some("placed"), &event_id()), entering(8, Some("other"), &event_id())].concat()
}

#[test]
fn an_order_that_comes_in_with_the_id_of_another_is_doubled_unless_one_of_them_was_given_up() {
    let ends = || vec![shipped("a"), mailed("a")];
    let examples = vec!["orders-2@8: came in with the id of another order, and has no dead letter".to_owned()];
    let both = given([twice(), ends()].concat());
    both.then(Verdict { accepted: 1, ended: 1, doubled: 1, examples: examples.clone(), ..passed() });
    let not_yet = Verdict { accepted: 1, ended: 1, unfinished: 1, examples, ..passed() };
    assert_eq!(both.verdict_without_digest(Drained::No), not_yet);
    for offset in [7, 8] {
        let ended = Verdict { accepted: 1, ended: 1, ..passed() };
        given([twice(), given_up(offset), ends()].concat()).then(ended.clone());
        given([twice(), ends(), given_up(offset)].concat()).then(ended);
    }
}

#[test]
fn an_order_is_given_up_with_the_last_of_the_records_that_have_its_id() {
    given([twice(), given_up(7), given_up(8)].concat()).then(Verdict { accepted: 1, dead_lettered: 1, ..passed() });
    let lost = Verdict { accepted: 1, lost: 1, examples: vec!["order a: seen placed".to_owned()], ..passed() };
    given([twice(), given_up(8)].concat()).then(lost);
}

#[test]
fn what_is_no_order_or_has_a_strange_event_id_takes_none_out_that_has_its_id() {
    let strange = vec![(EVENT_ID.to_owned(), Some(EventId::of(&id("b"), "", "", 1).encode().to_vec()))];
    for (value, headers) in [(None, event_id()), (Some("other"), vec![]), (Some("other"), strange)] {
        let (first, other) = (entering(7, Some("placed"), &event_id()), entering(8, value, &headers));
        let ends = vec![shipped("a"), mailed("a")];
        for entrances in [[first.clone(), other.clone()].concat(), [other, first].concat()] {
            let ended = Verdict { accepted: 1, ended: 1, ..passed() };
            given([entrances.clone(), given_up(8), ends.clone()].concat()).then(ended);
            let lost = Verdict { accepted: 1, lost: 1, examples: vec!["order a: seen placed".to_owned()], ..passed() };
            given([entrances, given_up(8)].concat()).then(lost);
        }
    }
}
