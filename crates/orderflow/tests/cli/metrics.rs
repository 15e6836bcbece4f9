use std::collections::BTreeSet;

use crate::call::orderflow;

#[test]
fn the_dashboard_is_one_document_of_json() {
    let dashboard = orderflow("metrics dashboard").end().with_status(0).stdout;
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    assert_eq!(dashboard["title"], "orderflow");
}

#[test]
fn brokers_tell_by_the_names_that_rules_and_dashboard_ask_for() {
    let of_role = include_str!("../../../../ansible/roles/jmx_exporter/files/kafka.yml");
    let made: BTreeSet<&str> = of_role.lines().filter_map(|line| line.strip_prefix("    name: ")).collect();
    let told = ["alerts", "dashboard"].map(|what| orderflow(&format!("metrics {what}")).end().with_status(0).stdout);
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = told.iter().flat_map(|text| text.split(|letter| !is_of_name(letter)));
    let asked: BTreeSet<&str> = words.filter(|word| word.starts_with("kafka_")).collect();
    assert_eq!(asked, made);
}

#[test]
fn ansible_calls_who_is_asked_as_the_rules_do() {
    let of_role = include_str!("../../../../ansible/roles/prometheus/templates/prometheus.yml.j2");
    let alerts = orderflow("metrics alerts").end().with_status(0).stdout;
    let jobs = alerts.split("job=\\\"").skip(1).filter_map(|behind| behind.split("\\\"").next());
    let jobs: BTreeSet<&str> = jobs.collect();
    assert_eq!(jobs.len(), 2, "{jobs:?}");
    for job in jobs {
        assert!(of_role.contains(&format!("job_name: {job}\n")), "{job}");
    }
}
