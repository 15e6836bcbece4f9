//! What ZooKeeper knows before it starts: users and their rights, as Kafka keeps them there.
//!
//! Brokers speak to each other as a user: it must be there before the first of them starts.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use topology::{Operation, Resource, Right};

use crate::scram;

/// Every node by its path: the users with their passwords, and the rights.
pub(crate) fn of(users: &BTreeMap<String, String>, rights: &[Right<'_>]) -> BTreeMap<String, String> {
    // ZooKeeper's own, without which it reports a broken upgrade.
    let mut nodes =
        BTreeMap::from(["/zookeeper/config", "/zookeeper/quota"].map(|path| (path.to_owned(), String::new())));
    for (user, password) in users {
        let credential = json!({"version": 1, "config": {"SCRAM-SHA-512": scram::credential(password)}});
        nodes.insert(format!("/config/users/{user}"), credential.to_string());
    }
    for (path, acls) in acls(rights) {
        nodes.insert(path, json!({"version": 1, "acls": acls}).to_string());
    }
    nodes
}

fn acls(rights: &[Right<'_>]) -> BTreeMap<String, Vec<Value>> {
    let mut acls = BTreeMap::<_, Vec<_>>::new();
    for right in rights {
        let kind = match right.resource {
            Resource::Topic(_) => "Topic",
            Resource::Group(_) => "Group",
            Resource::Cluster => "Cluster",
        };
        let operation = match right.operation {
            Operation::Read => "Read",
            Operation::Write => "Write",
            Operation::Describe => "Describe",
            Operation::DescribeConfigs => "DescribeConfigs",
        };
        let acl = json!({
            "principal": format!("User:{}", right.user), "permissionType": "Allow", "operation": operation, "host": "*",
        });
        acls.entry(format!("/kafka-acl/{kind}/{}", right.resource.name())).or_default().push(acl);
    }
    acls
}
