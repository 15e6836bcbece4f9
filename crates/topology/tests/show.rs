//! What `orderflow topology show` prints.

#![allow(clippy::panic, reason = "helpers of tests, which clippy takes for production code")]

use serde_json::{Value, json};
use topology::{Topology, show};

fn built_in() -> Topology {
    Topology::built_in().unwrap_or_else(|error| panic!("{error}"))
}

/// Names with hyphens, a group of another name, and retentions that are no whole days.
fn food_orders() -> Topology {
    let topic = |retention_ms: u64, max_message_bytes: u32| {
        json!({
            "partitions": 3, "replication": 1, "retention_ms": retention_ms, "max_message_bytes": max_message_bytes,
        })
    };
    let service = |consumes: Value, produces: Value, retry: Value| {
        json!({
            "system": "food_orders", "host": "worker", "consumes": consumes, "produces": produces, "retry": retry,
            "memory_mib": 128, "timeout_s": 30, "settings": {"orders": 10, "customers": 100},
        })
    };
    let consumes = json!([
        {"topic": "food-orders", "group": "order-processors", "dead_letter": "food.dead_letter", "batch_records": 1},
    ]);
    let retry = json!({"backoff_min_ms": 1, "backoff_max_ms": 2, "stuck_after_attempts": 3});
    let document = json!({
        "topics": {
            "food-orders": topic(129_600_000, 1_024), "food.dead_letter": topic(60_001, 20_000),
            "a": topic(5_400_000, 1_024), "a.dead_letter": topic(60_000, 20_000),
            "b": topic(90_000, 1_024), "b.dead_letter": topic(60_000, 20_000),
        },
        "services": {
            "kitchen": service(json!([]), json!(["food-orders", "a", "b"]), Value::Null),
            "sink": service(consumes, json!([]), retry.clone()),
            "end": service(
                json!([
                    {"topic": "a", "group": null, "dead_letter": "a.dead_letter", "batch_records": 1},
                    {"topic": "b", "group": null, "dead_letter": "b.dead_letter", "batch_records": 1},
                ]),
                json!([]), retry,
            ),
        },
    });
    Topology::parse("food.json", &document.to_string()).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn assert_has_lines(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "no line\n{line}\nin\n{text}");
    }
}

#[test]
fn the_table_says_who_writes_and_reads_what() {
    let table = show::table(&built_in());
    let topics = "\
TOPIC             WRITTEN BY         READ BY                               PARTITIONS  REPLICATION  RETENTION  MAX BYTES
inventory_result  inventory_manager  notification_handler                  3           3            7 d        1048588
notifications     shipping_handler   notification_handler                  3           3            7 d        1048588
order_placed      order_generator    inventory_manager, payment_processor  3           3            7 d        1048588
order_shipped     shipping_handler   notification_handler                  3           3            7 d        1048588
payment_result    payment_processor  shipping_handler                      3           3            7 d        1048588

";
    assert!(table.starts_with(topics), "{table}");
    assert_has_lines(
        &table,
        &[
            "GROUP                                  TOPIC             BATCH  DEAD LETTER",
            "payment_processor.order_placed         order_placed      500    payment_processor.order_placed.dead_letter",
            "payment_processor.order_placed.dead_letter         1           3            14 d       2097152",
            "order_generator       shop    lambda  128 MiB  30 s     -                               seed=1",
            "payment_processor     shop    lambda  128 MiB  30 s     100 to 30000 ms, stuck after 5  success_percent=90",
            "USER                  RESOURCE  NAME                                               OPERATIONS",
            "payment_processor     topic     order_placed                                       READ, DESCRIBE",
            "payment_processor     group     payment_processor.order_placed                     READ, DESCRIBE",
            "payment_processor     cluster   kafka-cluster                                      DESCRIBE_CONFIGS",
        ],
    );
}

#[test]
fn the_table_shows_one_system_after_the_other() {
    let table = show::table(&built_in());
    let (shop, saga) = table.split_at(table.find("\nTOPIC ").unwrap());
    assert!(shop.contains("payment_processor") && !shop.contains("payment_service"), "{shop}");
    assert!(saga.contains("payment_service") && !saga.contains("payment_processor"), "{saga}");
    assert_has_lines(
        saga,
        &[
            "TOPIC               WRITTEN BY                        READ BY              PARTITIONS REPLICATION RETENTION MAX BYTES",
            "orders.failed       order_orchestrator, order_service -                    3          3           7 d       1048588",
            "payments.requested  order_orchestrator                payment_service      3          3           7 d       1048588",
            "order_service.orders.created             orders.created      500   order_service.orders.created.dead_letter",
            "order_service         order_saga  worker  128 MiB  30 s     100 to 30000 ms, stuck after 5  -",
            "order_service         topic     orders.created                                        READ, WRITE, DESCRIBE",
        ],
    );
}

#[test]
fn a_list_that_is_too_long_for_its_line_goes_on_below_itself() {
    let lines = "\
order_orchestrator    order_saga  worker  128 MiB  30 s     100 to 30000 ms, stuck after 5  answer_max_ms=60000,
                                                                                            answer_min_ms=5000, asks=4,
                                                                                            stuck_after_asks=8,
                                                                                            stuck_limit=1000
";
    let table = show::table(&built_in());
    assert!(table.contains(lines), "{table}");
}

#[test]
fn the_table_fits_a_terminal_of_120_columns() {
    for line in show::table(&built_in()).lines() {
        assert!(line.len() <= 120, "{} columns: {line}", line.len());
        assert_eq!(line, line.trim_end());
    }
}

#[test]
fn the_table_shows_retention_in_the_largest_unit_that_loses_nothing() {
    assert_has_lines(
        &show::table(&food_orders()),
        &[
            "a            kitchen     end      3           1            90 min     1024",
            "b            kitchen     end      3           1            90 s       1024",
            "food-orders  kitchen     sink     3           1            36 h       1024",
            "food.dead_letter  3           1            60001 ms   20000",
            "kitchen  food_orders  worker  128 MiB  30 s     -                         customers=100, orders=10",
            "order-processors  food-orders  1      food.dead_letter",
        ],
    );
}

#[test]
fn the_mermaid_chart_has_boxes_for_services_and_dotted_dead_letters() {
    let chart = show::mermaid(&built_in());
    assert!(chart.starts_with("flowchart LR\n"), "{chart}");
    assert_has_lines(
        &chart,
        &[
            r#"  service_shipping_handler["shipping_handler"]"#,
            r#"  topic_order_shipped("order_shipped")"#,
            r#"  topic_shipping_handler_payment_result_dead_letter("shipping_handler.payment_result.dead_letter"):::dead_letter"#,
            "  topic_payment_result --> service_shipping_handler",
            "  service_shipping_handler --> topic_order_shipped",
            "  service_shipping_handler -.-> topic_shipping_handler_payment_result_dead_letter",
        ],
    );
    assert_eq!(
        chart.matches(" --> ").count(),
        11 + 25 + 3,
        "the shop: 5 topics produced, 6 consumed; the saga: 13, one of them by two services, and 11; food orders: 2 and 1"
    );
    assert_eq!(chart.matches(" -.-> ").count(), 6 + 11);
}

#[test]
fn mermaid_ids_hold_no_hyphen_and_no_word_of_mermaid() {
    let chart = show::mermaid(&food_orders());
    assert_has_lines(
        &chart,
        &[
            r#"  topic_food_dash_orders("food-orders")"#,
            "  topic_food_dash_orders --> service_sink",
            "  topic_a --> service_end",
        ],
    );
}

#[test]
fn the_dot_graph_has_boxes_for_services_and_dotted_dead_letters() {
    let graph = show::dot(&built_in());
    assert!(graph.starts_with("digraph orderflow {\n") && graph.ends_with("\n}\n"), "{graph}");
    assert_has_lines(
        &graph,
        &[
            r#"  "service order_generator" [label="order_generator"];"#,
            r#"  "topic order_placed" [label="order_placed", style="rounded"];"#,
            r#"  "service order_generator" -> "topic order_placed";"#,
            r#"  "topic order_placed" -> "service payment_processor";"#,
            r#"  "service payment_processor" -> "topic payment_processor.order_placed.dead_letter" [style=dotted];"#,
        ],
    );
    assert_eq!(graph.matches(" -> ").count(), 17 + 36 + 3, "the shop's, the saga's, and those of food orders");
}

#[test]
fn the_json_adds_what_follows_from_the_file_and_keeps_what_it_says() {
    let text = show::json(&built_in());
    assert!(text.ends_with("\n}\n"));
    let shown: Value = serde_json::from_str(&text).unwrap();
    let mut file: Value = serde_json::from_str(include_str!("../../../topology.json")).unwrap();

    assert_eq!(shown["topics"]["order_placed"]["written_by"], json!(["order_generator"]));
    assert_eq!(shown["topics"]["order_placed"]["read_by"], json!(["inventory_manager", "payment_processor"]));
    assert_eq!(shown["topics"]["order_placed"]["dead_letter_of"], Value::Null);
    let dead_letter = &shown["topics"]["shipping_handler.payment_result.dead_letter"];
    assert_eq!(dead_letter["dead_letter_of"], "shipping_handler.payment_result");
    assert_eq!(dead_letter["written_by"], json!(["shipping_handler"]));
    assert_eq!(dead_letter["read_by"], json!([]));
    let right = json!({
        "user": "inventory_manager", "resource": "topic", "name": "inventory_manager.order_placed.dead_letter",
        "operation": "WRITE",
    });
    assert!(shown["rights"].as_array().unwrap().contains(&right), "{text}");
    assert_eq!(shown["rights"].as_array().unwrap().len(), built_in().rights().len());

    for (name, service) in file["services"].as_object_mut().unwrap() {
        for consumption in service["consumes"].as_array_mut().unwrap() {
            if consumption["group"].is_null() {
                consumption["group"] = format!("{name}.{}", consumption["topic"].as_str().unwrap()).into();
            }
        }
    }
    assert_eq!(shown["services"], file["services"]);
    for (name, topic) in file["topics"].as_object().unwrap() {
        for (key, value) in topic.as_object().unwrap() {
            assert_eq!(shown["topics"][name][key], *value, "{name}.{key}");
        }
    }
}
