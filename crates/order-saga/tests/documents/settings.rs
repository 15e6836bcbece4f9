use std::collections::BTreeSet;

use topology::{System, Topology};

use crate::{code, ground, read, table};
use order_saga::SagaServices;

/// A setting as the document has it: its name, the services that have it, its default, and what is allowed.
fn described() -> Vec<(String, Vec<String>, u64, String)> {
    let document = read("docs/saga.md");
    let rows = table(&document, "setting").into_iter().map(|row| {
        let services = code(&row[1]).into_iter().map(ToOwned::to_owned).collect();
        (code(&row[0])[0].to_owned(), services, row[3].parse().unwrap(), row[4].clone())
    });
    rows.collect()
}

#[test]
fn each_setting_of_the_topology_is_described_with_its_default_and_no_other() {
    let mut found = BTreeSet::new();
    for (setting, services, default, _) in described() {
        found.extend(services.into_iter().map(|service| (service, setting.clone(), default)));
    }
    let topology = Topology::built_in().unwrap();
    let declared = topology.services_of(System::OrderSaga).flat_map(|service| {
        let settings = service.settings.iter();
        settings.map(|(setting, value)| (service.name.clone(), setting.clone(), *value))
    });
    assert_eq!(found, declared.collect());
}

#[test]
fn what_is_allowed_of_a_setting_is_what_the_code_says_where_it_is_missing() {
    let topology = Topology::built_in().unwrap();
    for (missing, services, _, allowed) in described() {
        for of in services {
            let settings = |service: &str, setting: &str| {
                let is_there = (service, setting) != (of.as_str(), missing.as_str());
                topology.service(service)?.setting(setting).filter(|_| is_there)
            };
            let error = SagaServices::with(&topology, &settings, &ground()).err().map(|error| error.to_string());
            let expected = format!("services.{of}.settings.{missing}: missing, allowed {allowed}");
            assert_eq!(error, Some(expected));
        }
    }
}
