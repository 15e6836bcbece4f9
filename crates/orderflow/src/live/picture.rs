use ::topology::{Service, Topology};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::System;

/// Who writes and reads what, system by system, as the page draws it.
pub(super) fn of(topology: &Topology, system: Option<System>) -> Value {
    let picture = System::asked(system).into_iter().filter_map(|system| {
        let name = system.to_possible_value()?.get_name().to_owned();
        let service = |service: &Service| {
            let reads = |consumption: &::topology::Consumption| {
                json!({ "topic": consumption.topic, "group": consumption.group, "dead_letter": consumption.dead_letter })
            };
            json!({
                "name": service.name,
                "reads": service.consumes.iter().map(reads).collect::<Vec<_>>(),
                "writes": service.produces,
            })
        };
        let services: Vec<Value> = topology.services_of(system.declared()).map(service).collect();
        (!services.is_empty()).then(|| json!({ "system": name, "services": services }))
    });
    picture.collect()
}
