use std::time::{Duration, Instant};

use events::shop::OrderPlaced;
use events::{Event, Topic};
use kafka_transport::{Connection, EmbeddedCluster, Error, Writer};
use messaging::{DeadLetter, EVENT_ID, Follows, Origin, Outgoing, RUN};

use crate::from_outside::read;
use crate::run::orders;

const LETTERS: Topic = Topic::new("payment_processor.order_placed.dead_letter");
const TOPICS: [(Topic, i32); 2] = [(OrderPlaced::TOPIC, 3), (LETTERS, 1)];

fn placed(count: u64) -> Vec<Outgoing> {
    orders(count).iter().map(Outgoing::of).collect()
}

fn letter(value: Vec<u8>) -> DeadLetter {
    let origin = Origin { group: "g".into(), topic: OrderPlaced::TOPIC, partition: 1, offset: 7 };
    let headers = vec![("null".to_owned(), None), ("why".to_owned(), Some(b"broken".to_vec()))];
    DeadLetter { topic: LETTERS, key: None, value: Some(value), headers, origin }
}

/// A writer to brokers that are somewhere, or nowhere.
fn writer(brokers: &str, write_deadline: Duration) -> Writer {
    Writer::new(&Connection::plaintext(brokers), &TOPICS, write_deadline).unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(8)
}

#[test]
fn what_a_batch_wrote_stands_in_its_topics_once_the_batch_is_confirmed() {
    let cluster = EmbeddedCluster::start(TOPICS).unwrap();
    let writer = writer(&cluster.brokers(), Duration::from_secs(5));
    writer.connect(Duration::from_secs(5)).unwrap();
    let orders = placed(100);
    writer.open(0);
    writer.open(1);
    orders.iter().for_each(|order| writer.publish(0, order, Follows::run("the-run")));
    writer.dead_letter(1, &letter(b"\xff".to_vec()));
    writer.confirm(0, soon()).unwrap();
    writer.confirm(1, soon()).unwrap();

    let mut stored = read(&cluster.brokers(), OrderPlaced::TOPIC, 3);
    assert_eq!(stored.len(), orders.len());
    stored.retain(|record| record.value.as_ref() == Some(&orders[42].value));
    let event_id = orders[42].event_id.encode().to_vec();
    let headers = [(EVENT_ID.to_owned(), Some(event_id)), (RUN.to_owned(), Some(b"the-run".to_vec()))];
    assert_eq!(stored[0].headers, headers);
    let [stored] = &read(&cluster.brokers(), LETTERS, 1)[..] else { panic!("not one dead letter") };
    assert_eq!(
        (&stored.key, &stored.value, &stored.headers),
        (&None, &Some(b"\xff".to_vec()), &letter(vec![]).headers)
    );
}

#[test]
fn a_slot_serves_one_batch_after_the_other_and_a_failed_one_does_not_taint_the_next() {
    let cluster = EmbeddedCluster::start(TOPICS).unwrap();
    let writer = writer(&cluster.brokers(), Duration::from_secs(5));
    let strange = Topic::new("strange");
    for (topic, is_known) in [(strange, false), (LETTERS, true)] {
        writer.open(0);
        writer.dead_letter(0, &DeadLetter { topic, ..letter(vec![b'x'; 10]) });
        match writer.confirm(0, soon()) {
            Ok(()) => assert!(is_known),
            Err(Error::UnknownTopic { topic, .. }) => assert!(!is_known && topic == strange),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(read(&cluster.brokers(), LETTERS, 1).len(), 1);
}

#[test]
fn reports_of_a_batch_that_was_abandoned_do_not_count_for_the_next_one_in_its_slot() {
    let writer = writer("127.0.0.1:1", Duration::from_secs(60));
    writer.open(0);
    placed(10).iter().for_each(|order| writer.publish(0, order, Follows::NOTHING));
    writer.open(0);
    writer.open(1);
    placed(1).iter().for_each(|order| writer.publish(1, order, Follows::NOTHING));
    // With it the ten are given up as well.
    writer.confirm(1, Instant::now()).unwrap_err();
    writer.confirm(0, soon()).unwrap();
}

#[test]
fn a_batch_without_writes_is_confirmed_at_once() {
    let writer = writer("127.0.0.1:1", Duration::from_secs(5));
    writer.open(0);
    writer.confirm(0, Instant::now()).unwrap();
}

#[test]
fn a_write_that_nobody_confirms_fails_at_its_own_deadline() {
    let writer = writer("127.0.0.1:1", Duration::from_millis(1_000));
    writer.open(0);
    writer.publish(0, &placed(1)[0], Follows::NOTHING);
    let error = writer.confirm(0, soon()).unwrap_err();
    assert!(matches!(error, Error::NotConfirmed { deadline_s: 1, .. }), "{error}");
}

#[test]
fn at_the_batchs_deadline_nothing_is_under_way_any_more() {
    let writer = writer("127.0.0.1:1", Duration::from_secs(60));
    let started = Instant::now();
    for slot in [0, 1] {
        writer.open(slot);
        placed(10).iter().for_each(|order| writer.publish(slot, order, Follows::NOTHING));
    }
    for slot in [0, 1] {
        let error = writer.confirm(slot, started + Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("Purged in queue"), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(5));
}
