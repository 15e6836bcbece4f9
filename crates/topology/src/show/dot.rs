//! Graphviz.

use std::fmt::Write;

use crate::Topology;

/// A Graphviz digraph from left to right: services are boxes, topics are rounded, dead letters are dotted.
#[must_use]
pub fn dot(topology: &Topology) -> String {
    let mut graph = "digraph orderflow {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
    for service in topology.services() {
        // A `String` takes every write.
        let _ = writeln!(graph, "  \"service {0}\" [label=\"{0}\"];", service.name);
    }
    for topic in topology.topics() {
        let style = if topology.dead_letter_of(&topic.name).is_some() { "rounded,dotted" } else { "rounded" };
        let _ = writeln!(graph, "  \"topic {0}\" [label=\"{0}\", style=\"{style}\"];", topic.name);
    }
    for service in topology.services() {
        let name = &service.name;
        for consumption in &service.consumes {
            let _ = writeln!(graph, "  \"topic {}\" -> \"service {name}\";", consumption.topic);
        }
        for topic in &service.produces {
            let _ = writeln!(graph, "  \"service {name}\" -> \"topic {topic}\";");
        }
        for dead_letter in service.dead_letters() {
            let _ = writeln!(graph, "  \"service {name}\" -> \"topic {dead_letter}\" [style=dotted];");
        }
    }
    graph.push_str("}\n");
    graph
}
