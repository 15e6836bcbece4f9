use std::fs::File;
use std::io::Write;

use kafka_cluster::{Cluster, Options};
use kafka_transport::{Admin, GroupOffsets};
use nix::pty::openpty;

use crate::call::TOPOLOGY;
use crate::worker::Worker;
use crate::{on, start, until};

/// How many records a topic of three partitions holds.
fn records(admin: &Admin, topic: &str) -> i64 {
    admin.offsets(topic, 3).unwrap().into_iter().map(|log| log.end - log.start).sum()
}

/// How many records of `order_placed` that are there the payment processor's group is done with; `None` where it has no offsets.
fn committed(cluster: &Cluster, admin: &Admin) -> Option<i64> {
    let offsets = GroupOffsets::of(&cluster.connection(), "payment_processor.order_placed").unwrap();
    let (committed, logs) = (offsets.committed("order_placed", 3).unwrap(), admin.offsets("order_placed", 3).unwrap());
    committed.into_iter().zip(logs).filter_map(|(offset, log)| Some(offset? - log.start)).reduce(|a, b| a + b)
}

fn publish(cluster: &Cluster, orders: u32) {
    on(cluster, &format!("work order_generator --orders {orders} --seed 7")).end().with_status(0);
}

/// Runs the payment processor until it is so; what is done `meanwhile` finds it at work.
fn pay(cluster: &Cluster, what: &str, is_paid: impl FnMut() -> bool, meanwhile: impl FnOnce()) {
    let worker = Worker::start(on(cluster, "work payment_processor"));
    until(what, is_paid);
    meanwhile();
    worker.terminate().with_status(0);
}

#[test]
fn a_reset_empties_our_topics_and_a_group_begins_at_the_first_record_that_is_there() {
    let cluster = start(&Options::kraft());
    let admin = Admin::connect(&cluster.connection()).unwrap();
    on(&cluster, "topics create").end().with_status(0);
    publish(&cluster, 30);
    let is_paid = || records(&admin, "payment_result") == 30;
    pay(&cluster, "30 orders are paid", is_paid, || {
        let refused = on(&cluster, "reset --yes").end().with_status(1);
        let group = "payment_processor.order_placed";
        let expected = format!("error: {}: group {group} has members: stop its workers first\n", cluster.brokers());
        assert_eq!((refused.stdout.as_str(), refused.stderr), ("", expected));
    });
    assert_eq!((records(&admin, "order_placed"), committed(&cluster, &admin)), (30, Some(30)));

    // To this topology, topic and group are somebody else's.
    let others = TOPOLOGY.replace("order_placed", "orders_placed");
    let reset = on(&cluster, "reset --yes --topology others.json").file("others.json", others).end().with_status(0);
    assert!(
        reset.stdout.contains("orders_placed                                          skipped: it does not exist\n"),
        "{}",
        reset.stdout
    );
    assert!(
        reset.stdout.contains("payment_result                                         30 records\n"),
        "{}",
        reset.stdout
    );
    assert_eq!((records(&admin, "order_placed"), committed(&cluster, &admin)), (30, Some(30)));
    assert_eq!(records(&admin, "payment_result"), 0);

    let reset = on(&cluster, "reset --yes").end().with_status(0);
    assert!(
        reset.stdout.ends_with("30 records of 37 topics deleted; 18 groups begin at the first record that is there\n"),
        "{}",
        reset.stdout
    );
    assert_eq!((records(&admin, "order_placed"), committed(&cluster, &admin)), (0, None));

    publish(&cluster, 5);
    pay(&cluster, "the 5 that came since are paid", || records(&admin, "payment_result") == 5, || {});
    assert_eq!(committed(&cluster, &admin), Some(5));
}

#[test]
fn a_reset_asks_on_a_terminal_and_deletes_nothing_unless_the_answer_is_yes() {
    let cluster = start(&Options::kraft());
    let admin = Admin::connect(&cluster.connection()).unwrap();
    on(&cluster, "topics create").end().with_status(0);
    publish(&cluster, 30);
    let answered = |answer: &str| {
        let terminal = openpty(None, None).unwrap();
        let mut keyboard = File::from(terminal.master);
        writeln!(keyboard, "{answer}").unwrap();
        on(&cluster, "reset").terminal(terminal.slave).end()
    };

    let refused = answered("y").with_status(1);
    let question = format!(
        "On {} in plaintext all records of these topics are deleted for good, and the offsets of 18 groups:\n",
        cluster.brokers()
    );
    assert!(refused.stderr.starts_with(&question), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("  order_placed                                           30 records\n"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.ends_with("error: not confirmed: nothing was deleted\n"), "{}", refused.stderr);
    assert_eq!(records(&admin, "order_placed"), 30);

    answered("yes").with_status(0);
    assert_eq!(records(&admin, "order_placed"), 0);
}
