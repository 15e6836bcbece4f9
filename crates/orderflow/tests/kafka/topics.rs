use kafka_cluster::Options;
use kafka_transport::{Admin, TopicShape};
use topology::Topology;

use crate::{on, start};

/// What the topology says of a topic, on so many brokers.
pub(crate) fn shape(topology: &Topology, topic: &str, brokers: u16) -> TopicShape {
    let topic = topology.topic(topic).unwrap();
    TopicShape {
        partitions: topic.partitions,
        replication: brokers,
        retention_ms: topic.retention_ms.try_into().unwrap(),
        max_message_bytes: topic.max_message_bytes,
    }
}

/// Each topic has the shape that the topology gives it, on so many brokers.
#[track_caller]
pub(crate) fn assert_all_as_the_topology_says(admin: &Admin, brokers: u16) {
    let topology = Topology::built_in().unwrap();
    let names: Vec<&str> = topology.topics().map(|topic| topic.name.as_str()).collect();
    let expected = names.iter().map(|&name| (name.to_owned(), shape(&topology, name, brokers))).collect();
    assert_eq!(admin.describe(&names).unwrap(), expected);
}

#[test]
fn topics_are_created_as_the_topology_says_and_a_second_time_nothing_is_done() {
    let cluster = start(&Options::kraft());
    let one_broker = "1 broker: one replica on each, where topology.json says 3\n";
    let all_right = format!("37 topics on {} are as topology.json says\n", cluster.brokers());

    let created = on(&cluster, "topics create").end().with_status(0);
    assert_eq!(created.stderr, one_broker);
    assert_eq!(created.stdout.matches("   created\n").count(), 37);
    assert!(created.stdout.ends_with(&all_right), "{}", created.stdout);
    assert_all_as_the_topology_says(&Admin::connect(&cluster.connection()).unwrap(), 1);

    let again = on(&cluster, "topics create").end().with_status(0);
    assert_eq!((again.stdout, again.stderr.as_str()), (format!("nothing to do: {all_right}"), one_broker));
    let compared = on(&cluster, "topics diff").end().with_status(0);
    assert_eq!((compared.stdout, compared.stderr.as_str()), (all_right, one_broker));
}

#[test]
fn what_differs_is_told_what_can_be_changed_is_changed_and_other_topics_are_left_alone() {
    let cluster = start(&Options::kraft());
    let admin = Admin::connect(&cluster.connection()).unwrap();
    let topology = Topology::built_in().unwrap();
    let right = |topic| shape(&topology, topic, 1);
    let foreign = TopicShape { partitions: 2, replication: 1, retention_ms: -1, max_message_bytes: 7_777 };
    admin
        .create(&[
            ("foreign", foreign),
            ("order_placed", TopicShape { partitions: 1, retention_ms: 60_000, ..right("order_placed") }),
            ("order_shipped", TopicShape { max_message_bytes: 2_000, ..right("order_shipped") }),
            ("payment_result", TopicShape { partitions: 5, ..right("payment_result") }),
        ])
        .unwrap();

    let compared = on(&cluster, "topics diff").end().with_status(1);
    for line in [
        "inventory_result                                       missing",
        "order_placed                                           1 partition, topology.json says 3; \
         retention.ms 60000, topology.json says 604800000",
        "order_shipped                                          max.message.bytes 2000, topology.json says 1048588",
        "payment_result                                         5 partitions, topology.json says 3",
    ] {
        assert!(compared.stdout.lines().any(|found| found == line), "{line} in\n{}", compared.stdout);
    }
    assert_eq!(compared.stdout.lines().count(), 37);
    let brokers = cluster.brokers();
    let expected = format!(
        "1 broker: one replica on each, where topology.json says 3\n\
         error: 37 of 37 topics on {brokers} differ from topology.json\n\
         hint: `orderflow topics create` adds partitions, adds what is missing, sets retention.ms and max.message.bytes; \
         it cannot take partitions away: delete the topic first, with its records\n"
    );
    assert_eq!(compared.stderr, expected);

    let mended = on(&cluster, "topics create").end().with_status(1);
    for line in [
        "inventory_result                                       created",
        "order_placed                                           3 partitions instead of 1; retention.ms 604800000 instead of 60000",
        "order_shipped                                          max.message.bytes 1048588 instead of 2000",
        "payment_result   5 partitions, topology.json says 3",
    ] {
        assert!(mended.stdout.lines().any(|found| found == line), "{line} in\n{}", mended.stdout);
    }
    assert!(mended.stderr.contains(&format!("error: 1 of 37 topics on {brokers} differs")), "{}", mended.stderr);
    let found = admin.describe(&["foreign", "order_placed", "order_shipped"]).unwrap();
    assert_eq!(found["foreign"], foreign);
    assert_eq!([found["order_placed"], found["order_shipped"]], [right("order_placed"), right("order_shipped")]);
    assert!(![compared.stdout, mended.stdout].concat().contains("foreign"));
}
