//! What Terraform declares: applied to the emulated AWS (`ci/aws`), run there, destroyed without a trace.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kafka_cluster::{ADMIN, Cluster, Distribution, Options};
use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};
use topology::{Host, Service, Topology};

use account::Account;
use arguments::Arguments;
use call::{Call, Ended, orderflow};
use terraform::Root;
use until::until;

mod account; // the emulated AWS
#[path = "../fleet/arguments.rs"]
mod arguments; // of every process of this machine
#[path = "../cli/call.rs"]
#[allow(dead_code, reason = "shared with the tests beside these, which use the rest of it")]
mod call; // one call of the command, in a folder of its own
#[path = "../fleet/command.rs"]
mod command; // where commands of ours run, and what one said
#[path = "../kafka/on.rs"]
mod on; // a call as one of a cluster's users
mod terraform; // its roots, in a copy of their own
#[path = "../fleet/until.rs"]
mod until; // something is so

/// Schedules run so much faster: an order a second.
const TIME_SCALE: u32 = 60;

/// Orders of the schedule that are waited for.
const ORDERS: usize = 20;

const DEADLINE: Duration = Duration::from_secs(120);

/// How long no order has to come until the schedule is off: the emulator looks for schedules every three seconds.
const SILENCE: Duration = Duration::from_secs(8);

#[test]
fn what_terraform_declares_runs_with_the_digest_of_an_embedded_run_and_is_destroyed_without_a_trace() {
    if let Some(reason) = missing_terraform() {
        eprintln!("not applicable: {reason}");
        return;
    }
    // Given an empty account, the secured cluster with its topics, and the zips.
    let topology = Topology::built_in().unwrap();
    let cluster = Options::secured(&topology).start(&Distribution::find().unwrap()).unwrap();
    as_admin(&cluster, orderflow("topics create")).with_status(0);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let zips = folder.join("zips");
    orderflow(&format!("package --out {}", zips.display())).end().with_status(0);
    terraform::copy_to(folder);
    let account = Account::open(TIME_SCALE);
    let empty = account.inventory();

    // When both roots are applied,
    let hosts = Root::init(&account, folder, "cluster", &hosts_variables());
    let apply_hosts = hosts.apply(&[]);
    let services =
        Root::init(&account, folder, "services", &Brokers::of(&cluster, &topology).variables(folder, &hosts));
    let arguments = Arguments::watch();
    services.plan(&[]); // of the secrets, too
    let apply_services = services.apply(&[]);
    let arguments = arguments.end();
    let there = account.inventory();
    println!("applied in {apply_hosts:.0?} and {apply_services:.0?}: {} things of AWS", there.len() - empty.len());

    // then everything carries the tags by which it is found,
    assert_eq!((hosts.untagged(), services.untagged()), (Vec::new(), Vec::new()));

    // Ansible's inventory names every host,
    let inventory = orderflow("inventory").stdin(hosts.outputs()).end().with_status(0).stdout;
    assert_eq!(inventory.matches(" ansible_host=").count(), 7, "{inventory}");

    // another apply would change nothing,
    assert_eq!((hosts.changes(&[]), services.changes(&[])), (BTreeSet::new(), BTreeSet::new()));

    // a change of one variable changes that alone,
    let with = |name: &str, value: &str| services.changes(&["-var", &format!("{name}={value}")]);
    assert_eq!(
        with("log_retention_days", "3"),
        BTreeSet::from(["update aws_cloudwatch_log_group.retention_in_days".into()])
    );

    // the schedule places orders, and the functions bring each to its end as an embedded run does,
    until(DEADLINE, "orders of the schedule", || runs(&cluster, "").len() >= ORDERS);
    assert_eq!(with("schedule", "off"), BTreeSet::from(["delete aws_scheduler_schedule".into()]));
    services.apply(&["-var", "schedule=off"]);
    let orders = folder.join("orders.jsonl");
    let (mut last, mut since) = (0, Instant::now());
    until(DEADLINE, "the schedule is off", || {
        let now = runs(&cluster, "").len();
        if std::mem::replace(&mut last, now) != now {
            since = Instant::now();
        }
        since.elapsed() >= SILENCE
    });
    let audited = runs(&cluster, &format!("--orders {}", orders.display()));
    assert!(audited.iter().all(|run| run["audit"]["passed"] == true), "{audited:#?}");
    let digest = audited.iter().fold(0u128, |sum, run| sum.wrapping_add(digest(run)));
    let embedded = orderflow(&format!("run --format json --input {}", orders.display())).end().with_status(0);
    assert_eq!(digest, self::digest(&embedded.document()), "of {} orders", audited.len());

    // no secret stands where it does not belong,
    let (written, logs) = (services.written() + &hosts.written(), account.logs());
    assert!(
        written.contains("secret_string_wo_version") && arguments.contains("terraform-provider-aws"),
        "looked at nothing"
    );
    for user in users(&topology) {
        let password = cluster.password(&user.name).unwrap();
        for (place, text) in [("what Terraform wrote", &written), ("logs", &logs), ("arguments", &arguments)] {
            assert!(!text.contains(password), "the password of {} stands in {place}", user.name);
        }
    }

    // and after both are destroyed nothing is left.
    let (destroy_services, destroy_hosts) = (services.destroy(), hosts.destroy());
    println!("destroyed in {destroy_services:.0?} and {destroy_hosts:.0?}");
    assert_eq!(account.inventory(), empty);
}

/// How often each apply and destroy is broken off.
const INTERRUPTIONS: usize = 4;

#[test]
#[ignore = "takes many minutes: ci/test --full aws"]
fn an_apply_and_a_destroy_that_are_broken_off_anywhere_go_on_and_leave_no_trace() {
    if let Some(reason) = missing_terraform() {
        eprintln!("not applicable: {reason}");
        return;
    }
    let seed = std::env::var("SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    // Given an empty account; brokers are not needed, because nobody waits for mappings.
    let topology = Topology::built_in().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    orderflow(&format!("package --out {}", folder.join("zips").display())).end().with_status(0);
    terraform::copy_to(folder);
    let account = Account::open(1);
    let empty = account.inventory();
    let hosts = Root::init(&account, folder, "cluster", &hosts_variables());

    // When a root is broken off again and again, by Ctrl-C, which leaves nothing outside of its state, or by kill -9, after
    // which the documents say to remove by hand what was being made,
    let mut break_off = |root: &Root<'_>, states: &[&Root<'_>], what: &str, within_s: f64| {
        for signal in [Signal::SIGINT, Signal::SIGKILL].into_iter().cycle().take(INTERRUPTIONS) {
            let after = Duration::from_secs_f64(random.random_range(1.0..within_s));
            let was_running = root.interrupt(&[what, "-auto-approve", "-input=false"], signal, after);
            let known: BTreeSet<String> = states.iter().flat_map(|root| root.names()).collect();
            let is_orphan =
                |line: &&String| is_by_itself(line) && !empty.contains(*line) && !known.contains(name_of(line));
            let orphans: BTreeSet<String> = account.inventory().iter().filter(is_orphan).cloned().collect();
            println!(
                "{what} with {signal} after {after:.1?}, running: {was_running}, outside of the state: {orphans:?}"
            );
            assert!(signal == Signal::SIGKILL || orphans.is_empty(), "after Ctrl-C outside of the state: {orphans:#?}");
            account.remove(&orphans);
        }
    };
    break_off(&hosts, &[&hosts], "apply", 45.0);
    hosts.apply(&[]);
    let variables = Brokers::missing(&topology, folder).variables(folder, &hosts);
    let services = Root::init(&account, folder, "services", &variables);
    break_off(&services, &[&hosts, &services], "apply", 12.0);
    services.apply(&[]);

    // then everything is as if nobody had,
    assert_eq!((hosts.changes(&[]), services.changes(&[])), (BTreeSet::new(), BTreeSet::new()));

    // and so it is after a destroy.
    break_off(&services, &[&hosts, &services], "destroy", 8.0);
    services.destroy();
    break_off(&hosts, &[&hosts], "destroy", 30.0);
    hosts.destroy();
    assert_eq!(account.inventory(), empty);
}

/// Disks and network interfaces come and go with their host or their endpoint.
fn is_by_itself(line: &str) -> bool {
    !line.contains(".describe_volumes ") && !line.contains(".describe_network_interfaces ")
}

/// What a line of an inventory names, as Terraform's state has it.
fn name_of(line: &str) -> &str {
    line.split_once(' ').map_or(line, |(_, name)| name.trim_start_matches("/hostedzone/"))
}

/// Of nobody.
const PUBLIC_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOrderflowOrderflowOrderflowOrderflowOrderfl test";

fn hosts_variables() -> Value {
    json!({"ssh_public_key": PUBLIC_KEY, "ssh_cidrs": ["127.0.0.1/32"]})
}

/// Under CI Terraform has to be there.
fn missing_terraform() -> Option<&'static str> {
    let is_there =
        Command::new("terraform").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    assert!(is_there || std::env::var("CI").as_deref() != Ok("true"), "no program terraform");
    (!is_there).then_some("no program terraform: install 1.11 or later")
}

/// What stands in place of the hosts.
struct Brokers {
    servers: Vec<String>,
    passwords: Map<String, Value>,
    ca_file: PathBuf,
}

impl Brokers {
    fn of(cluster: &Cluster, topology: &Topology) -> Self {
        let password = |user: &Service| (user.name.clone(), json!(cluster.password(&user.name).unwrap()));
        let servers = cluster.brokers().split(',').map(str::to_owned).collect();
        let ca_file = cluster.ca_file().unwrap().to_owned();
        Self { servers, passwords: users(topology).map(password).collect(), ca_file }
    }

    /// None that answer.
    fn missing(topology: &Topology, folder: &Path) -> Self {
        let ca_file = folder.join("ca.pem");
        fs::write(&ca_file, "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n").unwrap();
        let passwords = users(topology).map(|user| (user.name.clone(), json!("0123456789abcdef"))).collect();
        Self { servers: vec!["127.0.0.1:1".into()], passwords, ca_file }
    }

    /// What `terraform/services` is told: the loopback cluster in place of the hosts, its users' passwords, its CA, the zips.
    fn variables(self, folder: &Path, hosts: &Root<'_>) -> Value {
        let mut object = hosts.output("cluster");
        object["bootstrap_servers"] = json!(self.servers);
        let credentials = folder.join("credentials.json");
        let text = json!({"kafka_passwords_version": 1, "kafka_passwords": self.passwords}).to_string();
        fs::write(&credentials, text).unwrap();
        json!({"cluster": object, "credentials_file": credentials, "ca_file": self.ca_file, "zips": folder.join("zips")})
    }
}

/// The services that are functions, each a user of the cluster.
fn users(topology: &Topology) -> impl Iterator<Item = &Service> {
    topology.services().filter(|service| service.host == Host::Lambda)
}

fn as_admin(cluster: &Cluster, call: Call) -> Ended {
    call.on(&cluster.connection_as(ADMIN).unwrap()).end()
}

/// What the audit says of each run in the topics; every event of the schedule is one.
fn runs(cluster: &Cluster, more: &str) -> Vec<Value> {
    let audit = as_admin(cluster, orderflow(&format!("audit --since 1h --format json {more}")));
    serde_json::Deserializer::from_str(&audit.stdout).into_iter().map(Result::unwrap).collect()
}

fn digest(document: &Value) -> u128 {
    u128::from_str_radix(document["digest"].as_str().unwrap(), 16).unwrap()
}
