//! The operator's seat: a fault is seen, removed, and what it did is undone.

use std::collections::BTreeMap;
use std::time::Instant;

use events::shop::OrderPlaced;
use events::{Event, Timestamp, Topic};
use kafka_cluster::{Cluster, Options};
use kafka_transport::{Admin, TopicReader, TopicShape, Writer};
use messaging::{Header, Outgoing, Verbatim};
use serde_json::Value;
use shop::order_generator::generate_order_event;

use crate::call::Ended;
use crate::worker::Worker;
use crate::{PATIENCE, on, start, until, write_orders};

const ORDERS: u64 = 1_000;
/// Orders that nobody can read, the first of them.
const CORRUPT: u64 = 2;

fn dead_letters(cluster: &Cluster, arguments: &str) -> Ended {
    on(cluster, &format!("dead-letters {arguments}")).end()
}

fn listed(cluster: &Cluster, filter: &str) -> u64 {
    let listed = dead_letters(cluster, &format!("list --format json {filter}")).with_status(0).document();
    listed["count"].as_u64().unwrap()
}

/// Redrives or discards; answers with how many, and with the log's line of each.
fn settled(cluster: &Cluster, arguments: &str, status: i32) -> (u64, Vec<Value>) {
    let ended = dead_letters(cluster, &format!("{arguments} --format json")).with_status(status);
    let lines = ended.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (ended.document()["count"].as_u64().unwrap(), lines)
}

/// What the audit counts once all groups are at their ends: ended and dead-lettered orders. It passes.
fn audited(cluster: &Cluster) -> (u64, u64) {
    let audited = on(cluster, "audit --run written --format json").end().with_status(0).document();
    assert_eq!(audited["audit"]["passed"], true, "{audited}");
    let dead_lettered = audited["audit"]["dead_lettered"].as_u64().unwrap();
    (audited["orders"]["accepted"].as_u64().unwrap() - dead_lettered, dead_lettered)
}

#[test]
fn orders_that_a_fault_gave_up_come_to_their_end_once_it_is_removed_and_corrupt_ones_stay_given_up() {
    let cluster = start(&Options::kraft());
    on(&cluster, "topics create").end().with_status(0);
    let others = Worker::start(on(&cluster, "work inventory_manager shipping_handler notification_handler"));
    let faulty = Worker::start(on(&cluster, "work payment_processor --reject 1%"));
    let mut orders: Vec<Outgoing> =
        (0..ORDERS).map(|n| Outgoing::of(&generate_order_event(7, Timestamp::BASE, n))).collect();
    for order in orders.iter_mut().take(CORRUPT as usize) {
        order.value.truncate(order.value.len() / 2);
    }
    write_orders(&cluster, &orders);

    // The fault is seen.
    until("all orders have ended or were given up", || {
        on(&cluster, "audit --run written --wait 1s").end().status == Some(0)
    });
    let planted = listed(&cluster, "--service payment_processor --reason fault:");
    assert!((2..40).contains(&planted), "{planted} of {ORDERS} at 1 %");
    assert_eq!(listed(&cluster, ""), planted + 2 * CORRUPT, "two groups read the orders that nobody can read");
    assert_eq!(audited(&cluster), (ORDERS - planted - CORRUPT, planted + CORRUPT));
    let told = dead_letters(&cluster, "list").with_status(0).stdout;
    assert!(told.contains(&format!("{planted:>12}  payment_processor  fault\n")), "{told}");

    // It is removed, and what it did is undone.
    faulty.terminate().with_status(0);
    let mended = Worker::start(on(&cluster, "work payment_processor"));
    assert_eq!(
        settled(&cluster, "redrive --reason fault: --dry-run", 0),
        (planted, vec![]),
        "a dry run writes nothing"
    );
    let (redriven, log) = settled(&cluster, "redrive --reason fault:", 0);
    assert_eq!((redriven, log.len() as u64), (planted, planted), "each has its line in the log");
    for line in &log {
        assert_eq!((&line["status"], &line["service"]), (&"redriven".into(), &"payment_processor".into()), "{line}");
    }
    assert_eq!(settled(&cluster, "redrive --reason fault:", 0).0, 0, "none is redriven twice");
    assert_eq!(audited(&cluster), (ORDERS - CORRUPT, CORRUPT));
    let order_id = log[0]["order_id"].as_str().unwrap();
    its_way_is_told(&cluster, order_id);
    each_stands_again_as_it_was(&cluster, planted);

    // What cannot be repaired goes round twice at most, and is done with.
    until("the corrupt ones came back once", || settled(&cluster, "redrive", 0).0 == 2 * CORRUPT);
    until("they came back twice", || settled(&cluster, "redrive --dry-run", 0).0 == 2 * CORRUPT);
    assert_eq!(settled(&cluster, "redrive", 0).0, 2 * CORRUPT, "two groups, and each record stands once more");
    until("they are held back", || settled(&cluster, "redrive", 3).0 == 0);
    assert_eq!(audited(&cluster), (ORDERS - CORRUPT, CORRUPT));
    assert!(dead_letters(&cluster, "discard").with_status(2).stderr.contains("say --yes"));
    settled(&cluster, "discard --yes", 0);
    assert_eq!(listed(&cluster, ""), 0);
    assert!(listed(&cluster, "--all") > planted + 2 * CORRUPT);
    assert_eq!(audited(&cluster), (ORDERS - CORRUPT, CORRUPT), "corrupt orders stay given up");
    others.terminate().with_status(0);
    mended.terminate().with_status(0);
}

fn its_way_is_told(cluster: &Cluster, order_id: &str) {
    let way = on(cluster, &format!("trace {order_id} --format json")).end().with_status(0).document();
    let records = way["records"].as_array().unwrap();
    let count = |is: &dyn Fn(&Value) -> bool| records.iter().filter(|record| is(record)).count();
    assert_eq!(way["end"], "ended", "{way:#}");
    assert_eq!(count(&|record| record["fate"] == "redriven"), 1, "{way:#}");
    assert_eq!(count(&|record| record["topic"] == "order_placed"), 2, "{way:#}");
    let told = on(cluster, &format!("trace {order_id}")).end().with_status(0).stdout;
    assert!(told.contains("(redriven: it stands at "), "{told}");
}

/// Key, bytes and headers of each order that stands twice, but for the header that counts.
fn each_stands_again_as_it_was(cluster: &Cluster, planted: u64) {
    let mut reader = TopicReader::connect(&cluster.connection()).unwrap();
    let spans = reader.spans([OrderPlaced::TOPIC]).unwrap();
    let mut seen = BTreeMap::new();
    let mut again = 0;
    reader
        .read_all(&spans, |record, _| {
            let mut headers = record.headers.to_list();
            let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
            if let Some(first) = seen.get(&key) {
                assert_eq!(headers.pop(), Some(("dead_letter-redrives".to_owned(), Some(b"1".to_vec()))));
                assert_eq!(&(record.partition, value, headers), first);
                again += 1;
            } else {
                seen.insert(key, (record.partition, value, headers));
            }
            Ok::<(), kafka_transport::Error>(())
        })
        .unwrap();
    assert_eq!(again, planted);
}

const LETTERS: Topic = Topic::new("payment_processor.order_placed.dead_letter");

/// Four dead letters: two of the same place, where another record stood once its topic was made anew; one that somebody wrote who knows nothing of
/// ours; and one that poses as what became of the first.
fn write_letters(cluster: &Cluster) {
    let order = Outgoing::of(&generate_order_event(7, Timestamp::BASE, 0));
    let headers = [
        ("kafka_dlt-exception-message", "total: found -5"),
        ("kafka_dlt-original-consumer-group", "payment_processor.order_placed"),
        ("kafka_dlt-original-topic", "order_placed"),
        ("kafka_dlt-original-partition", "99"),
        ("kafka_dlt-original-offset", "4711"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec())));
    let posing = [("dead_letter-fate", "redriven"), ("dead_letter-settles", "0")];
    let posing = posing.map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec())));
    let letter = |headers: &[Header], order: &Outgoing| Verbatim {
        topic: LETTERS,
        partition: None,
        key: Some(order.key.clone()),
        value: Some(order.value.clone()),
        headers: headers.to_vec(),
    };
    let other = Outgoing::of(&generate_order_event(7, Timestamp::BASE, 1));
    let writer = Writer::steady(&cluster.connection(), &[(LETTERS, 1)]).unwrap();
    writer.open(0);
    for letter in [letter(&headers, &order), letter(&headers, &other), letter(&[], &order), letter(&posing, &order)] {
        writer.verbatim(0, &letter);
    }
    writer.confirm(0, Instant::now() + PATIENCE).unwrap();
}

#[test]
fn what_cannot_be_redriven_is_told_and_stays_as_it_is() {
    let cluster = start(&Options::kraft());
    let shape = TopicShape { partitions: 1, replication: 1, retention_ms: 3_600_000, max_message_bytes: 1_048_588 };
    Admin::connect(&cluster.connection()).unwrap().create(&[(LETTERS.as_str(), shape)]).unwrap();
    write_letters(&cluster);

    let refused = dead_letters(&cluster, "redrive").with_status(1);
    assert!(refused.stderr.contains("topic order_placed is not there"), "{}", refused.stderr);
    assert_eq!(listed(&cluster, ""), 4, "they stay open");

    on(&cluster, "topics create").end().with_status(0);
    let redriven = dead_letters(&cluster, "redrive --rate 1 --format json").with_status(3).document();
    assert_eq!(
        (&redriven["count"], &redriven["records"]),
        (&2.into(), &2.into()),
        "their keys decide where: {redriven}"
    );
    let told = dead_letters(&cluster, "redrive").with_status(3).stdout;
    assert!(told.contains("2 held back: their headers do not say of which record"), "{told}");
    assert_eq!(settled(&cluster, "discard --yes", 0).0, 2);
    assert_eq!(listed(&cluster, ""), 0);
    dead_letters(&cluster, "redrive --service nobody").with_status(2);
    dead_letters(&cluster, "redrive --rate 0").with_status(2);
}
