use serde_json::{Value, json};

use crate::call::{Ended, orderflow};

/// What Ansible's documents show.
const EXAMPLE: &str = include_str!("../../../../ansible/inventory.example.ini");

/// What Terraform prints of its hosts.
fn outputs() -> Value {
    serde_json::from_str(include_str!("../../../../nix/fixtures/cluster-outputs.json")).unwrap()
}

fn rendered(outputs: &Value) -> Ended {
    orderflow("inventory").stdin(outputs.to_string()).end()
}

/// What Ansible reads of an inventory.
fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with(';')).collect()
}

#[test]
fn terraforms_outputs_become_the_inventory_that_ansible_shows_as_its_example() {
    let from_stdin = rendered(&outputs()).with_status(0);
    assert_eq!(lines(&from_stdin.stdout), lines(EXAMPLE));
    let from_file =
        orderflow("inventory outputs.json").file("outputs.json", outputs().to_string()).end().with_status(0);
    assert_eq!(from_file.stdout, from_stdin.stdout);
}

#[test]
fn a_host_more_is_a_line_more() {
    let mut outputs = outputs();
    let mut more = outputs["hosts"]["value"]["kafka-3"].clone();
    (more["number"], more["private_address"]) = (4.into(), "10.0.0.24".into());
    outputs["hosts"]["value"]["kafka-4"] = more;
    let text = rendered(&outputs).with_status(0).stdout;
    assert!(text.contains("\nkafka-4 ansible_host=203.0.113.23 private_address=10.0.0.24 number=4 zone=us-east-1c\n"));
}

#[test]
fn outputs_without_what_an_inventory_needs_are_refused_with_what_to_do() {
    for (pointer, value, reason) in [
        (
            "",
            json!({}),
            "-: no output `hosts`: apply terraform/cluster, and give what `terraform -chdir=terraform/cluster output -json` prints",
        ),
        (
            "/hosts/value",
            json!({}),
            "-: hosts: none has the role `zookeeper`, and the cluster needs one: was it applied as a whole?",
        ),
        ("/hosts/value/console-1/role", "kafka".into(), "-: hosts: none has the role `console`"),
        (
            "/hosts/value/kafka-2/role",
            "broker".into(),
            "-: hosts.kafka-2.role: found \"broker\", allowed zookeeper, kafka, console",
        ),
        (
            "/hosts/value/kafka-2/public_address",
            "".into(),
            "-: hosts.kafka-2.public_address: found \"\", wanted an IPv4 address: a host that is stopped",
        ),
        (
            "/hosts/value/kafka-2/private_address",
            "kafka-2".into(),
            "-: hosts.kafka-2.private_address: found \"kafka-2\"",
        ),
        ("/hosts/value/kafka-2/zone", "a b=c".into(), "-: hosts.kafka-2: zone \"a b=c\", allowed letters"),
        ("/hosts/value/kafka-2/number", "two".into(), "-: hosts: invalid type: string \"two\", expected u16"),
    ] {
        let mut outputs = outputs();
        *outputs.pointer_mut(pointer).unwrap() = value;
        let ended = rendered(&outputs).with_status(2);
        assert_eq!(ended.stdout, "");
        assert!(ended.stderr.starts_with(&format!("error: {reason}")), "{}", ended.stderr);
    }
    let ended = orderflow("inventory").stdin("Warning: No outputs found").end().with_status(2);
    assert!(ended.stderr.starts_with("error: -: no JSON as `terraform"), "{}", ended.stderr);
}
