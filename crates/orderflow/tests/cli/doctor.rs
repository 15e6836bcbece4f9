use std::collections::BTreeMap;

use serde_json::Value;

use crate::call::{Ended, orderflow};

/// The findings of a document, by what was looked at: the level, what was found, and what to do.
fn findings(ended: &Ended) -> BTreeMap<String, [String; 3]> {
    let document = ended.document();
    let groups = document["groups"].as_object().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |finding: &Value| (text(&finding["what"]), ["level", "found", "to_do"].map(|name| text(&finding[name])));
    groups.values().flat_map(|findings| findings.as_array().unwrap()).map(one).collect()
}

#[test]
fn all_that_commands_need_is_looked_at_and_the_status_says_whether_something_is_wrong() {
    let ended = orderflow("doctor --format json").end();
    let document = ended.document();
    let groups: Vec<&String> = document["groups"].as_object().unwrap().keys().collect();
    assert_eq!(groups, ["credentials", "machine", "ports", "tools"]);
    let findings = findings(&ended);
    for what in
        ["memory", "open files", "clock", "java", "terraform", "kafka", "port 9001", "Kafka", "DATABASE_URL", "AWS"]
    {
        assert!(findings.contains_key(what), "{what} in {document}");
    }
    let count = |level: &str| findings.values().filter(|[found, ..]| found == level).count();
    assert_eq!(count("ok") + count("warning") + count("wrong"), findings.len(), "{document}");
    assert_eq!((&document["wrong"], &document["warnings"]), (&count("wrong").into(), &count("warning").into()));
    assert_eq!(ended.status, Some(i32::from(count("wrong") > 0)), "{document}");
}

#[test]
fn for_a_person_each_group_has_a_line_for_each_thing_and_what_to_do_below_it() {
    let ended = orderflow("doctor").env("PATH", "/nowhere").end();
    let lines: Vec<&str> = ended.stdout.lines().collect();
    for group in ["machine", "tools", "ports", "credentials"] {
        assert!(lines.contains(&group), "{}", ended.stdout);
    }
    let terraform = lines.iter().position(|line| line.starts_with("  warning  terraform ")).unwrap();
    assert!(lines[terraform].ends_with("  not there"), "{}", ended.stdout);
    assert!(
        lines[terraform + 1].trim_start().starts_with("-> for deploy, destroy: Terraform 1.11 or later"),
        "{}",
        ended.stdout
    );
    assert!(lines.last().unwrap().ends_with(" warnings"), "{}", ended.stdout);
}

#[test]
fn settings_that_contradict_each_other_are_wrong_and_no_cluster_is_asked() {
    let call = orderflow("doctor --brokers localhost:1 --format json").env("KAFKA_USERNAME", "shop");
    let ended = call.env("KAFKA_CA_FILE", "/nowhere/ca.pem").env("KAFKA_CA_PEM", "nothing").end().with_status(1);
    let findings = findings(&ended);
    let wrong = |what: &str, found: &str| {
        let [level, told, to_do] = &findings[what];
        assert_eq!((level.as_str(), told.as_str()), ("wrong", found));
        assert!(!to_do.is_empty());
    };
    wrong("KAFKA_PASSWORD", "missing: KAFKA_USERNAME is set");
    wrong("KAFKA_CA_FILE", "set beside KAFKA_CA_PEM: keep one of them");
    assert!(!findings.contains_key("brokers"), "{findings:?}");
}

#[test]
fn a_cluster_and_a_database_that_do_not_answer_are_wrong_and_no_secret_is_told() {
    let call = orderflow("doctor --brokers 127.0.0.1:1 --format json");
    let call = call.env("DATABASE_URL", "postgres://somebody:secret@127.0.0.1:1/orders");
    let ended = call.env("AWS_ACCESS_KEY_ID", "AKIA1").env("AWS_SECRET_ACCESS_KEY", "secret").end().with_status(1);
    let findings = findings(&ended);
    let [level, found, _] = &findings["brokers"];
    assert!(level == "wrong" && found.starts_with("127.0.0.1:1: no answer within 9 s"), "{found}");
    let [level, found, _] = &findings["DATABASE_URL"];
    assert!(level == "wrong" && found.starts_with("127.0.0.1:1/orders: connection refused"), "{found}");
    assert!(!ended.stdout.contains("secret") && ended.stderr.is_empty(), "{}{}", ended.stdout, ended.stderr);
}
