use serde_json::Value;

use crate::call::{orderflow, orders};

/// The digest of the first 500 orders of seed 7, as the simulation finds it without faults.
fn clean() -> String {
    orderflow("simulate --seed 7 --orders 500 --faults none --format json").end().with_status(0).digest()
}

fn with_partitions(partitions: u32) -> impl FnOnce(&mut Value) {
    move |topology| {
        for (_, topic) in topology["topics"].as_object_mut().unwrap() {
            topic["partitions"] = partitions.into();
        }
    }
}

#[test]
fn a_run_has_the_digest_of_the_simulation_with_any_number_of_partitions() {
    let run = || orderflow("run --orders 500 --seed 7 --format json");
    let digests = [run(), run().topology(with_partitions(1)), run().topology(with_partitions(6))]
        .map(|call| call.end().with_status(0).digest());
    assert_eq!(digests, [clean(), clean(), clean()]);
}

#[test]
fn faults_that_corrupt_nothing_leave_the_digest_as_it_is() {
    let faults =
        "crash,duplicate,reorder,produce_failure,ack_loss,commit_failure,slow,dead,partition,clock_jump,transient";
    let simulated = orderflow(&format!("simulate --seed 7 --orders 500 --faults {faults} --format json")).end();
    assert_eq!(simulated.with_status(0).digest(), clean());
}

#[test]
fn another_seed_has_another_digest() {
    let other = orderflow("run --orders 500 --seed 8 --format json").end().with_status(0).digest();
    assert_ne!(other, clean());
}

#[test]
fn orders_from_a_pipe_have_the_digest_of_their_seed() {
    let piped = orderflow("run --input - --format json").stdin(orders(500, 7)).end().with_status(0);
    assert_eq!(piped.digest(), clean());
    assert_eq!(piped.document()["seed"], Value::Null);
}
