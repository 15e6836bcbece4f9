//! Mermaid, for Markdown.

use std::fmt::Write;

use crate::Topology;

/// A Mermaid flowchart from left to right: services are boxes, topics are rounded, dead letters are dotted.
#[must_use]
pub fn mermaid(topology: &Topology) -> String {
    let mut chart = "flowchart LR\n".to_owned();
    chart.push_str("  classDef dead_letter stroke-dasharray: 3 3\n");
    for service in topology.services() {
        // A `String` takes every write.
        let _ = writeln!(chart, "  {}[\"{}\"]", service_id(&service.name), service.name);
    }
    for topic in topology.topics() {
        let class = if topology.dead_letter_of(&topic.name).is_some() { ":::dead_letter" } else { "" };
        let _ = writeln!(chart, "  {}(\"{}\"){class}", topic_id(&topic.name), topic.name);
    }
    for service in topology.services() {
        let id = service_id(&service.name);
        for consumption in &service.consumes {
            let _ = writeln!(chart, "  {} --> {id}", topic_id(&consumption.topic));
        }
        for topic in &service.produces {
            let _ = writeln!(chart, "  {id} --> {}", topic_id(topic));
        }
        for dead_letter in service.dead_letters() {
            let _ = writeln!(chart, "  {id} -.-> {}", topic_id(dead_letter));
        }
    }
    chart
}

/// The prefix keeps services apart from topics and from Mermaid's own words, such as `end`.
fn service_id(name: &str) -> String {
    format!("service_{name}")
}

/// Ids take no `.` and no `--`. No two topics differ in `.` and `_` alone: the rules refuse them.
fn topic_id(name: &str) -> String {
    format!("topic_{}", name.replace('.', "_").replace('-', "_dash_"))
}
