use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::call::{Ended, orderflow};

/// A place for a cluster, which ends with the test, also where that fails.
struct Place {
    _base: TempDir,
    folder: PathBuf,
}

impl Place {
    fn new() -> Self {
        let base = TempDir::new().unwrap();
        Self { folder: base.path().join("cluster"), _base: base }
    }

    fn call(&self, command: &str) -> Ended {
        orderflow(&format!("cluster {command} --folder {}", self.folder.display())).end()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.call("down");
    }
}

/// Runs a line as a person would who pastes it; answers with its exit status.
fn paste(line: &str) -> Option<i32> {
    Command::new("sh").args(["-c", line]).output().unwrap().status.code()
}

/// Ends a process as a crash would, and waits until it is gone: the signal only sets out at once.
fn kill(pid: &str) {
    assert_eq!(paste(&format!("kill -9 {pid}")), Some(0));
    while fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        std::thread::yield_now();
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_cluster_that_is_up_outlives_its_command_until_it_is_down() {
    let place = Place::new();
    let up = place.call("up").with_status(0);
    assert_eq!(up.stderr, "starting three ZooKeeper servers and three brokers\n");
    let again = place.call("up").with_status(0);
    assert_eq!((again.stderr.as_str(), &again.stdout), ("it runs already\n", &up.stdout));

    let credentials = place.folder.join("credentials/payment_processor.env");
    assert!(up.stdout.contains(&format!("credentials  {}\n", credentials.display())), "{}", up.stdout);
    assert_eq!((mode(&place.folder), mode(&credentials)), (0o700, 0o600));
    let line = |end: &str| up.stdout.lines().find(|line| line.ends_with(end)).unwrap().to_owned();
    assert!(line(" work payment_processor)").contains("/payment_processor.env; "), "{}", up.stdout);
    assert_eq!(paste(&line(" topics create)")), Some(0));
    assert_eq!(paste(&line(" topics create)").replace(" create", " diff")), Some(0));
    // A service may not look at topics that it neither reads nor writes.
    assert_eq!(paste(&line(" work payment_processor)").replace("work payment_processor", "topics diff")), Some(1));

    a_database_beside_it_is_started_shown_and_found(&place);

    let status = place.call("status").with_status(0);
    assert!(status.stdout.ends_with("brokers      3 of 3 answer\n"), "{}", status.stdout);
    let broker = status.stdout.lines().find(|line| line.starts_with("broker-2 ")).unwrap();
    kill(broker.rsplit(' ').next().unwrap());
    // As where the system empties the place for temporary files.
    let database = fs::read_link(place.folder.join("postgres")).unwrap();
    fs::remove_dir_all(&database).unwrap();
    let status = place.call("status").with_status(1);
    for name in ["broker-2", "postgres"] {
        assert!(status.stdout.contains(&format!("{name}     does not run\n")), "{}", status.stdout);
    }
    let up_again = place.call("up --with postgres").with_status(1);
    let told = "broker-2, postgres does not run; `orderflow cluster down`";
    assert!(up_again.stderr.contains(told), "{}", up_again.stderr);

    let down = line(&format!(" cluster down --folder {}", place.folder.display()));
    assert_eq!(paste(&down), Some(0));
    assert!(!place.folder.exists() && !database.exists());
}

fn a_database_beside_it_is_started_shown_and_found(place: &Place) {
    let up = place.call("up --with postgres").with_status(0);
    assert_eq!(up.stderr, "it runs already\nstarting PostgreSQL\n");
    let file = place.folder.join("database.env");
    assert!(up.stdout.contains(&format!("database     {}\n", file.display())), "{}", up.stdout);
    assert_eq!(mode(&file), 0o600);
    let status = place.call("status").with_status(0);
    assert!(status.stdout.contains("\npostgres     runs, process "), "{}", status.stdout);
    // Its table is made by the first who wants it.
    let line = |end: &str| up.stdout.lines().find(|line| line.ends_with(end)).unwrap().to_owned();
    assert_eq!(paste(&line(" health)")), Some(1));
    assert_eq!(paste(&line(" audit food)")), Some(0));
    assert_eq!(paste(&line(" health)")), Some(0));
}

#[test]
fn where_there_is_no_cluster_status_fails_and_down_has_nothing_to_do() {
    let place = Place::new();
    let status = place.call("status").with_status(1);
    assert!(status.stderr.ends_with("no cluster there; `orderflow cluster up` starts one\n"), "{}", status.stderr);
    let down = place.call("down").with_status(0);
    assert!(down.stderr.ends_with("no cluster there, so nothing to end\n"), "{}", down.stderr);
}

#[test]
fn a_folder_with_something_else_in_it_is_neither_used_nor_removed() {
    let place = Place::new();
    fs::create_dir(&place.folder).unwrap();
    let file = place.folder.join("something");
    fs::write(&file, "").unwrap();
    let up = place.call("up").with_status(2);
    assert!(up.stderr.contains("not empty, and no cluster of ours"), "{}", up.stderr);
    let down = place.call("down").with_status(1);
    assert!(down.stderr.contains("no cluster was started there"), "{}", down.stderr);
    assert!(file.exists());
}

#[test]
fn without_kafka_it_says_what_provides_it() {
    let place = Place::new();
    let up = |variable: &str, value: &str| {
        let call = orderflow(&format!("cluster up --folder {}", place.folder.display()));
        call.env("KAFKA_HOME", "").env(variable, value).end().with_status(2).stderr
    };
    let missing = up("XDG_CACHE_HOME", "/nowhere");
    assert!(missing.contains("/nowhere/orderflow/kafka is not there; run `ci/kafka-dist` once"), "{missing}");
    let wrong = up("KAFKA_HOME", "/nowhere");
    assert!(wrong.contains("/nowhere: no libs/kafka_2.13-*.jar"), "{wrong}");
    assert!(!place.folder.exists());
}

#[test]
fn a_folder_that_no_shell_takes_as_it_is_is_refused() {
    let ended = orderflow("cluster up --folder it's").end().with_status(2);
    assert!(ended.stderr.contains("allowed are letters, digits and /._-+@,:="), "{}", ended.stderr);
}
