use crate::call::{TOPOLOGY, orderflow};

#[test]
fn the_topology_that_ships_is_in_order() {
    let ended = orderflow("topology check").end().with_status(0);
    assert_eq!(ended.stdout, "37 topics, 12 services, 18 consumer groups: every rule holds\n");
}

#[test]
fn a_system_that_a_file_leaves_out_is_not_missed() {
    let call = orderflow("topology check").topology(|topology| {
        let services = topology["services"].as_object_mut().unwrap();
        services.retain(|_, service| service["system"] == "shop");
        let mentioned = topology["services"].to_string();
        let topics = topology["topics"].as_object_mut().unwrap();
        topics.retain(|name, _| mentioned.contains(&format!("\"{name}\"")));
    });
    assert_eq!(call.end().with_status(0).stdout, "11 topics, 5 services, 6 consumer groups: every rule holds\n");
}

/// Every command reads the file first: one message, which begins as given, and status 2.
#[track_caller]
fn check(content: &str, fault: &str) {
    for command in ["topology check", "topology show", "run --orders 1", "simulate --seeds 0..1"] {
        let call = orderflow(&format!("{command} --topology broken.json")).file("broken.json", content);
        let ended = call.end().with_status(2);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", format!("error: {fault}\n").as_str()));
    }
}

#[test]
fn a_broken_file_is_one_message_with_file_path_fault_and_what_is_allowed() {
    check(
        &TOPOLOGY.replacen(r#"{"partitions": 3,"#, r#"{"partitions": 0,"#, 1),
        "broken.json: topics.order_placed.partitions: found 0, allowed an integer from 1 to 1000",
    );
    check(
        &TOPOLOGY.replacen(r#""produces": ["order_placed"]"#, r#""produces": ["order_place"]"#, 1),
        "broken.json: services.order_generator.produces[0]: no topic `order_place`; declare it under `topics`, or did you mean \
         `order_placed`?",
    );
    check("{", "broken.json: line 1, column 1: no valid JSON: EOF while parsing an object");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    for (path, reason) in [("nowhere.json", "No such file or directory"), (".", "Is a directory")] {
        let ended = orderflow(&format!("--topology {path} topology check")).end().with_status(2);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.starts_with(&format!("error: {path}: {reason}")), "{}", ended.stderr);
    }
}

#[test]
fn a_service_that_the_shop_cannot_do_without_is_named() {
    for command in ["run --orders 1", "simulate --seeds 0..1"] {
        let content = TOPOLOGY.replace("payment_processor", "pay_processor");
        let call = orderflow(&format!("{command} --topology other.json")).file("other.json", content);
        let ended = call.end().with_status(2);
        assert!(
            ended.stderr.starts_with("error: other.json: services.payment_processor: missing in the system `shop`"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn it_is_shown_in_four_formats() {
    let show = |format: &str| orderflow(&format!("topology show --format {format}")).end().with_status(0);
    assert_eq!(show("text").stdout, orderflow("topology show").end().stdout);
    assert!(show("text").stdout.starts_with("TOPIC "));
    assert!(show("json").document().is_object());
    assert!(show("mermaid").stdout.starts_with("flowchart "));
    assert!(show("dot").stdout.starts_with("digraph "));
    for format in ["text", "json", "mermaid", "dot"] {
        let shown = show(format).stdout;
        for name in ["order_placed", "payment_processor", "notification_handler"] {
            assert!(shown.contains(name), "{name} in {shown}");
        }
    }
}
