//! Holds a cluster against the rights of `topology.json`: what each service's user may really do there, over the network.
//!
//! usage: rights BROKERS CA_FILE CREDENTIALS_FILE
//!
//! The credentials are those of docs/deployment/README.md, with the user `admin`. In each topic records come to stand that nobody can
//! decode: for a cluster that is thrown away. Exit status 1 where somebody may do more, or less.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's own program: what it does not expect ends it")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "and tells what it found")]

mod probe;

use std::error::Error;
use std::process::ExitCode;

use probe::Right;
use rdkafka::ClientConfig;
use topology::Topology;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [brokers, ca_file, credentials_file] = &arguments[..] else {
        eprintln!("usage: rights BROKERS CA_FILE CREDENTIALS_FILE");
        return Ok(ExitCode::from(2));
    };
    let credentials: serde_json::Value = serde_json::from_slice(&std::fs::read(credentials_file)?)?;
    let config_as = |user: &str| {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers)
            .set("security.protocol", "SASL_SSL")
            .set("sasl.mechanism", "SCRAM-SHA-512")
            .set("sasl.username", user)
            .set("sasl.password", credentials["kafka_passwords"][user].as_str().unwrap_or_default())
            .set("ssl.ca.location", ca_file);
        config
    };
    let topology = Topology::built_in()?;
    let users: Vec<&str> = topology.services().map(|service| service.name.as_str()).collect();
    let (declared, found) =
        (probe::declared(&topology), probe::found(&topology, &config_as("admin"), &users, &config_as));
    let tell = |what: &str, Right { user, resource, name, operation }: &Right| {
        println!("{what}: {user} {operation} {resource} {name}");
    };
    found.difference(&declared).for_each(|right| tell("allowed but not declared", right));
    declared.difference(&found).for_each(|right| tell("declared but refused", right));
    println!("{} users have {} rights; the topology gives {}", users.len(), found.len(), declared.len());
    Ok(if found == declared { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
