use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use events::shop::{OrderPlaced, PaymentResult};
use events::{Event, Topic};
use kafka_transport::Error;
use messaging::Outgoing;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::from_outside::ends;
use crate::run::{Shop, orders};
use crate::steps::{Gate, gated};

const ORDERS: u64 = 200;
const GROUP: &str = "payment_processor.order_placed";

pub(crate) type Cluster = MockCluster<'static, DefaultProducerContext>;

/// A cluster whose broker can be told to misbehave.
pub(crate) fn cluster(topics: &[(Topic, i32)]) -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    told(&cluster, |cluster| {
        for &(topic, partitions) in topics {
            cluster.create_topic(topic.as_str(), partitions, 1).unwrap();
        }
    });
    cluster
}

/// Tells a cluster something. Who connects to it wakes it: else it may sleep over a command for a second.
pub(crate) fn told(cluster: &Cluster, tell: impl FnOnce(&Cluster)) {
    let (brokers, is_told) = (cluster.bootstrap_servers(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_told.load(Ordering::Acquire) {
                let _ = TcpStream::connect(&brokers);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        tell(cluster);
        is_told.store(true, Ordering::Release);
    });
}

/// Orders through a cluster at which requests of one kind fail a few times, from when the orders are on their way.
#[track_caller]
fn check(kind: RDKafkaApiKey, errors: &[RDKafkaRespErr]) {
    let shop = Shop::with_partitions(3);
    let cluster = cluster(&shop.topics);
    let mut run = shop.start_on(&cluster.bootstrap_servers());
    run.take(&orders(ORDERS)[..100]);
    told(&cluster, |cluster| cluster.request_errors(kind, errors));
    run.take(&orders(ORDERS)[100..]);
    let ended = run.end();
    let verdict = ended.verdict();
    assert!(verdict.passed(), "{verdict}");
    assert_eq!((verdict.ended, verdict.redelivered), (ORDERS, 0));
    assert_eq!(ended.records(PaymentResult::TOPIC), ORDERS);
}

#[test]
fn writes_refused_for_now_are_written_later_and_once() {
    use RDKafkaRespErr::{
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS as TOO_FEW, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION as MOVED,
    };
    check(RDKafkaApiKey::Produce, &[TOO_FEW, TOO_FEW, TOO_FEW, MOVED]);
}

#[test]
fn fetches_that_fail_for_now_lose_nothing() {
    use RDKafkaRespErr::{
        RD_KAFKA_RESP_ERR__TRANSPORT as CUT, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION as MOVED,
        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART as UNKNOWN,
    };
    check(RDKafkaApiKey::Fetch, &[MOVED, UNKNOWN, MOVED, CUT, CUT]);
}

#[test]
fn commits_that_fail_for_now_are_made_later() {
    use RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS as LOADING;
    check(RDKafkaApiKey::OffsetCommit, &[LOADING, LOADING]);
}

/// Never to be mended by asking again: librdkafka gives up at once.
const REFUSED: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;

#[test]
fn a_batch_of_a_group_that_the_broker_refuses_comes_again_and_nothing_is_lost() {
    let gate = Gate::closed();
    let shop = Shop::with_partitions(1).stepping(GROUP, gated(&gate));
    let cluster = cluster(&shop.topics);
    let mut run = shop.start_on(&cluster.bootstrap_servers());
    run.take(&orders(ORDERS));
    gate.wait_for_arrival();
    // Once the other groups have nothing to write any more, the refusals hit this one.
    run.until("the stock's answers", |run| run.pipeline.handled() == 2 * ORDERS);
    run.until("the orders to stand", |run| ends(&run.brokers, OrderPlaced::TOPIC, 1) == [ORDERS as i64]);
    told(&cluster, |cluster| cluster.request_errors(RDKafkaApiKey::Produce, &[REFUSED, REFUSED]));
    gate.open();
    let ended = run.end();
    assert!(ended.verdict().passed(), "{}", ended.verdict());
    assert_eq!(ended.verdict().ended, ORDERS);
    assert!(ended.records(PaymentResult::TOPIC) >= ORDERS);
    // Answered once more: that is how it came again.
    assert_eq!(ended.verdict().dead_lettered, 0);
}

#[test]
fn an_order_that_the_broker_refuses_ends_the_pipeline_and_its_drain_says_so_too() {
    for looks_before in [true, false] {
        let shop = Shop::with_partitions(1);
        let cluster = cluster(&shop.topics);
        let mut run = shop.start_on(&cluster.bootstrap_servers());
        told(&cluster, |cluster| cluster.request_errors(RDKafkaApiKey::Produce, &[REFUSED]));
        run.publish(&[Outgoing::of(&orders(1)[0])]);
        let error = if looks_before { run.until_it_fails() } else { run.drain().drained.unwrap_err() };
        let Error::NotWritten(reason) = &error else { panic!("{error}") };
        assert!(reason.to_string().contains("WRITE topic order_placed: "), "{reason}");
    }
}

#[test]
fn a_broker_that_is_away_for_half_a_second_costs_repeats_at_most() {
    let shop = Shop::with_partitions(3);
    let cluster = cluster(&shop.topics);
    let mut run = shop.start_on(&cluster.bootstrap_servers());
    run.take(&orders(ORDERS)[..100]);
    told(&cluster, |cluster| cluster.broker_down(-1).unwrap());
    run.take(&orders(ORDERS)[100..]);
    std::thread::sleep(Duration::from_millis(500));
    cluster.broker_up(-1).unwrap();
    let ended = run.end();
    let verdict = ended.verdict();
    assert!(verdict.passed(), "{verdict}");
    assert_eq!(verdict.ended, ORDERS);
    // A write whose confirmation was cut off is repeated by librdkafka: the log then ends further on than was confirmed.
    match ended.drained {
        Ok(_) => {}
        Err(Error::Watermark { confirmed, high_watermark, .. }) => assert!(high_watermark > confirmed as i64),
        Err(error) => panic!("{error}"),
    }
}
