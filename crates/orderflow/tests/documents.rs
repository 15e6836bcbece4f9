//! What the documents say of the program, held against it.
#![cfg(test)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn named(text: &str, before: &str) -> BTreeSet<String> {
    text.lines().filter_map(|line| line.trim().strip_prefix(before)).map(str::to_owned).collect()
}

#[test]
fn every_alert_stands_in_the_document_that_it_leads_to() {
    let printed = Command::new(env!("CARGO_BIN_EXE_orderflow")).args(["metrics", "alerts"]).output().unwrap();
    let alerts = String::from_utf8(printed.stdout).unwrap();
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/monitoring.md");
    let document = std::fs::read_to_string(document).unwrap();
    let leads_to = named(&alerts, "runbook: docs/monitoring.md#");
    let alerts = named(&alerts, "- alert: ");
    assert!(alerts.len() > 10, "{alerts:?}");
    assert_eq!(named(&document, "### "), alerts);
    assert_eq!(leads_to, alerts.iter().map(|alert| alert.to_lowercase()).collect());
}
