use events::Topic;
use events::shop::OrderPlaced;
use messaging::{EVENT_ID, Follows, Headers, Outgoing, RUN, Record};
use simulation::broker::{Place, Stored};

use crate::broker::{Broker, Refusal};
use crate::kafka::MAX_MESSAGE_BYTES;
use crate::shop::orders;

pub(super) fn null_empty_and_any_other_bytes_come_back_as_they_were_written(broker: &dyn Broker, topic: Topic) {
    let some = |bytes: &[u8]| Some(bytes.to_vec());
    let header = |name: &str, value: Option<&[u8]>| (name.to_owned(), value.map(<[u8]>::to_vec));
    let headers = vec![
        header("repeated", Some(b"1")),
        header("null", None),
        header("repeated", Some(b"\xff\x00\xfe")),
        header("empty", Some(b"")),
        header("größe", Some("größe".as_bytes())),
        header("repeated", None),
    ];
    let written = [
        Stored::default(),
        Stored { key: some(b""), value: some(b""), headers: Vec::new() },
        Stored { key: some(b"a tombstone"), value: None, headers: headers.clone() },
        Stored { key: None, value: some(b"\xff\x00\xfe"), headers: Vec::new() },
        Stored { key: some(b"\xff\x00\xfe"), value: Some(vec![7; 500_000]), headers },
    ];
    for (record, place) in written.iter().zip(broker.write(topic, &written)) {
        assert_eq!(one(broker, place.unwrap()), *record);
    }
}

pub(super) fn an_event_is_decoded_as_it_was_encoded(broker: &dyn Broker, topic: Topic) {
    let orders = orders(3);
    let written: Vec<Stored> =
        orders.iter().map(|order| Stored::of(&Outgoing::of(order), Follows::run("the-run"))).collect();
    for (order, place) in orders.iter().zip(broker.write(topic, &written)) {
        let place = place.unwrap();
        let Stored { key, value, headers } = one(broker, place);
        let record = Record {
            topic,
            partition: place.partition,
            offset: place.offset,
            key: key.as_deref(),
            value: value.as_deref(),
            headers: &headers,
            deliveries: None,
        };
        assert_eq!(record.decode::<OrderPlaced>().as_ref(), Ok(order));
        assert_eq!(headers.last(EVENT_ID), Some(&Outgoing::of(order).event_id.encode()[..]));
        assert_eq!(headers.last(RUN), Some(&b"the-run"[..]));
    }
}

pub(super) fn a_record_beyond_the_topics_limit_is_refused_and_those_around_it_are_not(
    broker: &dyn Broker,
    topic: Topic,
) {
    let of_size =
        |bytes: usize| Stored { key: Some(b"a key".into()), value: Some(vec![7; bytes]), ..Stored::default() };
    let written = [of_size(1), of_size(MAX_MESSAGE_BYTES as usize + 1), of_size(2)];
    let results = broker.write(topic, &written);
    assert_eq!(results[1], Err(Refusal::TooLarge));
    let partition = results[0].unwrap().partition;
    assert_eq!(broker.read(topic, partition, 0), [of_size(1), of_size(2)]);
}

/// The record at a place.
fn one(broker: &dyn Broker, Place { topic, partition, offset }: Place) -> Stored {
    broker.read(topic, partition, offset).swap_remove(0)
}
