//! What may become of the database while orders flow: the consumer waits, says why, and loses nothing.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use events::Event;
use events::food::FoodOrder;
use nix::unistd::{User, geteuid};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::flows::{CONSUMER, PRODUCER};
use crate::scene::Scene;
use crate::until;
use crate::worker::Worker;

/// Orders of each outage.
const ORDERS: u64 = 300;

/// Who stores orders: no superuser, for whom some rules do not hold.
const ROLE: &str = "kitchen";

#[test]
fn a_database_that_is_away_refuses_or_is_full_is_waited_for_and_no_order_is_lost() {
    let mut scene = Scene::start(|options| options);
    sql(&scene, "postgres", &format!("CREATE ROLE {ROLE} LOGIN PASSWORD '{ROLE}'"));
    sql(&scene, "postgres", &format!("CREATE DATABASE {ROLE} OWNER {ROLE}"));
    let consumer = consumer(&scene);

    it_is_away_for_half_a_minute(&mut scene, &consumer);
    for (break_it, mend_it, told) in [
        (
            "ALTER ROLE kitchen SET default_transaction_read_only = on",
            "ALTER ROLE kitchen RESET default_transaction_read_only",
            "in a read-only transaction",
        ),
        (
            "ALTER ROLE kitchen CONNECTION LIMIT 0",
            "ALTER ROLE kitchen CONNECTION LIMIT -1",
            "too many connections for role",
        ),
        (
            "ALTER TABLE food.orders RENAME TO hidden",
            "ALTER TABLE food.hidden RENAME TO orders",
            "relation \"food.orders\" does not exist",
        ),
    ] {
        it_refuses_and_is_mended(&scene, &consumer, break_it, mend_it, told);
    }
    it_is_full_and_gets_room(&scene, &consumer);
    consumer.terminate().with_status(0);
}

/// The consumer with a user and a database of its own.
fn consumer(scene: &Scene) -> Worker {
    let call = scene.call(CONSUMER, "work food_consumer --listen 127.0.0.1:0").env("DATABASE_URL", &url(scene));
    let consumer = Worker::start(call);
    consumer.await_told("ready");
    consumer
}

/// That database, as its own user.
fn url(scene: &Scene) -> String {
    let (_, rest) =
        scene.database.url().split_once('@').map(|(user, rest)| (user.to_owned(), rest.to_owned())).unwrap();
    format!("postgres://{ROLE}:{ROLE}@{}", rest.replacen("/postgres", &format!("/{ROLE}"), 1))
}

/// Runs a statement in a database, as superuser.
fn sql(scene: &Scene, database: &str, statement: &str) -> String {
    let mut psql = Command::new("psql");
    psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--set", "ON_ERROR_STOP=1", "--command"]);
    let ended = psql.args([statement, &scene.database.url_of(database)]).output().unwrap();
    assert!(ended.status.success(), "{statement}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap().trim().to_owned()
}

/// Ends the connections of others: what was changed holds from the next one on.
fn disconnect(scene: &Scene) {
    sql(scene, "postgres", &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'"));
}

fn place(scene: &Scene) {
    let call = format!("work food_producer --orders {ORDERS} --rate 10000");
    scene.call(PRODUCER, &call).end().with_status(0);
}

/// Waits until all that was placed stands in the table, each order once.
#[track_caller]
fn await_all(scene: &Scene) {
    let placed = scene.records(FoodOrder::TOPIC).to_string();
    until("every order is stored", || sql(scene, ROLE, "SELECT count(*) FROM food.orders") == placed);
    let call = scene.call(kafka_cluster::ADMIN, "audit food --wait 60s --format json").env("DATABASE_URL", &url(scene));
    let audit = call.end().with_status(0).document();
    assert_eq!(audit["orders"]["accepted"].to_string(), placed, "{audit}");
    assert_eq!(audit["skipped"], json!({}), "{audit}");
}

/// Waits until the consumer's log gives this as the reason why records come again.
#[track_caller]
fn await_reason(consumer: &Worker, reason: &str) {
    let is_told = |line: &Value| line["reason"].as_str().is_some_and(|text| text.contains(reason));
    until(&format!("the log says {reason}"), || consumer.lines().iter().any(is_told));
}

fn it_is_away_for_half_a_minute(scene: &mut Scene, consumer: &Worker) {
    scene.database.kill().unwrap();
    place(scene);
    await_reason(consumer, "connection refused");
    thread::sleep(Duration::from_secs(30));
    // A group that waits is alive: it has not lost its partitions.
    let (status, said) = consumer.get("/health/ready");
    assert_eq!(status, 200, "{said}");
    scene.database.restart().unwrap();
    await_all(scene);
}

fn it_refuses_and_is_mended(scene: &Scene, consumer: &Worker, break_it: &str, mend_it: &str, told: &str) {
    sql(scene, ROLE, break_it);
    disconnect(scene);
    place(scene);
    await_reason(consumer, told);
    sql(scene, ROLE, mend_it);
    disconnect(scene);
    await_all(scene);
}

fn it_is_full_and_gets_room(scene: &Scene, consumer: &Worker) {
    let Some(disk) = SmallDisk::mount() else {
        println!("left out: a disk that is full, which takes root to mount");
        return;
    };
    sql(scene, ROLE, &format!("CREATE TABLESPACE small LOCATION '{}'", disk.path().display()));
    sql(scene, ROLE, "ALTER TABLE food.orders SET TABLESPACE small");
    // Orders until it is full.
    let is_full = |line: &Value| line["reason"].as_str().is_some_and(|text| text.contains("No space left on device"));
    until("the disk is full", || {
        place(scene);
        consumer.lines().iter().any(is_full)
    });
    disk.grow();
    await_all(scene);
    sql(scene, ROLE, "ALTER TABLE food.orders SET TABLESPACE pg_default");
    sql(scene, ROLE, "DROP TABLESPACE small");
}

/// A disk of a few MiB, for the server's user.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// `None` where we may not mount.
    fn mount() -> Option<Self> {
        if !geteuid().is_root() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mounted = mount(&["-t", "tmpfs", "-o", "size=2m", "tmpfs"], folder.path());
        let this = Self { folder };
        if !mounted {
            return None;
        }
        let owner = User::from_name("postgres").unwrap().or_else(|| User::from_name("nobody").unwrap()).unwrap();
        for folder in [this.folder.path().to_owned(), this.path()] {
            fs::create_dir_all(&folder).unwrap();
            chown(&folder, Some(owner.uid.as_raw()), Some(owner.gid.as_raw())).unwrap();
        }
        Some(this)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("orders")
    }

    fn grow(&self) {
        assert!(mount(&["-o", "remount,size=100m"], self.folder.path()));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The server may still hold files of it: it goes once they are closed.
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
    }
}

fn mount(arguments: &[&str], at: &Path) -> bool {
    Command::new("mount").args(arguments).arg(at).status().is_ok_and(|status| status.success())
}
