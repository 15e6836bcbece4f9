use events::Timestamp;
use kafka_cluster::{Cluster, Options};
use kafka_transport::{Admin, TopicShape};
use messaging::Outgoing;
use serde_json::Value;
use shop::order_generator::generate_order_event;

use crate::{on, start, write_orders};

/// What is found of the cluster, in lines: what it is about, the level, what was found, what to do.
fn of_the_cluster(cluster: &Cluster, status: i32) -> Vec<String> {
    // So that what else this machine lacks is no matter.
    let call = on(cluster, "doctor --format json").env("KAFKA_HOME", "").env("AWS_PROFILE", "");
    let document = call.end().with_status(status).document();
    let text = |finding: &Value| {
        ["what", "level", "found", "to_do"].map(|name| finding[name].as_str().unwrap_or("-").to_owned())
    };
    document["groups"]["cluster"].as_array().unwrap().iter().map(|finding| text(finding).join(" | ")).collect()
}

#[test]
fn a_topic_that_is_not_as_the_topology_says_is_told_with_the_command_that_mends_it_and_records_that_wait_with_who_would_handle_them()
 {
    let cluster = start(&Options::kraft());
    let shape = TopicShape { partitions: 1, replication: 1, retention_ms: 604_800_000, max_message_bytes: 1_048_588 };
    Admin::connect(&cluster.connection()).unwrap().create(&[("order_placed", shape)]).unwrap();
    let found = of_the_cluster(&cluster, 1);
    assert_eq!(found[0], "brokers | ok | 1 broker answers | -");
    assert!(found[1].starts_with("topics | wrong | 37 of 37 differ: food-order-numbers: missing; "), "{found:?}");
    assert!(found[1].ends_with(" | `orderflow topics create` adds partitions, adds what is missing"), "{found:?}");

    on(&cluster, "topics create").end().with_status(0);
    let order = Outgoing::of(&generate_order_event(7, Timestamp::BASE, 0));
    write_orders(&cluster, &[order]);
    let found = of_the_cluster(&cluster, 0);
    assert_eq!(found[1], "topics | ok | all 37 are as topology.json says | -");
    let waiting = "group payment_processor.order_placed | warning | 1 record waits, and no worker is there | `orderflow work payment_processor`";
    assert!(found.iter().any(|line| line == waiting), "{found:?}");
}
