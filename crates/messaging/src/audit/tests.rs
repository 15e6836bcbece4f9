//! The audit's words, each shown able to fail: given observations, then exactly this verdict.

use std::borrow::Cow;
use std::sync::Arc;

use events::{EventId, Topic};

use super::*;
use crate::{NoHeaders, Record};

mod reading; // what a record that stands in a topic tells

#[test]
fn an_order_with_its_end_and_all_it_must_have_has_ended() {
    given(complete("a")).then(Verdict { accepted: 1, ended: 1, ..passed() });
    given([complete("a"), complete("b")].concat()).then(Verdict { accepted: 2, ended: 2, ..passed() });
    given([accepted("a"), placed("a"), cancelled("a")]).then(Verdict { accepted: 1, ended: 1, ..passed() });
}

#[test]
fn an_order_without_its_end_is_lost_after_everything_drained_and_unfinished_before() {
    let audit = given([accepted("a"), placed("a")]);
    let examples = vec!["order a: seen placed".to_owned()];
    audit.then(Verdict { accepted: 1, lost: 1, examples: examples.clone(), ..passed() });
    let before = Verdict { accepted: 1, unfinished: 1, examples, ..passed() };
    assert_eq!(audit.verdict_without_digest(Drained::No), before);
    assert!(!before.passed());
}

#[test]
fn an_order_with_its_end_but_without_a_record_it_must_have_is_lost() {
    let lost = |examples: &str| Verdict { accepted: 1, lost: 1, examples: vec![examples.to_owned()], ..passed() };
    given([accepted("a")]).then(lost("order a: seen nothing"));
    given([accepted("a"), cancelled("a")]).then(lost("order a: seen cancelled"));
    given([accepted("a"), placed("a"), shipped("a")]).then(lost("order a: seen placed, shipped"));
    given([accepted("a"), placed("a"), mailed("a")]).then(lost("order a: seen placed, mailed"));
}

#[test]
fn the_same_bytes_again_are_redelivered_and_no_fault() {
    let expected = Verdict { accepted: 1, ended: 1, redelivered: 2, ..passed() };
    given([accepted("a"), placed("a"), placed("a"), placed("a"), cancelled("a")]).then(expected.clone());
    assert!(expected.passed());
}

#[test]
fn what_a_group_does_without_writing_may_repeat_unseen() {
    let expected = Verdict { accepted: 1, ended: 1, ..passed() };
    given([accepted("a"), mailed("a"), mailed("a"), placed("a"), shipped("a"), mailed("a")]).then(expected);
}

#[test]
fn an_event_id_again_with_other_bytes_is_doubled() {
    let doubled = Verdict { accepted: 1, ended: 1, doubled: 1, ..passed() };
    given([accepted("a"), placed("a"), written(ORDERS, "a", "other", 1), cancelled("a")]).then(doubled.clone());
    assert!(!doubled.passed());
}

#[test]
fn two_ends_of_one_order_are_doubled_before_and_after_its_case_is_closed() {
    given([complete("a"), vec![cancelled("a")]].concat()).then(Verdict {
        accepted: 1,
        ended: 1,
        doubled: 1,
        ..passed()
    });
    given([accepted("a"), placed("a"), shipped("a"), cancelled("a")]).then(Verdict {
        accepted: 1,
        lost: 1, // it has no one end
        doubled: 1,
        examples: vec!["order a: seen placed, shipped, cancelled".into()],
        ..passed()
    });
}

#[test]
fn two_ends_of_an_open_order_are_doubled_once_whatever_arrives_in_which_order() {
    let records = [placed("a"), shipped("a"), mailed("a"), cancelled("a")];
    for order in [[1, 3, 0, 2], [3, 1, 2, 0], [2, 3, 1, 0]] {
        let arrived = order.map(|index: usize| records[index].clone());
        given([vec![accepted("a")], arrived.to_vec()].concat()).then(Verdict {
            accepted: 1,
            lost: 1,
            doubled: 1,
            examples: vec!["order a: seen placed, shipped, cancelled, mailed".into()],
            ..passed()
        });
    }
}

#[test]
fn a_second_end_of_the_same_kind_is_doubled_by_its_other_event_id() {
    let shipped_again = written(SHIPMENTS, "a", "shipped", 2);
    given([complete("a"), vec![shipped_again]].concat()).then(Verdict {
        accepted: 1,
        ended: 1,
        doubled: 1,
        ..passed()
    });
}

#[test]
fn an_order_taken_in_twice_is_doubled_whether_open_or_closed() {
    given([vec![accepted("a")], complete("a")].concat()).then(Verdict {
        accepted: 1,
        ended: 1,
        doubled: 1,
        ..passed()
    });
    given([complete("a"), vec![accepted("a")]].concat()).then(Verdict {
        accepted: 1,
        ended: 1,
        doubled: 1,
        ..passed()
    });
}

#[test]
fn an_order_whose_record_stands_twice_was_taken_in_once() {
    let entrance = Entrance { place: origin(7).place(), content: Some(1), has_dead_letter: false };
    let entered = || Observation::Entered { order_id: id("a"), entrance };
    let ended = Verdict { accepted: 1, ended: 1, redelivered: 1, ..passed() };
    given([entered(), placed("a"), entered(), placed("a"), cancelled("a"), entered()]).then(ended.clone());
    given([vec![entered(), placed("a")], complete("a")].concat()).then(Verdict { doubled: 1, ..ended });
}

#[test]
fn a_closed_order_still_tells_a_redelivery_from_other_bytes() {
    given([complete("a"), vec![shipped("a"), mailed("a"), placed("a")]].concat()).then(Verdict {
        accepted: 1,
        ended: 1,
        redelivered: 2, // what a group does without writing has no event id, so that it may repeat silently
        ..passed()
    });
    given([complete("a"), vec![written(SHIPMENTS, "a", "other", 1)]].concat()).then(Verdict {
        accepted: 1,
        ended: 1,
        doubled: 1,
        ..passed()
    });
}

#[test]
fn of_a_dead_lettered_order_nothing_further_is_expected() {
    let dead = Verdict { accepted: 1, dead_lettered: 1, ..passed() };
    given([accepted("a"), rejected(7), dead_lettered(7, Some("a"))]).then(dead.clone());
    given([accepted("a"), dead_lettered(7, Some("a"))]).then(dead.clone());
    assert!(dead.passed());
}

#[test]
fn repeats_of_a_dead_letter_collapse_and_an_order_with_two_of_them_counts_once() {
    let dead = Verdict { accepted: 1, dead_lettered: 1, ..passed() };
    let [first, second] = [7, 8].map(|offset| dead_lettered(offset, Some("a")));
    given([accepted("a"), rejected(7), rejected(7), first.clone(), first.clone()]).then(dead.clone());
    given([accepted("a"), first, second]).then(dead);
}

#[test]
fn a_dead_lettered_order_may_still_come_to_its_end_and_counts_once() {
    given([vec![accepted("a"), dead_lettered(7, Some("a"))], complete("a")[1..].to_vec()].concat()).then(Verdict {
        accepted: 1,
        dead_lettered: 1,
        ..passed()
    });
}

#[test]
fn two_ends_of_a_dead_lettered_order_are_doubled_all_the_same() {
    given([accepted("a"), dead_lettered(7, Some("a")), placed("a"), shipped("a"), cancelled("a")]).then(Verdict {
        accepted: 1,
        dead_lettered: 1,
        doubled: 1,
        ..passed()
    });
}

#[test]
fn a_dead_letter_of_no_order_that_anybody_took_in_is_no_fault() {
    given([rejected(7), dead_lettered(7, None), rejected(8), dead_lettered(8, Some("stranger"))]).then(passed());
}

#[test]
fn a_record_that_was_rejected_and_has_no_dead_letter_is_lost() {
    let examples = vec!["orders-2@7: given up by packer.orders without a dead letter".to_owned()];
    let ended = Verdict { accepted: 1, ended: 1, ..passed() };
    let audit = given([complete("a"), vec![rejected(7), rejected(8), dead_lettered(8, None)]].concat());
    audit.then(Verdict { lost: 1, examples: examples.clone(), ..ended.clone() });
    assert_eq!(audit.verdict_without_digest(Drained::No), Verdict { unfinished: 1, examples, ..ended });
}

#[test]
fn a_dead_letter_counts_for_its_own_record_alone() {
    let of = |group: &str, topic, partition, offset| Origin { group: group.into(), topic, partition, offset };
    let letter = of("packer.orders", ORDERS, 2, 7);
    for other in [
        of("mailer.orders", ORDERS, 2, 7),
        of("packer.orders", SHIPMENTS, 2, 7),
        of("packer.orders", ORDERS, 1, 7),
        of("packer.orders", ORDERS, 2, 6),
    ] {
        let dead_lettered = Observation::DeadLettered { origin: letter.clone(), order: None };
        let audit = given([Observation::Rejected { origin: other.clone() }, dead_lettered]);
        assert_eq!(audit.verdict(Drained::Yes).lost, 1, "{other:?}");
    }
}

#[test]
fn a_record_of_an_order_that_nobody_took_in_is_unexpected() {
    let unexpected = Verdict { unexpected: 2, ..passed() };
    given([placed("a"), mailed("a")]).then(unexpected.clone());
    assert!(!unexpected.passed());
}

#[test]
fn the_digest_depends_on_topic_key_and_value() {
    let records = [
        written(ORDERS, "a", "placed", 1),
        written(ORDERS, "b", "placed", 1),
        written(ORDERS, "a", "other", 1),
        written(SHIPMENTS, "a", "placed", 1),
    ];
    let mut digests = BTreeSet::from([given([accepted("a"), accepted("b")]).digest()]);
    for record in records {
        digests.insert(given([accepted("a"), accepted("b"), record]).digest());
    }
    assert_eq!(digests.len(), 5);
    // Written down, so that a change of the scheme is seen: digests of two versions are compared.
    assert_eq!(given(complete("a")).digest(), 0x5B34_5DA3_1996_15F0_6680_D422_9A16_BAD6);
}

#[test]
fn the_digest_does_not_depend_on_the_order_of_arrival_on_redeliveries_or_on_dead_letters() {
    let a = [accepted("a"), placed("a"), shipped("a"), mailed("a")];
    let b = [accepted("b"), placed("b"), cancelled("b")];
    let expected = given([&a[..], &b[..]].concat()).digest();
    let check = |observations: &[&[Observation]]| assert_eq!(given(observations.concat()).digest(), expected);

    check(&[&b, &a]);
    check(&[&a[..1], &b[..1], &[cancelled("b"), mailed("a"), shipped("a"), placed("b"), placed("a")]]);
    check(&[&a, &a[1..], &b, &a[1..], &b[1..]]);
    check(&[&[rejected(7)], &a, &[dead_lettered(7, Some("a"))], &b[..1], &[dead_lettered(8, Some("b"))], &b[1..]]);
}

#[test]
fn an_order_that_closes_tells_when_it_was_accepted_and_does_so_once() {
    let closings = |observations: Vec<Observation>| {
        let mut audit = Audit::new(Parcels, 10);
        let closing = |observation| audit.observe(observation).unwrap();
        observations.into_iter().map(closing).collect::<Vec<_>>()
    };
    let ended = |was_closed| Some(Case::Ended { accepted_us: AT_US, was_closed });
    let given_up = Some(Case::GivenUp);
    assert_eq!(closings([complete("a"), vec![mailed("a")]].concat()), [None, None, None, ended(false), None]);
    let dead = [accepted("a"), dead_lettered(7, Some("a")), dead_lettered(7, Some("a")), placed("a"), cancelled("a")];
    assert_eq!(closings(dead.to_vec()), [None, given_up, None, None, None]);
    let redriven = [accepted("a"), dead_lettered(7, Some("a")), redriven(7), placed("a"), cancelled("a")];
    assert_eq!(closings(redriven.to_vec()), [None, given_up, Some(Case::Reopened), None, ended(false)]);
    let late = [accepted("a"), dead_lettered(7, Some("a")), placed("a"), cancelled("a"), self::redriven(7)];
    assert_eq!(closings(late.to_vec()), [None, given_up, None, None, ended(true)]);
}

#[test]
fn a_redriven_order_must_come_to_its_end_like_any_other() {
    let given_up = || vec![accepted("a"), placed("a"), rejected(7), dead_lettered(7, Some("a"))];
    let lost = Verdict { accepted: 1, lost: 1, examples: vec!["order a: seen placed".into()], ..passed() };
    given([given_up(), vec![redriven(7)]].concat()).then(lost.clone());
    let ended = Verdict { accepted: 1, ended: 1, redelivered: 1, ..passed() };
    let again = || vec![redriven(7), placed("a"), cancelled("a")];
    given([given_up(), again()].concat()).then(ended.clone());
    given([given_up(), again(), vec![redriven(7), dead_lettered(7, Some("a"))]].concat()).then(ended);
    given([given_up(), again(), vec![shipped("a")]].concat()).then(Verdict {
        accepted: 1,
        ended: 1,
        redelivered: 1,
        doubled: 1,
        ..passed()
    });
}

#[test]
fn a_group_that_gave_a_record_up_has_not_handled_it_and_another_may_have() {
    let audit = given([accepted("a"), dead_lettered(7, Some("a")), redriven(7)]);
    let given_up = |group: &str, offset| {
        audit.was_given_up(group, &Record { partition: 2, offset, ..record(ORDERS, b"a", b"placed") })
    };
    assert!(given_up("packer.orders", 7), "what was redriven is another record");
    assert!(!given_up("packer.orders", 9) && !given_up("biller.orders", 7));
    assert!(!given(complete("a")).was_given_up("packer.orders", &record(ORDERS, b"a", b"placed")));
}

#[test]
fn a_redriven_record_that_is_given_up_again_is_another_dead_letter_of_its_order() {
    let dead = Verdict { accepted: 1, dead_lettered: 1, ..passed() };
    let again = [accepted("a"), dead_lettered(7, Some("a")), redriven(7), dead_lettered(9, Some("a"))];
    given(again.clone()).then(dead.clone());
    let ended = Verdict { accepted: 1, ended: 1, ..passed() };
    given([again.to_vec(), vec![redriven(9), placed("a"), cancelled("a")]].concat()).then(ended);
    // What was redriven by one group only is still given up by the other.
    let by_two = [accepted("a"), dead_lettered(7, Some("a")), dead_lettered(8, Some("a")), redriven(8)];
    given(by_two).then(dead);
}

#[test]
fn what_is_redriven_without_a_dead_letter_of_an_order_that_is_known_changes_nothing() {
    given([vec![redriven(7), dead_lettered(8, None), redriven(8)], complete("a")].concat()).then(Verdict {
        accepted: 1,
        ended: 1,
        ..passed()
    });
    given([complete("a"), vec![dead_lettered(7, Some("a")), redriven(7)]].concat()).then(Verdict {
        accepted: 1,
        ended: 1,
        ..passed()
    });
}

#[test]
fn an_order_whose_unreadable_record_was_redriven_has_ended_only_if_that_was_readable_then() {
    let entrance = |offset, content| {
        let entrance = Entrance { place: origin(offset).place(), content, has_dead_letter: false };
        Observation::Entered { order_id: id("a"), entrance }
    };
    let unreadable = [entrance(7, None), entrance(9, None), dead_lettered(7, Some("a")), redriven(7)];
    let dead = Verdict { accepted: 1, dead_lettered: 1, ..passed() };
    given([&unreadable[..], &[dead_lettered(9, Some("a"))]].concat()).then(dead);
    let ended = Verdict { accepted: 1, ended: 1, redelivered: 1, ..passed() };
    let readable = [entrance(7, Some(1)), entrance(9, Some(1)), dead_lettered(7, Some("a")), redriven(7)];
    given([&readable[..], &[placed("a"), placed("a"), cancelled("a")]].concat()).then(ended);
}

#[test]
fn a_redriven_order_beside_another_one_with_its_id_must_come_to_its_end_too() {
    let entrance = |offset, content| {
        let entrance = Entrance { place: origin(offset).place(), content, has_dead_letter: false };
        Observation::Entered { order_id: id("a"), entrance }
    };
    // The order, a broken one with its id, and the order once more: both were given up.
    let entered = [entrance(7, Some(1)), entrance(8, None), entrance(9, Some(1))];
    let given_up = [dead_lettered(7, Some("a")), dead_lettered(8, Some("a")), redriven(7)];
    let begun = [&entered[..], &given_up[..], &[placed("a")]].concat();
    let lost = Verdict { accepted: 1, lost: 1, examples: vec!["order a: seen placed".into()], ..passed() };
    given(begun.clone()).then(lost);
    let ended = Verdict { accepted: 1, ended: 1, ..passed() };
    given([&begun[..], &[cancelled("a")]].concat()).then(ended);
    let dead = Verdict { accepted: 1, dead_lettered: 1, ..passed() };
    given([&begun[..], &[dead_lettered(9, Some("a"))]].concat()).then(dead);
    // Another order with its id that is redriven although the first one goes on: both are handled.
    let twice =
        [entrance(7, Some(1)), entrance(8, Some(2)), entrance(9, Some(2)), dead_lettered(8, Some("a")), redriven(8)];
    let verdict = given([&twice[..], &[placed("a"), cancelled("a")]].concat()).verdict(Drained::Yes);
    assert_eq!((verdict.ended, verdict.doubled), (1, 1), "{verdict}");
}

#[test]
fn a_shared_flow_says_the_same() {
    let mut audit = Audit::new(Arc::new(Parcels), 10);
    for observation in [complete("a"), vec![accepted("b"), placed("b")]].concat() {
        audit.observe(observation).unwrap();
    }
    let expected = given([complete("a"), vec![accepted("b"), placed("b")]].concat()).verdict(Drained::No);
    assert_eq!(audit.verdict(Drained::No), expected);

    let flow = Arc::new(Parcels);
    let event_id = EventId::of(&id("a"), ORDERS.as_str(), "", 1);
    assert!(Written::of(&flow, &record(ORDERS, b"a", b"placed"), event_id).is_some());
    assert_eq!(flow.as_ref().handled("mailer", SHIPMENTS), Flow::handled(&flow, "mailer", SHIPMENTS));
}

#[test]
fn orders_in_flight_are_neither_ended_nor_given_up() {
    let mut audit = given([complete("a"), vec![accepted("b"), accepted("c")]].concat());
    assert_eq!(audit.in_flight(), 2);
    audit.observe(dead_lettered(7, Some("b"))).unwrap();
    assert_eq!(audit.in_flight(), 1);
}

#[test]
fn trouble_is_told_as_it_comes_and_a_record_that_was_given_up_counts_once() {
    let mut audit = given([accepted("a"), placed("a")]);
    let before = audit.trouble();
    assert_eq!(before, Trouble::default());
    for observation in [placed("a"), placed("b"), rejected(7), dead_lettered(7, Some("a")), dead_lettered(7, Some("a"))]
    {
        audit.observe(observation).unwrap();
    }
    let since = Trouble { given_up: 1, redelivered: 1, doubled: 0, unexpected: 1 };
    assert_eq!(audit.trouble() - before, since);
    audit.observe(written(ORDERS, "a", "other", 1)).unwrap();
    assert_eq!(audit.trouble() - since, Trouble { doubled: 1, ..Trouble::default() });
}

#[test]
fn the_tally_counts_orders_by_their_marks_ended_or_not() {
    let dead = vec![accepted("d"), placed("d"), dead_lettered(7, Some("d"))];
    let open = vec![accepted("c"), placed("c")];
    let marks = |marks: &[Mark]| marks.iter().fold(Marks::NONE, |all, &mark| all.with(mark));
    let expected = BTreeMap::from([
        (marks(&[PLACED, SHIPPED, MAILED]), 2),
        (marks(&[PLACED, CANCELLED]), 1),
        (marks(&[PLACED]), 2),
    ]);
    let cancelled = vec![accepted("e"), placed("e"), cancelled("e")];
    let audit = given([complete("a"), complete("b"), open, dead, cancelled].concat());
    assert_eq!(audit.tally(), expected);
}

#[test]
fn beyond_its_limit_of_given_up_records_the_audit_refuses_too() {
    let mut audit = Audit::new(Parcels, 2);
    for observation in [dead_lettered(1, None), dead_lettered(2, None), dead_lettered(2, None)] {
        audit.observe(observation).unwrap();
    }
    assert_eq!(audit.observe(dead_lettered(3, None)), Err(Error::TooManyDeadLetters(2)));
}

#[test]
fn beyond_its_limit_the_audit_refuses_and_says_what_to_do() {
    let mut audit = Audit::new(Parcels, 2);
    for observation in [complete("a"), vec![accepted("b")]].concat() {
        audit.observe(observation).unwrap();
    }
    let error = audit.observe(accepted("c")).unwrap_err();
    assert_eq!(error, Error::TooManyOrders(2));
    let text = "the audit remembers 2 orders at most, about 70 bytes each: split the run";
    assert_eq!(error.to_string(), text);
    assert_eq!(audit.observe(accepted("a")), Ok(None), "an order that it remembers already takes no more room");
    assert_eq!(audit.observe(placed("b")), Ok(None), "the orders it has go on");
    assert_eq!(audit.verdict(Drained::No).accepted, 2);
}

#[test]
fn five_examples_are_shown_those_of_orders_first_and_sorted() {
    let some = given([rejected(8), accepted("c"), rejected(7), accepted("a"), shipped("a")]);
    let expected = [
        "order a: seen shipped",
        "order c: seen nothing",
        "orders-2@7: given up by packer.orders without a dead letter",
        "orders-2@8: given up by packer.orders without a dead letter",
    ];
    assert_eq!(some.verdict(Drained::Yes).examples, expected);

    let many = given(["f", "a", "e", "b", "d", "c"].map(accepted));
    let expected = ["a", "b", "c", "d", "e"].map(|id| format!("order {id}: seen nothing"));
    assert_eq!(many.verdict(Drained::Yes).examples, expected);
}

#[test]
fn a_verdict_reads_as_one_line_and_its_examples() {
    assert_eq!(
        given(complete("a")).verdict(Drained::Yes).to_string(),
        "audit passed: 1 accepted, 1 ended, 0 dead-lettered; 0 lost, 0 doubled, 0 unfinished, 0 unexpected; 0 redelivered"
    );
    let verdict = Verdict {
        accepted: 1,
        ended: 2,
        lost: 3,
        doubled: 4,
        redelivered: 5,
        dead_lettered: 6,
        unfinished: 7,
        unexpected: 8,
        digest: 9,
        examples: vec!["order a: seen placed".into(), "order b: seen nothing".into()],
    };
    assert_eq!(
        verdict.to_string(),
        "audit FAILED: 1 accepted, 2 ended, 6 dead-lettered; 3 lost, 4 doubled, 7 unfinished, 8 unexpected; 5 redelivered\n\
         \x20 order a: seen placed\n\
         \x20 order b: seen nothing"
    );
}

#[test]
fn a_verdict_passes_only_without_any_fault() {
    for fault in [
        Verdict { lost: 1, ..passed() },
        Verdict { doubled: 1, ..passed() },
        Verdict { unfinished: 1, ..passed() },
        Verdict { unexpected: 1, ..passed() },
    ] {
        assert!(!fault.passed(), "{fault}");
    }
    assert!(Verdict { accepted: 1, ended: 1, redelivered: 1, dead_lettered: 1, ..passed() }.passed());
}

#[test]
fn a_record_is_reduced_only_where_its_flow_knows_its_order_and_can_decode_it() {
    let event_id = EventId::of(&id("a"), ORDERS.as_str(), "", 1);
    assert!(Written::of(&Parcels, &record(ORDERS, b"a", b"placed"), event_id).is_some());
    assert!(Written::of(&Parcels, &record(ORDERS, b"", b"placed"), event_id).is_none());
    assert!(Written::of(&Parcels, &record(ORDERS, b"a", b""), event_id).is_none());
    assert!(Written::of(&Parcels, &record(Topic::new("unknown"), b"a", b"placed"), event_id).is_none());
}

#[test]
fn marks_are_the_numbers_0_to_31() {
    let all = (0..32).map(Mark::new).fold(Marks::NONE, Marks::with);
    assert_eq!(all.iter().collect::<Vec<_>>(), (0..32).map(Mark::new).collect::<Vec<_>>());
    assert_eq!(Marks::NONE.iter().next(), None);
    let two = Marks::NONE.with(PLACED).with(MAILED);
    assert!(two.has_all(&[]) && two.has_all(&[PLACED, MAILED]) && !two.has_all(&[PLACED, SHIPPED]));
}

#[test]
#[should_panic(expected = "a mark is a number from 0 to 31")]
fn a_mark_above_31_is_refused() {
    Mark::new(32);
}

const ORDERS: Topic = Topic::new("orders");
const SHIPMENTS: Topic = Topic::new("shipments");
const CANCELLATIONS: Topic = Topic::new("cancellations");

const PLACED: Mark = Mark::new(0);
const SHIPPED: Mark = Mark::new(1);
const CANCELLED: Mark = Mark::new(2);
const MAILED: Mark = Mark::new(3);

/// An order is placed, then either shipped, with a mail that no topic shows, or cancelled.
struct Parcels;

impl Flow for Parcels {
    fn takes_in(&self, topic: Topic) -> bool {
        topic == ORDERS
    }

    fn order_id<'a>(&self, _: Topic, key: Option<&'a [u8]>, _: Option<&'a [u8]>) -> Option<Cow<'a, [u8]>> {
        key.filter(|key| !key.is_empty()).map(Cow::Borrowed)
    }

    fn written(&self, record: &Record<'_>) -> Option<Mark> {
        let mark = match record.topic {
            ORDERS => PLACED,
            SHIPMENTS => SHIPPED,
            CANCELLATIONS => CANCELLED,
            _ => return None,
        };
        record.value.filter(|value| !value.is_empty()).map(|_| mark)
    }

    fn handled(&self, service: &str, _: Topic) -> Option<Mark> {
        (service == "mailer").then_some(MAILED)
    }

    fn stage(&self, marks: Marks) -> Stage {
        if marks.has_all(&[SHIPPED, CANCELLED]) {
            Stage::Contradictory
        } else if marks.has_all(&[PLACED, SHIPPED, MAILED]) || marks.has_all(&[PLACED, CANCELLED]) {
            Stage::Ended
        } else {
            Stage::Open
        }
    }

    fn describe(&self, mark: Mark) -> &'static str {
        let names = [(PLACED, "placed"), (SHIPPED, "shipped"), (CANCELLED, "cancelled"), (MAILED, "mailed")];
        names.into_iter().find(|&(known, _)| known == mark).unwrap().1
    }
}

/// When every order is accepted.
const AT_US: u64 = 5_000;

fn id(order: &str) -> OrderId {
    OrderId::parse(order).unwrap()
}

fn accepted(order: &str) -> Observation {
    Observation::Accepted { order_id: id(order), at_us: AT_US }
}

fn record<'a>(topic: Topic, key: &'a [u8], value: &'a [u8]) -> Record<'a> {
    let (key, value) = (Some(key), Some(value));
    Record { topic, partition: 0, offset: 0, key, value, headers: &NoHeaders, deliveries: None }
}

fn written(topic: Topic, order: &str, value: &str, attempt: u32) -> Observation {
    let event_id = EventId::of(&id(order), topic.as_str(), "", attempt);
    Observation::Written(Written::of(&Parcels, &record(topic, order.as_bytes(), value.as_bytes()), event_id).unwrap())
}

fn placed(order: &str) -> Observation {
    written(ORDERS, order, "placed", 1)
}

fn shipped(order: &str) -> Observation {
    written(SHIPMENTS, order, "shipped", 1)
}

fn cancelled(order: &str) -> Observation {
    written(CANCELLATIONS, order, "cancelled", 1)
}

fn mailed(order: &str) -> Observation {
    let mark = Parcels.handled("mailer", SHIPMENTS).unwrap();
    Observation::Handled { order: OrderKey::of(order.as_bytes()), mark }
}

fn origin(offset: i64) -> Origin {
    Origin { group: "packer.orders".into(), topic: ORDERS, partition: 2, offset }
}

fn rejected(offset: i64) -> Observation {
    Observation::Rejected { origin: origin(offset) }
}

fn dead_lettered(offset: i64, order: Option<&str>) -> Observation {
    Observation::DeadLettered { origin: origin(offset), order: order.map(|order| OrderKey::of(order.as_bytes())) }
}

fn redriven(offset: i64) -> Observation {
    Observation::Redriven { origin: origin(offset) }
}

/// All there is of an order that goes well.
fn complete(order: &str) -> Vec<Observation> {
    vec![accepted(order), placed(order), shipped(order), mailed(order)]
}

/// The verdict on nothing.
fn passed() -> Verdict {
    Audit::new(Parcels, 0).verdict(Drained::Yes)
}

fn given(observations: impl IntoIterator<Item = Observation>) -> Audit<Parcels> {
    let mut audit = Audit::new(Parcels, 10);
    for observation in observations {
        audit.observe(observation).unwrap();
    }
    audit
}

impl Audit<Parcels> {
    /// Everything but the digest, which has its own tests.
    #[track_caller]
    fn then(&self, expected: Verdict) {
        assert_eq!(self.verdict_without_digest(Drained::Yes), expected);
    }

    fn verdict_without_digest(&self, state: Drained) -> Verdict {
        Verdict { digest: 0, ..self.verdict(state) }
    }

    fn digest(&self) -> u128 {
        self.verdict(Drained::Yes).digest
    }
}
