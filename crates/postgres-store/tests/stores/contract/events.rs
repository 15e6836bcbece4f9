use std::thread;

use events::Timestamp;
use messaging::store::{EventStore, StoreError, StoredEvent, Unfinished};

use super::{Stores, due, event, ms, order, stuck};

/// Later than anything that is noted.
const NEVER: Timestamp = Timestamp::BASE;

fn far() -> Timestamp {
    NEVER.plus_ms(1_000_000)
}

fn due_at(store: &dyn EventStore, now: Timestamp) -> Vec<String> {
    store.due(now, far(), 100).unwrap().iter().map(ToString::to_string).collect()
}

pub(crate) fn a_stream_that_has_not_begun_is_empty(Stores { events, .. }: &Stores) {
    assert_eq!(events.load(&order("7f3a")), Ok(vec![]));
    assert_eq!(events.streams(None, 10), Ok(vec![]));
    assert_eq!(events.due(ms(0), far(), 10), Ok(vec![]));
    assert_eq!(events.unfinished(), Ok(Unfinished { all: 0, stuck: 0 }));
}

pub(crate) fn events_come_back_byte_for_byte(Stores { events, .. }: &Stores) {
    let data = [
        "{}",
        r#" { "b" : 1,  "a":2 , "a":3 } "#,
        r#"{"total":1.10,"much":123456789012345678901234567890,"little":1e-400}"#,
        r#"{"note":"Größe 🦀 \u00e9 \u0000 \ud83e\udd80 \/ \" \\ \n"}"#,
        "{\n\t\"lines\": []\n}",
    ];
    let given: Vec<StoredEvent> =
        (0..).zip(data).map(|(n, data)| StoredEvent { data: data.into(), ..event_at(n) }).collect();
    events.append(&order("7f3a"), 0, &given, due(ms(1))).unwrap();
    assert_eq!(events.load(&order("7f3a")), Ok(given));
}

/// Events of every time that there is, to the millisecond.
fn event_at(n: i64) -> StoredEvent {
    let at = |ms: i64| Timestamp::from_ms(ms).unwrap();
    let (at, recorded_at) = match n {
        0 => (at(0), at(253_402_300_799_999)),
        n => (ms(0).plus_ms(n.unsigned_abs()), at(1_789_000_000_001 + n)),
    };
    StoredEvent { at, recorded_at, ..event(&format!("event {n}")) }
}

pub(crate) fn an_append_goes_behind_what_was_seen(Stores { events, .. }: &Stores) {
    let [created, reserved, paid] = ["created", "reserved", "paid"].map(event);
    events.append(&order("7f3a"), 0, std::slice::from_ref(&created), None).unwrap();
    events.append(&order("7f3a"), 1, &[reserved.clone(), paid.clone()], None).unwrap();
    events.append(&order("7f3a"), 3, &[], None).unwrap();
    events.append(&order("8000"), 0, std::slice::from_ref(&paid), None).unwrap();
    assert_eq!(events.load(&order("7f3a")), Ok(vec![created, reserved, paid.clone()]));
    assert_eq!(events.load(&order("8000")), Ok(vec![paid]));
}

pub(crate) fn an_append_behind_more_or_less_than_is_there_is_refused_as_a_whole(Stores { events, .. }: &Stores) {
    let there = ["created", "reserved"].map(event);
    events.append(&order("7f3a"), 0, &there, due(ms(5))).unwrap();
    for version in [0, 1, 3, 100] {
        let append = events.append(&order("7f3a"), version, &["paid", "shipped"].map(event), stuck(ms(7)));
        assert_eq!(append, Err(StoreError::Conflict), "behind {version}");
        let append = events.append(&order("7f3a"), version, &[], None);
        assert_eq!(append, Err(StoreError::Conflict), "nothing, behind {version}");
    }
    assert_eq!(events.load(&order("7f3a")), Ok(there.to_vec()));
    assert_eq!(events.unfinished(), Ok(Unfinished { all: 1, stuck: 0 }));
    assert_eq!(due_at(&**events, ms(5)), ["7f3a"]);
}

pub(crate) fn a_refused_append_begins_no_stream(Stores { events, .. }: &Stores) {
    assert_eq!(events.append(&order("7f3a"), 2, &[event("paid")], due(ms(5))), Err(StoreError::Conflict));
    assert_eq!(events.streams(None, 10), Ok(vec![]));
    assert_eq!(events.unfinished(), Ok(Unfinished { all: 0, stuck: 0 }));
}

pub(crate) fn of_those_who_append_at_once_one_does(Stores { events, .. }: &Stores) {
    for version in 0..20 {
        let append = |n: usize| events.append(&order("7f3a"), version, &[event(&format!("of {n}"))], due(ms(n as u64)));
        let answers: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || append(n))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let winner = answers.iter().position(Result::is_ok).unwrap();
        let others = answers.iter().enumerate().filter(|(n, _)| *n != winner);
        assert!(others.map(|(_, answer)| answer).all(|answer| *answer == Err(StoreError::Conflict)), "{answers:?}");
        let stream = events.load(&order("7f3a")).unwrap();
        assert_eq!(stream.len(), version + 1);
        assert_eq!(stream[version], event(&format!("of {winner}")));
        assert_eq!(events.due(ms(winner as u64), far(), 1), Ok(vec![order("7f3a")]));
    }
}

pub(crate) fn what_is_due_comes_in_order_up_to_the_limit(Stores { events, .. }: &Stores) {
    for (id, at) in [("a", 30), ("c", 10), ("b", 10), ("d", 20), ("e", 31)] {
        events.append(&order(id), 0, &[event("created")], due(ms(at))).unwrap();
    }
    assert_eq!(due_at(&**events, ms(9)), [""; 0]);
    assert_eq!(due_at(&**events, ms(10)), ["b", "c"]);
    assert_eq!(due_at(&**events, ms(30)), ["b", "c", "d", "a"]);
    assert_eq!(events.due(ms(30), far(), 3), Ok(vec![order("b"), order("c"), order("d")]));
    assert_eq!(events.due(ms(30), far(), 0), Ok(vec![]));
}

pub(crate) fn what_is_due_beyond_the_horizon_is_due_too(Stores { events, .. }: &Stores) {
    for (id, at) in [("a", 100), ("b", 101), ("c", 10), ("d", 50)] {
        events.append(&order(id), 0, &[event("created")], due(ms(at))).unwrap();
    }
    assert_eq!(events.due(ms(10), ms(100), 10), Ok(vec![order("c"), order("b")]));
    assert_eq!(events.due(ms(10), ms(100), 1), Ok(vec![order("c")]));
    assert_eq!(events.due(ms(9), ms(101), 10), Ok(vec![]));
}

pub(crate) fn what_has_ended_is_not_due(Stores { events, .. }: &Stores) {
    events.append(&order("7f3a"), 0, &[event("created")], stuck(ms(5))).unwrap();
    events.append(&order("7f3a"), 1, &[event("completed")], None).unwrap();
    assert_eq!(due_at(&**events, ms(5)), [""; 0]);
    assert_eq!(events.unfinished(), Ok(Unfinished { all: 0, stuck: 0 }));
    assert_eq!(events.streams(None, 10), Ok(vec![order("7f3a")]));
}

pub(crate) fn unfinished_streams_are_counted(Stores { events, .. }: &Stores) {
    for (id, standing) in [("a", due(ms(1))), ("b", stuck(ms(2))), ("c", None), ("d", stuck(far()))] {
        events.append(&order(id), 0, &[event("created")], standing).unwrap();
    }
    assert_eq!(events.unfinished(), Ok(Unfinished { all: 3, stuck: 2 }));
    events.append(&order("b"), 1, &[event("paid")], due(ms(3))).unwrap();
    assert_eq!(events.unfinished(), Ok(Unfinished { all: 3, stuck: 1 }));
}

pub(crate) fn a_stream_stands_where_it_was_noted_last(Stores { events, .. }: &Stores) {
    events.append(&order("7f3a"), 0, &["created", "reserved"].map(event), due(ms(5))).unwrap();
    events.restate(&order("7f3a"), 2, stuck(ms(9))).unwrap();
    assert_eq!(events.unfinished(), Ok(Unfinished { all: 1, stuck: 1 }));
    assert_eq!(due_at(&**events, ms(8)), [""; 0]);
    assert_eq!(due_at(&**events, ms(9)), ["7f3a"]);
    events.restate(&order("7f3a"), 2, None).unwrap();
    assert_eq!(events.unfinished(), Ok(Unfinished { all: 0, stuck: 0 }));
    assert_eq!(events.load(&order("7f3a")), Ok(["created", "reserved"].map(event).to_vec()));
}

pub(crate) fn nothing_is_noted_of_a_stream_that_has_grown(Stores { events, .. }: &Stores) {
    events.append(&order("7f3a"), 0, &["created", "reserved"].map(event), due(ms(5))).unwrap();
    for version in [0, 1, 3] {
        assert_eq!(events.restate(&order("7f3a"), version, None), Err(StoreError::Conflict), "of {version} events");
    }
    assert_eq!(due_at(&**events, ms(5)), ["7f3a"]);
}

pub(crate) fn nothing_is_noted_of_a_stream_that_has_not_begun(Stores { events, .. }: &Stores) {
    assert_eq!(events.restate(&order("7f3a"), 1, stuck(ms(5))), Err(StoreError::Conflict));
    assert_eq!(events.restate(&order("7f3a"), 0, stuck(ms(5))), Ok(()));
    assert_eq!(events.unfinished(), Ok(Unfinished { all: 0, stuck: 0 }));
    assert_eq!(events.streams(None, 10), Ok(vec![]));
}

pub(crate) fn streams_are_listed_page_by_page_in_the_order_of_their_ids(Stores { events, .. }: &Stores) {
    // By bytes, unlike any language: capitals before small letters, signs where they stand in ASCII.
    let ids = ["-1", ".", "10", "9", ":", "B", "Z-1", "Z1", "Z_1", "_", "a", "a-b", "aB", "ab"].map(order);
    for id in ids.iter().rev() {
        events.append(id, 0, &[event("created")], None).unwrap();
    }
    let mut listed = Vec::new();
    loop {
        let page = events.streams(listed.last(), 4).unwrap();
        assert!(page.len() <= 4);
        let Some(_) = page.last() else { break };
        listed.extend(page);
    }
    assert_eq!(listed, ids);
    assert_eq!(events.streams(Some(&order("Zz")), 1), Ok(vec![order("_")]));
    assert_eq!(events.streams(None, usize::MAX).map(|all| all.len()), Ok(14));
}
