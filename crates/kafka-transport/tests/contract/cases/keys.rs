use std::collections::BTreeMap;

use events::{EventId, Topic};
use kafka_transport::{Membership, Pipeline, Plan};
use messaging::Outgoing;
use simulation::broker::Stored;

use crate::broker::Broker;
use crate::suite::PARTITIONS;

pub(super) fn records_of_a_key_stand_in_one_partition_in_their_order_without_a_gap(broker: &dyn Broker, topic: Topic) {
    const KEYS: usize = 20;
    let written: Vec<Stored> = (0..50 * KEYS)
        .map(|n| Stored {
            key: Some((n % KEYS).to_string().into_bytes()),
            value: Some(n.to_string().into_bytes()),
            headers: Vec::new(),
        })
        .collect();
    let mut logs: BTreeMap<i32, Vec<Stored>> = BTreeMap::new();
    let mut partition_of = BTreeMap::new();
    let places = broker.write(topic, &written);
    for (record, place) in written.into_iter().zip(places) {
        let place = place.unwrap();
        let partition = *partition_of.entry(record.key.clone()).or_insert(place.partition);
        assert_eq!(place.partition, partition, "{record:?}");
        let log = logs.entry(partition).or_default();
        assert_eq!(place.offset, log.len() as i64, "{record:?}");
        log.push(record);
    }
    assert_eq!(logs.len(), PARTITIONS as usize, "twenty keys on three partitions");
    for (partition, log) in logs {
        assert_eq!(broker.read(topic, partition, 0), log);
        assert_eq!(broker.read(topic, partition, 7), log[7..]);
    }
}

/// Keys and their hashes from the tests of Apache Kafka itself (`UtilsTest.testMurmur2`).
const MURMUR2: [(&str, i32); 6] = [
    ("21", -973_932_308),
    ("foobar", -790_332_482),
    ("a-little-bit-long-string", -985_981_536),
    ("a-little-bit-longer-string", -1_486_304_829),
    ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
    ("abc", 479_470_107),
];

pub(super) fn a_key_stands_where_javas_clients_would_put_it(broker: &dyn Broker, topic: Topic) {
    let kafka = broker.as_kafka().unwrap();
    let record = |key: &str| Outgoing {
        topic,
        key: key.into(),
        value: key.into(),
        event_id: EventId::parse(b"00000000-0000-0000-0000-000000000000").unwrap(),
    };
    let pipeline = Pipeline::start(Plan {
        connection: kafka.connection.clone(),
        membership: Membership::Sole,
        pace: kafka.pace,
        topics: vec![(topic, PARTITIONS)],
        groups: Vec::new(),
        tap: None,
        metrics: None,
        traces: None,
    })
    .unwrap();
    pipeline.publish(&MURMUR2.map(|(key, _)| record(key)), "the-run");
    pipeline.drain().unwrap();
    for partition in 0..PARTITIONS {
        let stands = broker.read(topic, partition, 0).into_iter().map(|record| record.key.unwrap());
        let of_java = MURMUR2.iter().filter(|(_, hash)| (hash & i32::MAX) % PARTITIONS == partition);
        let of_java: Vec<Vec<u8>> = of_java.map(|(key, _)| (*key).into()).collect();
        assert_eq!(stands.collect::<Vec<_>>(), of_java, "partition {partition}");
    }
}
