use std::time::{Duration, Instant};

use events::Topic;
use kafka_transport::{Connection, EmbeddedCluster, Error, GroupOffsets, Span, TopicReader};
use messaging::Header;

use crate::from_outside::Stranger;
use crate::run::{DEADLINE, Shop, orders};

const ONE: Topic = Topic::new("one");
const TWO: Topic = Topic::new("two");

const LIMIT: usize = 5;
const WAIT: Duration = Duration::from_millis(20);

/// A cluster with two topics, of three partitions and of one.
fn cluster() -> (EmbeddedCluster, TopicReader, Stranger) {
    let cluster = EmbeddedCluster::start([(ONE, 3), (TWO, 1)]).unwrap();
    let reader = TopicReader::connect(&Connection::plaintext(&cluster.brokers())).unwrap();
    let stranger = Stranger::connect(&cluster.brokers());
    (cluster, reader, stranger)
}

fn write(stranger: &Stranger, topic: Topic, partition: i32, values: impl IntoIterator<Item = i64>) {
    values
        .into_iter()
        .for_each(|value| stranger.write(topic, partition, None, Some(value.to_string().as_bytes()), &[]));
}

/// Topic, partition, offset and value of a record.
type Seen = (Topic, i32, i64, i64);

/// Reads until so many records were seen or the spans are done, sorted.
#[track_caller]
fn read(reader: &mut TopicReader, count: usize) -> Vec<Seen> {
    let deadline = Instant::now() + DEADLINE;
    let mut seen = Vec::new();
    while !reader.is_done() && seen.len() < count {
        let before = seen.len();
        let number = |value: Option<&[u8]>| std::str::from_utf8(value.unwrap()).unwrap().parse().unwrap();
        let see =
            |record: &messaging::Record<'_>| (record.topic, record.partition, record.offset, number(record.value));
        reader.read(WAIT, LIMIT, |record, _| seen.push(see(record))).unwrap();
        assert!(seen.len() - before <= LIMIT);
        assert!(Instant::now() < deadline, "{} of {count} read: {:?}", seen.len(), reader.rest());
    }
    seen.sort_unstable();
    seen
}

fn span(topic: Topic, partition: i32, from: i64, to: i64) -> Span {
    Span { topic, partition, from, to }
}

#[test]
fn what_stands_in_topics_is_read_once_from_its_beginning_to_its_end() {
    let (_cluster, mut reader, stranger) = cluster();
    write(&stranger, ONE, 0, 0..9);
    write(&stranger, ONE, 2, 0..3);
    write(&stranger, TWO, 0, 0..2);
    let spans = reader.spans([ONE, TWO]).unwrap();
    assert_eq!(spans, [span(ONE, 0, 0, 9), span(ONE, 1, 0, 0), span(ONE, 2, 0, 3), span(TWO, 0, 0, 2)]);
    write(&stranger, ONE, 0, 9..11); // behind the end that was asked for

    reader.begin(&spans).unwrap();
    let expected: Vec<Seen> = [(ONE, 0, 9), (ONE, 2, 3), (TWO, 0, 2)]
        .iter()
        .flat_map(|&(topic, partition, count)| (0..count).map(move |n| (topic, partition, n, n)))
        .collect();
    assert_eq!(read(&mut reader, usize::MAX), expected);
    assert!(reader.rest().iter().all(Span::is_empty), "{:?}", reader.rest());
}

#[test]
fn spans_may_begin_anywhere_and_go_on_and_on() {
    let (_cluster, mut reader, stranger) = cluster();
    write(&stranger, ONE, 1, 0..10);
    reader.begin(&[span(ONE, 1, 4, 7)]).unwrap();
    assert_eq!(read(&mut reader, usize::MAX), [(ONE, 1, 4, 4), (ONE, 1, 5, 5), (ONE, 1, 6, 6)]);

    let onwards: Vec<Span> = reader.spans([ONE]).unwrap().into_iter().map(Span::onwards).collect();
    reader.begin(&onwards).unwrap();
    write(&stranger, ONE, 0, 0..1);
    write(&stranger, ONE, 1, 10..12);
    assert_eq!(read(&mut reader, 3), [(ONE, 0, 0, 0), (ONE, 1, 10, 10), (ONE, 1, 11, 11)]);
    assert!(!reader.is_done());
}

#[test]
fn a_record_is_shown_with_everything_that_was_written() {
    let (_cluster, mut reader, stranger) = cluster();
    let headers: [(&str, Option<&[u8]>); 3] = [("x", Some(b"1")), ("y", None), ("x", Some(b"\xff"))];
    stranger.write(TWO, 0, Some(b"key"), None, &headers);
    let spans = reader.spans([TWO]).unwrap();
    reader.begin(&spans).unwrap();
    let mut seen = Vec::new();
    while !reader.is_done() {
        let see = |record: &messaging::Record<'_>, at_ms: i64| {
            let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
            seen.push((bytes(record.key), bytes(record.value), record.headers.to_list()));
            let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            assert!((since_1970.as_millis() as i64).abs_diff(at_ms) < 60_000, "{at_ms}");
        };
        reader.read(WAIT, LIMIT, see).unwrap();
    }
    let headers: Vec<Header> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), value.map(<[u8]>::to_vec))).collect();
    assert_eq!(seen, [(Some(b"key".to_vec()), None, headers)]);
}

#[test]
fn a_topic_that_is_not_there_is_named() {
    let (_cluster, reader, _) = cluster();
    let error = reader.spans([Topic::new("nowhere")]).unwrap_err();
    assert!(matches!(error, Error::UnknownTopic { topic, .. } if topic.as_str() == "nowhere"), "{error}");
}

#[test]
fn the_offsets_of_a_group_are_those_that_it_has_committed() {
    let mut run = Shop::with_partitions(3).start();
    let connection = Connection::plaintext(&run.brokers);
    let group = GroupOffsets::of(&connection, "payment_processor.order_placed").unwrap();
    let order_placed =
        run.topics.iter().map(|&(topic, _)| topic).find(|topic| topic.as_str() == "order_placed").unwrap();
    assert_eq!(group.committed(order_placed.as_str(), 3).unwrap(), [None; 3]);

    run.take(&orders(50));
    let ended = run.end();
    assert!(ended.drained.is_ok(), "{:?}", ended.drained);
    let ends: Vec<Option<i64>> = TopicReader::connect(&connection)
        .unwrap()
        .spans([order_placed])
        .unwrap()
        .iter()
        .map(|span| Some(span.to).filter(|&end| end > 0))
        .collect();
    assert_eq!(group.committed(order_placed.as_str(), 3).unwrap(), ends);
}
