//! Ansible's playbooks on bare hosts with systemd (`ci/fleet`): from nothing to a secured cluster, and through what goes wrong.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use kafka_transport::{Ca, Connection};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use serde_json::{Value, json};
use topology::{System, Topology};

use ansible::Ansible;
use arguments::Arguments;
use command::{REPOSITORY, succeeded};
use fleet::{BROKERS, Fleet, repository};
use until::until;

mod ansible; // the playbooks
mod arguments; // of every process of this machine
mod command; // where commands of ours run, and what one said
mod fleet; // the hosts
mod food; // the food orders on one of them
mod monitoring; // Prometheus, and an alert
mod ports; // who reaches whom
mod until; // something is so

const ORDERS: usize = 10_000;

const DEADLINE: Duration = Duration::from_secs(60);

const HOSTS: [&str; 7] = ["zookeeper-1", "zookeeper-2", "zookeeper-3", "kafka-1", "kafka-2", "kafka-3", "console-1"];

#[test]
fn bare_hosts_become_a_secured_cluster_on_which_the_shop_loses_and_doubles_nothing() {
    if let Some(reason) = missing_root() {
        eprintln!("not applicable: {reason}");
        return;
    }
    // Given seven bare hosts,
    let fleet = Fleet::up(&[]);
    let ansible = Ansible::new(&fleet);
    let arguments = Arguments::watch();

    // when the playbooks are played, after a first time that stops at an archive which is another,
    let other = format!("kafka_archive_checksum=sha256:{:064}", 0);
    ansible.refuses("or, where the sum differs", "prepare.yml", &["-e", &other]);
    ansible.plays("site.yml", &[]);

    // then another time changes nothing,
    let again = ansible.plays("site.yml", &[]);
    assert_eq!(again.changes(), 0, "{}", again.text);

    // servers fit into their hosts,
    for (unit, most_mib) in [("zookeeper", 130), ("kafka", 400)] {
        for host in HOSTS.iter().filter(|host| host.starts_with(unit)) {
            let resident_mib = resident_mib(&fleet, host, unit);
            println!("{unit} on {host}: {resident_mib} MiB resident");
            assert!(resident_mib <= most_mib, "{unit} on {host}: {resident_mib} MiB");
        }
    }

    // whoever may reach a port does, and nobody else,
    assert_eq!(ports::reached(&fleet, &ports::everywhere(), &HOSTS), ports::expected());

    // topics are as the topology says, and the shop runs, each service as its own user,
    fleet.tells("console-1", &as_admin("topics diff"));
    let workers: Vec<Worker> =
        services().iter().skip(1).map(|service| Worker::start(&fleet, &ansible, service)).collect();
    let begun = Instant::now();
    let generator = format!("order_generator --orders {ORDERS} --rate 2000 --seed 7");
    assert!(Worker::start(&fleet, &ansible, &generator).0.wait().unwrap().success());
    let audit = as_admin("audit --format json --orders /root/orders.jsonl");
    until(DEADLINE, "every order has ended", || succeeds(&fleet, &audit));
    println!("{ORDERS} orders ended within {:.0?}", begun.elapsed());
    drop(workers);
    let audited: Value = serde_json::from_str(&fleet.tells("console-1", &audit)).unwrap();
    assert_eq!((&audited["audit"]["passed"], &audited["orders"]["accepted"]), (&true.into(), &ORDERS.into()));
    fleet.tells("console-1", "orderflow run --format json --input /root/orders.jsonl >/root/embedded.json");
    let embedded: Value = serde_json::from_str(&fleet.tells("console-1", "cat /root/embedded.json")).unwrap();
    assert_eq!(audited["digest"], embedded["digest"]);

    // each user may do what his service needs, and nothing else,
    let program = Path::new(env!("CARGO_BIN_EXE_orderflow")).with_file_name("examples/rights");
    assert!(program.exists(), "{} is missing: cargo build --release --workspace --examples", program.display());
    let mut rights = fleet.at("functions", program);
    let ca_file = fleet.path("orderflow/ca.pem");
    println!(
        "{}",
        succeeded(rights.arg(BROKERS).arg(ca_file).arg(fleet.path("orderflow/credentials.json")).output().unwrap())
    );

    // and no password stands where it does not belong.
    let passwords = ansible.passwords();
    for (place, text) in [("what plays said", ansible.said()), ("arguments of a process", arguments.end())] {
        for (user, password) in &passwords {
            assert!(!text.contains(password.as_str()), "the password of {user} stands in {place}");
        }
    }
    let text: String = passwords.values().map(|password| format!("{password}\n")).collect();
    let found: BTreeMap<&str, BTreeSet<String>> =
        HOSTS.iter().map(|host| (*host, files_with(&fleet, host, &text))).collect();
    for (host, files) in found {
        let own: &[&str] = match host.split('-').next().unwrap() {
            "kafka" => &["/etc/kafka/broker.properties 600", "/etc/kafka/jaas.conf 640"],
            "console" => &["/etc/orderflow/admin.env 600", "/etc/orderflow/admin.properties 600"],
            _ => &[],
        };
        assert_eq!(files, own.iter().map(|file| (*file).to_owned()).collect(), "passwords on {host}");
    }
}

#[test]
#[ignore = "takes many minutes: ci/test --full fleet"]
fn a_change_a_loss_and_a_mistake_cost_no_order() {
    if let Some(reason) = missing_root() {
        eprintln!("not applicable: {reason}");
        return;
    }
    // Given a cluster on hosts,
    let fleet = Fleet::up(&[]);
    let ansible = Ansible::new(&fleet);
    ansible.plays("site.yml", &[]);
    let cluster = || ["zookeeper", "kafka"].map(|unit| started(&fleet, unit));

    // a changed setting restarts the broker that it is of, and no other server,
    let before = cluster();
    ansible.write_inventory(|text| with_variable(&text, "kafka-2", "kafka_extra_properties=\"{'num.io.threads': 5}\""));
    ansible.plays("kafka.yml", &[]);
    let after = cluster();
    assert_eq!(before[0], after[0], "ZooKeeper");
    let restarted: Vec<&String> = before[1].keys().filter(|host| before[1][*host] != after[1][*host]).collect();
    assert_eq!(restarted, ["kafka-2"]);
    ansible.write_inventory(|text| text);

    // a new topic comes with its rights, and goes from the rights only when asked to,
    let topology = fleet.path("topology.json");
    let mut changed: Value = serde_json::from_str(include_str!("../../../../topology.json")).unwrap();
    let dead_letter = "notification_handler.returns.dead_letter";
    changed["topics"]["returns"] = changed["topics"]["notifications"].clone();
    changed["topics"][dead_letter] = changed["topics"]["notification_handler.notifications.dead_letter"].clone();
    changed["services"]["shipping_handler"]["produces"].as_array_mut().unwrap().push("returns".into());
    changed["services"]["notification_handler"]["consumes"]
        .as_array_mut()
        .unwrap()
        .push(json!({"topic": "returns", "group": null, "dead_letter": dead_letter, "batch_records": 500}));
    fs::write(&topology, changed.to_string()).unwrap();
    let of_another = format!("topology_file={}", topology.display());
    for book in ["topics.yml", "users.yml"] {
        let first = ansible.plays(book, &["-e", &of_another]);
        let again = ansible.plays(book, &["-e", &of_another]);
        assert_eq!((first.changes() > 0, again.changes()), (true, 0), "{book}");
    }
    let reported = ansible.plays("users.yml", &[]);
    assert!(reported.changes() == 0 && reported.text.contains("shipping_handler"), "{}", reported.text);
    assert!(ansible.plays("users.yml", &["-e", "prune=true"]).changes() > 0);
    assert_eq!(ansible.plays("users.yml", &["-e", "prune=true"]).changes(), 0);

    // brokers restart one after the other, are lost and are built anew, and no order is lost or doubled,
    let workers: Vec<Worker> =
        services().iter().skip(1).map(|service| Worker::start(&fleet, &ansible, service)).collect();
    let mut generator = Worker::start(&fleet, &ansible, "order_generator --rate 100 --seed 8");
    let before = started(&fleet, "kafka");
    ansible.plays("rolling-restart.yml", &[]);
    let after = started(&fleet, "kafka");
    assert!(before.iter().all(|(host, since)| after[host] != *since), "{before:?} {after:?}");
    for lost in ["kafka-3", "zookeeper-2"] {
        fleet.call(&["stop", lost]);
        thread::sleep(WHILE_LOST);
        fleet.call(&["start", "--empty", lost]);
        ansible.plays("site.yml", &[]);
    }
    generator.end();
    let audit = as_admin("audit --format json");
    until(DEADLINE, "every order has ended", || succeeds(&fleet, &audit));
    let audited: Value = serde_json::from_str(&fleet.tells("console-1", &audit)).unwrap();
    println!("{} orders of a rolling restart and two hosts lost: {}", audited["orders"]["accepted"], audited["audit"]);
    drop(workers);

    // and a mistake is told before anything is done.
    fleet.call(&["stop", "kafka-1"]);
    ansible.refuses("kafka-1 does not answer at 10.0.0.21", "site.yml", &[]);
    fleet.call(&["start", "kafka-1"]);
    ansible.write_inventory(|text| {
        text.replace("ansible_host=10.0.0.21", "ansible_host=?")
            .replace("ansible_host=10.0.1.21", "ansible_host=10.0.0.21")
            .replace("ansible_host=?", "ansible_host=10.0.1.21")
    });
    ansible.refuses("10.0.1.21 calls itself kafka-2, the inventory calls it kafka-1", "site.yml", &[]);
    ansible.write_inventory(|text| text);
    ansible.refuses("MiB free on its disk and needs 1000000000", "site.yml", &["-e", "preflight_free_mib=1000000000"]);
    ansible.plays("verify.yml", &[]);
}

#[test]
#[ignore = "needs a fleet of its own: ci/test --full fleet"]
fn a_host_of_half_the_memory_is_refused() {
    if let Some(reason) = missing_root() {
        eprintln!("not applicable: {reason}");
        return;
    }
    let hosts = fs::read_to_string(format!("{REPOSITORY}/ci/fleet.d/hosts")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("hosts");
    let of_kafka =
        |line: &str| if line.starts_with("kafka-1 ") { line.replace("1024", "512") } else { line.to_owned() };
    fs::write(&small, hosts.lines().map(|line| of_kafka(line) + "\n").collect::<String>()).unwrap();
    let fleet = Fleet::up(&["--hosts", small.to_str().unwrap()]);
    Ansible::new(&fleet).refuses("kafka-1 has 512 MiB of memory and needs", "site.yml", &[]);
}

/// A broker is given up by the others after 18 s, a ZooKeeper server sooner.
const WHILE_LOST: Duration = Duration::from_secs(25);

#[test]
fn ansible_gives_the_rights_that_the_topology_shows() {
    let shown = Command::new(env!("CARGO_BIN_EXE_orderflow")).args(["topology", "show", "--format", "json"]).output();
    let shown: Value = serde_json::from_str(&succeeded(shown.unwrap())).unwrap();
    let word = |right: &Value, name: &str| right[name].as_str().unwrap().to_owned();
    let declared: BTreeSet<String> = shown["rights"]
        .as_array()
        .unwrap()
        .iter()
        .map(|right| {
            let kind = word(right, "resource").to_uppercase();
            format!("{} {} {kind} {}", word(right, "user"), word(right, "operation"), word(right, "name"))
        })
        .collect();
    let render = r#"import json, kafka_access
for _, user, _, operation, kind, name, _ in kafka_access.topology_rights(json.load(open("topology.json"))):
    print(user, operation, kind, name)"#;
    let mut python = repository("/usr/bin/env");
    python
        .args(["python3", "-B", "-c", render])
        .env("PYTHONPATH", format!("{REPOSITORY}/ansible/roles/kafka_access/filter_plugins"));
    let rendered: BTreeSet<String> = succeeded(python.output().unwrap()).lines().map(str::to_owned).collect();
    assert_eq!(rendered, declared);
}

/// A fleet needs namespaces; under CI whoever runs the tests has to be able to make them.
fn missing_root() -> Option<&'static str> {
    let is_root = Uid::effective().is_root();
    assert!(is_root || std::env::var("CI").as_deref() != Ok("true"), "hosts need namespaces: run it as root");
    (!is_root).then_some("hosts need namespaces, so this test needs root")
}

/// A command of `orderflow` on the console host.
fn as_admin(command: &str) -> String {
    format!("set -a; . /etc/orderflow/admin.env; orderflow {command}")
}

fn succeeds(fleet: &Fleet, command: &str) -> bool {
    fleet.at("console-1", "sh").args(["-c", command]).output().unwrap().status.success()
}

/// Since when each server of a kind runs, by host.
fn started(fleet: &Fleet, unit: &str) -> BTreeMap<String, String> {
    let since = format!("systemctl show --property ActiveEnterTimestampMonotonic {unit}");
    let hosts = HOSTS.iter().filter(|host| host.starts_with(unit));
    hosts.map(|host| ((*host).to_owned(), fleet.tells(host, &since))).collect()
}

/// An inventory in which one host's line says more.
fn with_variable(inventory: &str, host: &str, variable: &str) -> String {
    let lines = inventory.lines().map(|line| match line.split(' ').next() {
        Some(name) if name == host => format!("{line} {variable}\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

/// The shop's services by name, the one first that reads nothing.
fn services() -> Vec<String> {
    let topology = Topology::built_in().unwrap();
    let mut all: Vec<_> = topology.services_of(System::Shop).collect();
    all.sort_by_key(|service| !service.consumes.is_empty());
    all.into_iter().map(|service| service.name.clone()).collect()
}

/// A service at work where functions are, as its own user. It ends with this value.
struct Worker(Child);

impl Worker {
    /// `work` begins with the service's name.
    fn start(fleet: &Fleet, ansible: &Ansible<'_>, work: &str) -> Self {
        let user = work.split(' ').next().unwrap();
        let password = &ansible.passwords()[user];
        let connection = Connection::sasl_ssl(BROKERS, user, password, Ca::File(fleet.path("orderflow/ca.pem")));
        let mut command = fleet.at("functions", env!("CARGO_BIN_EXE_orderflow"));
        command.arg("work").args(work.split(' ')).envs(connection.variables()).env("RUST_LOG", "warn");
        Self(command.stdout(Stdio::null()).spawn().unwrap())
    }

    /// Tells it to end, and waits until it has confirmed and committed what it had begun.
    fn end(&mut self) {
        let _ = kill(Pid::from_raw(self.0.id().try_into().unwrap()), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

fn resident_mib(fleet: &Fleet, host: &str, unit: &str) -> u64 {
    let command =
        format!("awk '/^VmRSS:/ {{ print $2 }}' /proc/$(systemctl show --property MainPID --value {unit})/status");
    fleet.tells(host, &command).trim().parse::<u64>().unwrap() / 1024
}

/// Files of a host in which one of these lines stands, each with its mode.
fn files_with(fleet: &Fleet, host: &str, lines: &str) -> BTreeSet<String> {
    let search =
        "grep -rlsF -f /dev/stdin /etc /home /opt /root /run /srv /tmp /usr/local /var | xargs -r stat -c '%n %a'";
    let mut child =
        fleet.at(host, "sh").args(["-c", search]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    succeeded(child.wait_with_output().unwrap()).lines().map(str::to_owned).collect()
}
