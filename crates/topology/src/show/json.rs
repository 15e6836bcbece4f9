//! JSON, for other programs.

use serde_json::{Map, Value, json};

use crate::{Consumption, Service, Topic, Topology};

/// The checked topology as JSON: what the file says, and what follows from it.
///
/// Each topic has `written_by`, `read_by` and `dead_letter_of` (a group, or null); every group has its name; `rights`
/// is a list of `user`, `resource` (`topic`, `group` or `cluster`), `name` and `operation`.
#[must_use]
pub fn json(topology: &Topology) -> String {
    let topics: Map<String, Value> = topology.topics().map(|one| (one.name.clone(), topic(topology, one))).collect();
    let services: Map<String, Value> = topology.services().map(|one| (one.name.clone(), service(one))).collect();
    let rights = topology.rights().into_iter().map(|right| {
        json!({
            "user": right.user,
            "resource": right.resource.kind(),
            "name": right.resource.name(),
            "operation": right.operation.as_str(),
        })
    });
    let document = json!({"topics": topics, "services": services, "rights": rights.collect::<Vec<_>>()});
    format!("{document:#}\n")
}

fn topic(topology: &Topology, topic: &Topic) -> Value {
    let dead_letter_of = topology.dead_letter_of(&topic.name);
    let mut written_by: Vec<&str> = topology.producers_of(&topic.name).map(|service| service.name.as_str()).collect();
    written_by.extend(dead_letter_of.map(|(service, _)| service.name.as_str()));
    json!({
        "partitions": topic.partitions,
        "replication": topic.replication,
        "retention_ms": topic.retention_ms,
        "max_message_bytes": topic.max_message_bytes,
        "written_by": written_by,
        "read_by": topology.consumers_of(&topic.name).map(|service| service.name.as_str()).collect::<Vec<_>>(),
        "dead_letter_of": dead_letter_of.map(|(_, consumption)| consumption.group.as_str()),
    })
}

fn service(service: &Service) -> Value {
    let retry = service.retry.map(|retry| {
        json!({
            "backoff_min_ms": retry.backoff_min_ms,
            "backoff_max_ms": retry.backoff_max_ms,
            "stuck_after_attempts": retry.stuck_after_attempts,
        })
    });
    json!({
        "system": service.system.as_str(),
        "host": service.host.as_str(),
        "consumes": service.consumes.iter().map(consumption).collect::<Vec<_>>(),
        "produces": service.produces,
        "retry": retry,
        "memory_mib": service.memory_mib,
        "timeout_s": service.timeout_s,
        "settings": service.settings,
    })
}

fn consumption(consumption: &Consumption) -> Value {
    json!({
        "topic": consumption.topic,
        "group": consumption.group,
        "dead_letter": consumption.dead_letter,
        "batch_records": consumption.batch_records,
    })
}
