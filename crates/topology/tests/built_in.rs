//! The topology that ships: the facts of requirements E09 and H06, and what is derived from them.

#![allow(clippy::panic, reason = "helpers of tests, which clippy takes for production code")]

use topology::{Consumption, Host, Operation, Resource, Right, Service, System, Topology};

fn built_in() -> Topology {
    Topology::built_in().unwrap_or_else(|error| panic!("{error}"))
}

fn names<'a>(services: impl Iterator<Item = &'a Service>) -> Vec<&'a str> {
    services.map(|service| service.name.as_str()).collect()
}

#[test]
fn each_topic_is_written_and_read_as_requirement_e09_says() {
    let topology = built_in();
    for (topic, written_by, read_by) in [
        ("order_placed", "order_generator", &["inventory_manager", "payment_processor"][..]),
        ("payment_result", "payment_processor", &["shipping_handler"]),
        ("inventory_result", "inventory_manager", &["notification_handler"]),
        ("order_shipped", "shipping_handler", &["notification_handler"]),
        ("notifications", "shipping_handler", &["notification_handler"]),
    ] {
        assert_eq!(names(topology.producers_of(topic)), [written_by], "{topic}");
        assert_eq!(names(topology.consumers_of(topic)), read_by, "{topic}");
        assert_has_the_size_of_a_topic(&topology, topic);
    }
}

#[test]
fn the_saga_has_the_ten_topics_of_requirement_h06_and_three_that_ask_and_undo() {
    let topology = built_in();
    for (topic, written_by, read_by) in [
        ("orders.created", &["order_service"][..], &["order_service"][..]),
        ("orders.validated", &["order_service"], &["order_orchestrator"]),
        ("payments.requested", &["order_orchestrator"], &["payment_service"]),
        ("payments.completed", &["payment_service"], &["order_orchestrator"]),
        ("payments.failed", &["payment_service"], &["order_orchestrator"]),
        ("inventory.reserved", &["inventory_service"], &["order_orchestrator"]),
        ("inventory.released", &["inventory_service"], &["order_orchestrator"]),
        ("notifications.email", &["order_orchestrator"], &["notification_service"]),
        ("orders.completed", &["order_orchestrator"], &[]),
        ("orders.failed", &["order_orchestrator", "order_service"], &[]),
        // docs/decisions/0013-a-saga-of-two-legs.md
        ("inventory.requested", &["order_orchestrator"], &["inventory_service"]),
        ("inventory.rejected", &["inventory_service"], &["order_orchestrator"]),
        ("payments.refunded", &["payment_service"], &["order_orchestrator"]),
    ] {
        assert_eq!(names(topology.producers_of(topic)), written_by, "{topic}");
        assert_eq!(names(topology.consumers_of(topic)), read_by, "{topic}");
        assert_has_the_size_of_a_topic(&topology, topic);
    }
}

#[track_caller]
fn assert_has_the_size_of_a_topic(topology: &Topology, topic: &str) {
    let Some(topic) = topology.topic(topic) else { panic!("no topic {topic}") };
    assert_eq!((topic.partitions, topic.replication, topic.retention_ms), (3, 3, 604_800_000), "{topic:?}");
    assert_eq!(topic.max_message_bytes, 1_048_588, "{topic:?}: Kafka's own default");
}

#[test]
fn there_is_no_other_topic_than_those_of_the_three_systems_and_a_dead_letter_for_each_group_that_keeps_them() {
    let topology = built_in();
    let dead_letters = topology.services().flat_map(|service| service.dead_letters()).count();
    assert_eq!(topology.topics().count(), 5 + 13 + 2 + dead_letters);
}

#[test]
fn each_group_and_its_dead_letter_are_named_after_service_and_topic() {
    let topology = built_in();
    let with_dead_letter = |(_, consumption): &(&Service, &Consumption)| consumption.dead_letter.is_some();
    for (service, consumption) in topology.groups().filter(with_dead_letter) {
        let group = format!("{}.{}", service.name, consumption.topic);
        assert_eq!(consumption.group, group);
        assert_eq!(consumption.dead_letter, Some(format!("{group}.dead_letter")));
        assert_eq!(consumption.batch_records, 500, "{group}");
        let dead_letter = topology.topic(&format!("{group}.dead_letter")).unwrap();
        assert_eq!((dead_letter.partitions, dead_letter.retention_ms), (1, 1_209_600_000), "{group}");
        assert_eq!(dead_letter.max_message_bytes, 2_097_152, "{group}");
        assert_eq!(topology.dead_letter_of(&dead_letter.name), Some((service, consumption)));
    }
    assert_eq!(topology.groups().count(), 6 + 11 + 1, "the shop's, the saga's, and that of food orders");
    assert_eq!(topology.dead_letter_of("order_placed"), None);
}

#[test]
fn the_shop_is_five_lambda_functions_with_the_rates_of_the_sources() {
    let topology = built_in();
    let shop = names(topology.services_of(System::Shop));
    assert_eq!(
        shop,
        ["inventory_manager", "notification_handler", "order_generator", "payment_processor", "shipping_handler"]
    );
    for service in topology.services_of(System::Shop) {
        assert_eq!((service.host, service.memory_mib), (Host::Lambda, 128), "{}", service.name);
        assert_eq!(service.retry.is_none(), service.name == "order_generator", "{}", service.name);
    }
    assert_eq!(topology.service("payment_processor").unwrap().setting("success_percent"), Some(90));
    assert_eq!(topology.service("inventory_manager").unwrap().setting("available_percent"), Some(80));
    assert_eq!(topology.service("inventory_manager").unwrap().setting("success_percent"), None);
    assert_eq!(topology.service("refund_handler"), None);
}

#[test]
fn the_saga_is_five_workers_and_each_of_them_reads() {
    let topology = built_in();
    let saga = names(topology.services_of(System::OrderSaga));
    assert_eq!(
        saga,
        ["inventory_service", "notification_service", "order_orchestrator", "order_service", "payment_service"]
    );
    for service in topology.services_of(System::OrderSaga) {
        assert_eq!((service.host, service.memory_mib), (Host::Worker, 128), "{}", service.name);
        assert!(service.retry.is_some(), "{}", service.name);
    }
}

#[test]
fn k02_food_orders_stand_in_three_partitions_for_seven_days_and_one_group_of_a_name_of_its_own_reads_them() {
    let topology = built_in();
    assert_has_the_size_of_a_topic(&topology, "food-orders");
    assert_eq!(names(topology.services_of(System::FoodOrders)), ["food_consumer", "food_producer"]);
    let consumer = topology.service("food_consumer").unwrap();
    let [Consumption { topic, group, dead_letter, batch_records }] = &consumer.consumes[..] else {
        panic!("{consumer:?}")
    };
    assert_eq!((topic.as_str(), group.as_str(), dead_letter), ("food-orders", "order-processors", &None));
    assert_eq!(*batch_records, 1_000);
    // Tickets are offsets: those of one partition are all different.
    assert_eq!(topology.topic("food-order-numbers").unwrap().partitions, 1);
    assert_eq!(topology.service("food_producer").unwrap().setting("order_rate"), Some(10));
}

#[test]
fn a_service_tells_how_it_consumes_a_topic() {
    let topology = built_in();
    let notifications = topology.service("notification_handler").unwrap();
    assert_eq!(
        notifications.consumption("order_shipped").unwrap().dead_letter.as_deref(),
        Some("notification_handler.order_shipped.dead_letter")
    );
    assert_eq!(notifications.consumption("order_placed"), None);
}

#[test]
fn a_service_has_the_rights_that_its_edges_need_and_no_other() {
    use Operation::{Describe, DescribeConfigs, Read, Write};
    use Resource::{Cluster, Group, Topic};
    let topology = built_in();
    let of = |user: &str| -> Vec<(Resource<'_>, Operation)> {
        let rights = topology.rights().into_iter().filter(|right| right.user == user);
        rights.map(|Right { resource, operation, .. }| (resource, operation)).collect()
    };
    assert_eq!(of("order_generator"), [(Topic("order_placed"), Write), (Topic("order_placed"), Describe)]);
    assert_eq!(
        of("payment_processor"),
        [
            (Topic("order_placed"), Read),
            (Topic("order_placed"), Describe),
            (Topic("payment_processor.order_placed.dead_letter"), Write),
            (Topic("payment_processor.order_placed.dead_letter"), Describe),
            (Topic("payment_result"), Write),
            (Topic("payment_result"), Describe),
            (Group("payment_processor.order_placed"), Read),
            (Group("payment_processor.order_placed"), Describe),
            (Cluster, DescribeConfigs),
        ]
    );
}
