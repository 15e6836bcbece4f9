use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use events::shop::OrderPlaced;
use events::{Event, EventId, Topic};
use kafka_transport::{AuditReader, Connection};
use messaging::audit::{Audit, Drained, Observation, Reading, Verdict};
use messaging::{EVENT_ID, Outcome, Outgoing, RUN, Record};
use shop::ShopFlow;
use topology::Topology;

use crate::from_outside::Stranger;
use crate::run::{DEADLINE, RUN_ID, Run, Shop, orders};
use crate::steps::altered;

const ORDERS: u64 = 50;

/// An audit that hears nothing but what is read.
struct Beside {
    reader: AuditReader,
    observations: Receiver<Vec<Observation>>,
    audit: Audit<ShopFlow>,
}

impl Beside {
    fn start(run: &Run) -> Self {
        let topology = Topology::built_in().unwrap();
        let services = shop::services(&topology).unwrap();
        let reading = Reading::new(Arc::new(ShopFlow), services.iter().map(|(group, _)| group.clone()));
        let topics: Vec<Topic> = run.topics.iter().map(|&(topic, _)| topic).collect();
        let (sender, observations) = sync_channel(1 << 10);
        let connection = Connection::plaintext(&run.brokers);
        let reader = AuditReader::start(&connection, reading, &topics, RUN_ID, sender).unwrap();
        Self { reader, observations, audit: Audit::new(ShopFlow, 1_000) }
    }

    fn accept(&mut self, orders: &[OrderPlaced]) {
        for order in orders {
            self.observe([Observation::Accepted { order_id: order.order_id.clone(), at_us: 0 }]);
        }
    }

    fn observe(&mut self, observations: impl IntoIterator<Item = Observation>) {
        for observation in observations {
            self.audit.observe(observation).unwrap();
        }
    }

    /// Listens until so many orders are on their way.
    #[track_caller]
    fn until_in_flight(&mut self, count: u64) {
        let deadline = Instant::now() + DEADLINE;
        while self.audit.in_flight() != count {
            self.reader.check().unwrap();
            assert!(Instant::now() < deadline, "{}", self.audit.verdict(Drained::No));
            if let Ok(observations) = self.observations.recv_timeout(Duration::from_millis(100)) {
                self.observe(observations);
            }
        }
    }

    /// Stops; answers with what it found, and how many records of the run it read in a topic.
    #[track_caller]
    fn stop(self, topic: Topic) -> (Verdict, u64) {
        let Self { reader, observations, mut audit } = self;
        let records = reader.stop().unwrap();
        for observation in observations.iter().flatten() {
            audit.observe(observation).unwrap();
        }
        (audit.verdict(Drained::Yes), records.into_iter().find(|(known, _)| *known == topic).unwrap().1)
    }
}

#[test]
fn an_audit_that_only_reads_finds_what_the_tap_heard() {
    let mut run = Shop::with_partitions(3).start();
    let mut beside = Beside::start(&run);
    let orders = orders(ORDERS);
    beside.accept(&orders);
    run.take(&orders);
    beside.until_in_flight(0);
    let ended = run.end();
    let heard = ended.verdict();
    let (read, records) = beside.stop(OrderPlaced::TOPIC);
    assert!(heard.passed() && heard == read, "{heard}\n{read}");
    assert_eq!(records, ORDERS);
}

#[test]
fn records_of_other_runs_are_not_its_own_and_those_from_before_its_start_are_not_read() {
    let mut run = Shop::with_partitions(3).start();
    let orders = orders(ORDERS);
    run.take(&orders[..10]);
    run.until("the end of those before", |run| run.audit.in_flight() == 0);
    let mut beside = Beside::start(&run);
    beside.accept(&orders[10..]);
    run.take(&orders[10..]);
    run.pipeline.publish(&[Outgoing::of(&orders[0])], "another-run");
    beside.until_in_flight(0);
    let _ended = run.drain(); // its cluster lives on
    let (read, records) = beside.stop(OrderPlaced::TOPIC);
    assert!(read.passed() && read.redelivered == 0, "{read}");
    assert_eq!((read.ended, records), (ORDERS - 10, ORDERS - 10));
}

#[test]
fn an_order_that_nobody_took_in_is_unexpected() {
    let mut run = Shop::with_partitions(1).start();
    let beside = Beside::start(&run);
    run.publish(&[Outgoing::of(&orders(1)[0])]);
    let _ended = run.drain();
    let (read, _) = beside.stop(OrderPlaced::TOPIC);
    assert!(read.unexpected > 0 && read.accepted == 0, "{read}");
}

#[test]
fn a_record_that_nobody_can_decode_is_found_with_its_dead_letters() {
    let mut run = Shop::with_partitions(1).start();
    let mut beside = Beside::start(&run);
    let orders = orders(2);
    beside.accept(&orders);
    run.take(&orders[..1]);
    let broken = &orders[1];
    let event_id: EventId = broken.event_id();
    let headers = [(EVENT_ID, Some(&event_id.encode()[..])), (RUN, Some(RUN_ID.as_bytes()))];
    Stranger::connect(&run.brokers).write(OrderPlaced::TOPIC, 0, Some(broken.key()), Some(b"{"), &headers);
    beside.until_in_flight(0);
    let _ended = run.drain();
    let (read, _) = beside.stop(OrderPlaced::TOPIC);
    assert!(read.passed(), "{read}");
    assert_eq!((read.ended, read.dead_lettered), (1, 1));
}

#[test]
fn a_record_that_a_group_gave_up_does_not_count_as_handled_by_it_although_it_has_committed() {
    let mut seen = 0;
    let reject_first = move |_: &Record<'_>, outcome| {
        seen += 1;
        if seen == 1 { Outcome::Reject("planted".into()) } else { outcome }
    };
    let mut run =
        Shop::with_partitions(1).stepping("notification_handler.inventory_result", altered(reject_first)).start();
    let mut beside = Beside::start(&run);
    let orders = orders(ORDERS);
    beside.accept(&orders);
    run.take(&orders);
    beside.until_in_flight(0);
    let _ended = run.drain();
    let (read, _) = beside.stop(OrderPlaced::TOPIC);
    assert_eq!((read.ended, read.dead_lettered, read.lost), (ORDERS - 1, 1, 0), "{read}");
}

#[test]
fn orders_of_a_group_that_writes_nothing_and_does_not_commit_have_no_end() {
    let mut run = Shop::with_partitions(1)
        .only([
            "inventory_manager.order_placed",
            "notification_handler.order_shipped",
            "notification_handler.notifications",
            "payment_processor.order_placed",
            "shipping_handler.payment_result",
        ])
        .start();
    let mut beside = Beside::start(&run);
    let orders = orders(ORDERS);
    beside.accept(&orders);
    run.take(&orders);
    run.until("rest", |run| run.pipeline.is_at_rest());
    let _ended = run.drain();
    let (read, _) = beside.stop(OrderPlaced::TOPIC);
    assert_eq!((read.ended, read.lost), (0, ORDERS), "{read}");
    assert!(!read.examples[0].contains("told of the stock"), "{read}");
}
