use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, io, thread};

use kafka_cluster::{Cluster, Options};

use crate::{start, topology};

/// The settings file of a process, which stands last in its command line.
fn settings_file(pid: u32) -> PathBuf {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let last = line.split(|&byte| byte == 0).rfind(|argument| !argument.is_empty()).unwrap();
    String::from_utf8(last.to_vec()).unwrap().into()
}

fn pids(cluster: &Cluster) -> Vec<u32> {
    cluster.nodes().map(|node| cluster.pid(node).unwrap()).collect()
}

/// A process that somebody still has to collect does not run.
fn runs(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_dropped_cluster_leaves_no_process_no_file_and_no_port() {
    let cluster = start(&Options::kraft());
    let (pids, address) = (pids(&cluster), cluster.brokers().to_owned());
    let file = settings_file(pids[0]);
    assert!(file.exists());
    drop(cluster);
    assert!(!pids.into_iter().any(runs));
    assert!(!file.exists());
    TcpListener::bind(address).unwrap();
}

#[test]
fn a_killed_process_leaves_no_node_behind() {
    let mut owner = Command::new(env::current_exe().unwrap())
        .args(["--exact", "end::a_process_that_owns_a_cluster", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.into_iter().find_map(|line| line.split_once(PIDS).map(|(_, pids)| pids.to_owned()));
    let pids: Vec<u32> = line.unwrap().split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 6);
    assert!(pids.iter().all(|&pid| runs(pid)));
    let folder = settings_file(pids[0]).parent().and_then(Path::parent).unwrap().to_owned();

    owner.kill().unwrap();
    owner.wait().unwrap();
    // The system tells them at once, and ends them when it gets to it.
    while pids.iter().any(|&pid| runs(pid)) {
        thread::yield_now();
    }
    // Nobody could remove the files: the next cluster does.
    assert!(folder.exists());
    drop(start(&Options::kraft()));
    assert!(!folder.exists());
}

const PIDS: &str = "the pids: ";

#[test]
#[ignore = "a process for another test to kill"]
fn a_process_that_owns_a_cluster() {
    let topology = topology();
    let cluster = start(&Options::secured(&topology));
    let pids: Vec<String> = pids(&cluster).iter().map(u32::to_string).collect();
    writeln!(io::stdout(), "{PIDS}{}", pids.join(" ")).unwrap();
    // Until it is killed, or the other test has ended.
    let _ = io::stdin().read_to_end(&mut Vec::new());
}
