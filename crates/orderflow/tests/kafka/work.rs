use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use events::shop::OrderPlaced;
use events::{Event, Timestamp, Topic};
use kafka_cluster::{Cluster, Node, Options};
use kafka_transport::{Admin, GroupOffsets};
use messaging::Outgoing;
use nix::sys::signal::Signal;
use shop::order_generator::generate_order_event;
use tempfile::TempDir;

use crate::worker::{Worker, told};
use crate::{on, start, until, write_orders};

const LISTEN: &str = "--listen 127.0.0.1:0";

/// A cluster of one broker with our topics.
fn with_topics() -> (Cluster, Admin) {
    let cluster = start(&Options::kraft());
    on(&cluster, "topics create").end().with_status(0);
    let admin = Admin::connect(&cluster.connection()).unwrap();
    (cluster, admin)
}

fn publish(cluster: &Cluster, orders: u64) {
    on(cluster, &format!("work order_generator --orders {orders} --rate 3000 --seed 7")).end().with_status(0);
}

/// Publishes records that are no orders.
fn publish_garbage(cluster: &Cluster, records: usize) {
    let order = Outgoing::of(&generate_order_event(7, Timestamp::BASE, 0));
    write_orders(cluster, &vec![Outgoing { value: b"[42]".to_vec(), ..order }; records]);
}

/// How many records a topic of three partitions holds.
fn records(admin: &Admin, topic: Topic) -> i64 {
    admin.offsets(topic.as_str(), 3).unwrap().into_iter().map(|log| log.end - log.start).sum()
}

/// The value of a metric of the payment processor with these further labels; `None` where there is none.
fn metric(metrics: &str, name: &str, labels: &str) -> Option<f64> {
    let series = format!("orderflow_{name}{{service=\"payment_processor\",topic=\"order_placed\"{labels}}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&series)).map(|value| value.parse().unwrap())
}

/// How many records became what.
fn counts(metrics: &str) -> [f64; 4] {
    let count = |status| metric(metrics, "records_total", &format!(",status=\"{status}\"")).unwrap();
    ["handled", "retried", "failed", "dead_lettered"].map(count)
}

/// How far it is behind on all partitions together; `None` until it has stated it of each.
fn lag(metrics: &str) -> Option<f64> {
    (0..3).map(|partition| metric(metrics, "lag_records", &format!(",partition=\"{partition}\""))).sum()
}

#[test]
fn health_and_metrics_say_how_a_worker_is_and_what_it_did() {
    let (cluster, admin) = with_topics();
    // Nothing answers it until it thaws.
    cluster.freeze(Node::Broker(1)).unwrap();
    let worker = Worker::start(on(&cluster, &format!("work payment_processor {LISTEN}")));
    assert_eq!(worker.get("/health/live"), (200, "live\n".into()));
    assert_eq!(worker.get("/health/ready").0, 503);
    cluster.thaw(Node::Broker(1)).unwrap();
    worker.await_told("ready");
    assert_eq!(worker.get("/health/ready"), (200, "ready\n".into()));
    assert_eq!(worker.get("/health/live"), (200, "live\n".into()));
    let there_are =
        "there are /, /api/live, /api/orders, /api/dead-letters, /health/live, /health/ready and /metrics\n";
    for path in ["/health", "/metrics/", "/metric"] {
        assert_eq!(worker.get(path), (404, there_are.into()), "{path}");
    }

    let metrics = || match worker.get("/metrics") {
        (200, metrics) => metrics,
        refused => panic!("{refused:?}"),
    };
    publish(&cluster, 500);
    publish_garbage(&cluster, 3);
    until("all is handled", || counts(&metrics()) == [500.0, 0.0, 0.0, 3.0]);
    until("nothing is behind", || lag(&metrics()) == Some(0.0));
    let text = metrics();
    assert_eq!(counts(&text), [500.0, 0.0, 0.0, 3.0]);
    assert_eq!((metric(&text, "breaker_state", ""), metric(&text, "open_batches", "")), (Some(0.0), Some(0.0)));
    let batches = metric(&text, "batch_seconds_count", "").unwrap();
    assert!((1.0..=503.0).contains(&batches), "{text}");
    assert!(metric(&text, "batch_seconds_sum", "").unwrap() > 0.0, "{text}");
    let all = format!(
        "\norderflow_batch_seconds_bucket{{le=\"+Inf\",service=\"payment_processor\",topic=\"order_placed\"}} {batches}\n"
    );
    assert!(text.contains(&all), "{text}");

    // What follows from an order is refused, so nothing is done with.
    let shape = admin.describe(&["payment_result"]).unwrap()["payment_result"];
    admin.alter("payment_result", shape.retention_ms, 10).unwrap();
    publish(&cluster, 60);
    until("it waits after a failure", || metric(&metrics(), "breaker_state", "") == Some(1.0));
    until("all of them are behind", || lag(&metrics()) == Some(60.0));
    let [_, retried, failed, dead_lettered] = counts(&metrics());
    assert_eq!((retried, dead_lettered, failed > 0.0), (0.0, 3.0, true), "{failed}");

    admin.alter("payment_result", shape.retention_ms, shape.max_message_bytes).unwrap();
    until("nothing is behind any more", || lag(&metrics()) == Some(0.0));
    until("the breaker is closed", || metric(&metrics(), "breaker_state", "") == Some(0.0));
    let [handled, _, failed, _] = counts(&metrics());
    assert_eq!(handled, 560.0 + failed);

    // Its group waits for its leave to be confirmed.
    cluster.freeze(Node::Broker(1)).unwrap();
    worker.send(Signal::SIGTERM);
    worker.await_told("stopping");
    until("it is not ready any more", || worker.get("/health/ready").0 == 503);
    assert_eq!(worker.get("/health/live"), (200, "live\n".into()));
    cluster.thaw(Node::Broker(1)).unwrap();
    worker.end().with_status(0);
}

#[test]
fn a_worker_that_never_got_past_its_first_record_says_how_far_it_is_behind() {
    let (cluster, admin) = with_topics();
    let shape = admin.describe(&["payment_result"]).unwrap()["payment_result"];
    admin.alter("payment_result", shape.retention_ms, 10).unwrap();
    publish(&cluster, 60);
    let worker = Worker::start(on(&cluster, &format!("work payment_processor {LISTEN}")));
    until("all of them are behind", || lag(&worker.get("/metrics").1) == Some(60.0));
    worker.terminate().with_status(0);
}

#[test]
fn a_worker_that_is_told_to_stop_commits_what_it_did_and_the_next_one_goes_on_there() {
    let (cluster, admin) = with_topics();
    // Orders come all the while: it is stopped amid them, however fast it is.
    let source = Worker::start(on(&cluster, "work order_generator --rate 300 --seed 7"));
    let rest = Worker::start(on(&cluster, "work inventory_manager shipping_handler notification_handler"));
    let first = Worker::start(on(&cluster, &format!("work payment_processor {LISTEN}")));
    let payments = Topic::new("payment_result");
    until("100 orders are paid", || records(&admin, payments) >= 100);
    let ended = first.terminate().with_status(0);

    let expected = ["listening", "started", "ready", "stopping", "stopped"];
    let lines = told(&ended.stderr);
    let statuses: Vec<&str> = lines.iter().map(|line| line["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, expected, "{}", ended.stderr);
    for line in lines {
        assert_eq!((&line["service"], &line["level"]), (&"payment_processor".into(), &"INFO".into()), "{line}");
    }

    // What it wrote is what it committed.
    let paid = records(&admin, payments);
    let offsets = GroupOffsets::of(&cluster.connection(), "payment_processor.order_placed").unwrap();
    let committed: i64 = offsets.committed("order_placed", 3).unwrap().into_iter().flatten().sum();
    assert_eq!(committed, paid);
    until("orders have come meanwhile", || records(&admin, OrderPlaced::TOPIC) > paid);

    let second = Worker::start(on(&cluster, "work payment_processor"));
    until("it goes on", || records(&admin, payments) >= paid + 100);
    source.terminate().with_status(0);
    let audit = on(&cluster, "audit --no-redeliveries --format json").end().with_status(0).document();
    assert_eq!(audit["orders"]["accepted"], records(&admin, OrderPlaced::TOPIC));
    assert_eq!(audit["audit"]["redelivered"], 0);
    for worker in [second, rest] {
        worker.terminate().with_status(0);
    }
}

#[test]
fn systemd_hears_of_a_worker_once_its_groups_have_their_places_and_when_it_stops() {
    let (cluster, _) = with_topics();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    let heard = |within: Option<Duration>| {
        systemd.set_nonblocking(within.is_none()).unwrap();
        systemd.set_read_timeout(within).unwrap();
        let mut bytes = [0; 4096];
        match systemd.recv(&mut bytes) {
            Ok(length) => Some(String::from_utf8(bytes[..length].to_vec()).unwrap()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    };
    // While one of its members is silent, a group gives nobody a place: six seconds, then it is given up.
    let silent = Worker::start(on(&cluster, "work payment_processor"));
    silent.await_told("ready");
    silent.send(Signal::SIGSTOP);
    let call = on(&cluster, &format!("work payment_processor {LISTEN}"));
    let worker = Worker::start(call.env("NOTIFY_SOCKET", path.to_str().unwrap()));
    worker.await_told("started");
    assert_eq!((worker.get("/health/ready").0, heard(None)), (503, None));
    silent.send(Signal::SIGCONT);
    assert_eq!(heard(Some(Duration::from_secs(30))).as_deref(), Some("READY=1\n"));
    assert_eq!(worker.get("/health/ready").0, 200);
    assert_eq!(heard(None), None);

    let ended = worker.terminate().with_status(0);
    assert_eq!(heard(None).as_deref(), Some("STOPPING=1\n"), "{}", ended.stderr);
    assert_eq!(heard(None), None);
    silent.terminate().with_status(0);
}
