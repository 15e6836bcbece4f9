use std::collections::BTreeSet;
use std::thread;

use crate::HOSTS;
use crate::command::succeeded;
use crate::fleet::Fleet;

const PORTS: [u16; 13] = [22, 2181, 2888, 3000, 3888, 5000, 5432, 9021, 9092, 9093, 9401, 9402, 9404];

/// Places without a host, and the two at both ends of the internet.
const OTHERS: [&str; 4] = ["functions", "pollers", "controller", "stranger"];

/// Everywhere in the fleet of the cluster.
pub(crate) fn everywhere() -> Vec<&'static str> {
    HOSTS.into_iter().chain(OTHERS).collect()
}

/// Prints what it reaches of `NAME:PORT ...`: what answers, if only by a refusal.
const PROBE: &str = r#"
import concurrent.futures, socket, sys
def reaches(target):
    name, port = target.split(":")
    try:
        socket.create_connection((name, int(port)), 2).close()
    except ConnectionRefusedError:
        pass
    except OSError:
        return None
    return target
with concurrent.futures.ThreadPoolExecutor(100) as pool:
    print("\n".join(filter(None, pool.map(reaches, sys.argv[1:]))))
"#;

/// Who of these reaches which port of which of those hosts, as `FROM -> TO:PORT`.
pub(crate) fn reached(fleet: &Fleet, from: &[&'static str], hosts: &[&'static str]) -> BTreeSet<String> {
    thread::scope(|scope| {
        let probe = |&from: &&'static str| {
            scope.spawn(move || {
                let to = hosts.iter().filter(|host| **host != from);
                let targets = to.flat_map(|host| PORTS.map(|port| format!("{host}:{port}")));
                let told = fleet.at(from, "python3").args(["-c", PROBE]).args(targets).output().unwrap();
                let told = succeeded(told);
                told.lines().filter(|line| !line.is_empty()).map(|to| format!("{from} -> {to}")).collect::<Vec<_>>()
            })
        };
        let probes: Vec<_> = from.iter().map(probe).collect();
        probes.into_iter().flat_map(|probe| probe.join().unwrap()).collect()
    })
}

/// The same as security groups and the hosts' own firewalls leave it together: SSH, and each port to those who need it. Metrics and
/// pages are open only where something listens.
pub(crate) fn expected() -> BTreeSet<String> {
    let role = |name: &str| name.split('-').next().unwrap_or_default().to_owned();
    let is_open = |from: &str, to: &str, port: u16| match (role(from).as_str(), role(to).as_str(), port) {
        ("functions" | "pollers", "kafka", 9093) => true,
        ("functions" | "pollers", ..) => false,
        (_, _, 22) => true,
        ("kafka" | "console", "zookeeper", 2181) => true,
        ("zookeeper", "zookeeper", 2888 | 3888) => true,
        ("kafka", "kafka", 9092 | 9093) => true,
        ("console", "kafka", 9093) => true,
        _ => false,
    };
    let mut open = BTreeSet::new();
    for from in everywhere() {
        for to in HOSTS.into_iter().filter(|to| *to != from) {
            let ports = PORTS.into_iter().filter(|port| is_open(from, to, *port));
            open.extend(ports.map(|port| format!("{from} -> {to}:{port}")));
        }
    }
    open
}
