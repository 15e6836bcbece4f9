//! `orderflow inventory`: Ansible's inventory from what Terraform made.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::{Error, Status, print};

/// The groups of the playbooks; none may be empty.
const GROUPS: [&str; 3] = ["zookeeper", "kafka", "console"];

/// How to get what is read here.
const COMMAND: &str = "terraform -chdir=terraform/cluster output -json";

/// Renders Ansible's inventory from Terraform's outputs
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: terraform -chdir=terraform/cluster output -json | orderflow inventory > ansible/inventory.ini"
)]
pub(crate) struct Args {
    /// What `terraform -chdir=terraform/cluster output -json` printed; stdin if absent or `-`.
    #[arg(value_name = "FILE", default_value = "-", hide_default_value = true)]
    file: PathBuf,
}

/// A host, as the output `hosts` of `terraform/cluster` tells of it.
#[derive(Debug, Deserialize)]
struct Host {
    role: String,
    number: u16,
    zone: String,
    private_address: String,
    public_address: String,
}

/// Prints the inventory.
///
/// # Errors
/// Where the outputs cannot be read, lack what an inventory needs, or leave a group empty.
pub(crate) fn execute(args: &Args) -> Result<Status, Error> {
    let name = args.file.display();
    let text = if args.file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(&args.file)
    };
    let text = text.map_err(|error| Error::Usage(format!("{name}: {error}")))?;
    let inventory = render(&text).map_err(|reason| Error::Usage(format!("{name}: {reason}")))?;
    print(&inventory)?;
    Ok(Status::Holds)
}

/// The inventory, from what `terraform output -json` printed.
///
/// # Errors
/// What is missing in it, or wrong.
pub(crate) fn render(outputs: &str) -> Result<String, String> {
    let outputs: Value =
        serde_json::from_str(outputs).map_err(|error| format!("no JSON as `{COMMAND}` prints it: {error}"))?;
    let Some(hosts) = outputs.pointer("/hosts/value") else {
        return Err(format!("no output `hosts`: apply terraform/cluster, and give what `{COMMAND}` prints"));
    };
    let hosts: BTreeMap<String, Host> =
        serde_json::from_value(hosts.clone()).map_err(|error| format!("hosts: {error}"))?;
    if let Some((name, host)) = hosts.iter().find(|(_, host)| !GROUPS.contains(&host.role.as_str())) {
        return Err(format!("hosts.{name}.role: found {:?}, allowed {}", host.role, GROUPS.join(", ")));
    }
    let mut text =
        "; Rendered by `orderflow inventory`: what Terraform made stands here, and goes when it is rendered again.\n"
            .to_owned();
    for group in GROUPS {
        let of_group: Vec<_> = hosts.iter().filter(|(_, host)| host.role == group).collect();
        if of_group.is_empty() {
            return Err(format!(
                "hosts: none has the role `{group}`, and the cluster needs one: was it applied as a whole?"
            ));
        }
        let _ = writeln!(text, "\n[{group}]");
        for (name, host) in of_group {
            text.push_str(&line(name, host)?);
        }
    }
    Ok(text)
}

/// A line of the inventory. What could end it or begin a variable is refused: it goes to Ansible unquoted.
fn line(name: &str, host: &Host) -> Result<String, String> {
    let is_plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
    };
    for (key, value) in [("name", name), ("zone", &host.zone)] {
        if !is_plain(value) {
            return Err(format!("hosts.{name}: {key} {value:?}, allowed letters, digits, hyphens and dots"));
        }
    }
    for (key, address) in [("private_address", &host.private_address), ("public_address", &host.public_address)] {
        if address.parse::<Ipv4Addr>().is_err() {
            return Err(format!(
                "hosts.{name}.{key}: found {address:?}, wanted an IPv4 address: a host that is stopped has no public one; \
                 start it, and `terraform apply` reads it anew"
            ));
        }
    }
    let Host { number, zone, private_address, public_address, .. } = host;
    Ok(format!("{name} ansible_host={public_address} private_address={private_address} number={number} zone={zone}\n"))
}
