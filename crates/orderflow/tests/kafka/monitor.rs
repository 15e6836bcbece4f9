use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use kafka_cluster::{Cluster, Node, Options};
use kafka_transport::{BROKERS, CA_FILE, CA_PEM, PASSWORD, USERNAME};
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use serde_json::Value;

use crate::until::{until, until_or_told};
use crate::worker::Worker;
use crate::{on, start};

const GROUP: &str = "payment_processor.order_placed";

fn look(cluster: &Cluster) -> Value {
    on(cluster, "monitor --once --format json --interval 250ms --system shop").end().with_status(0).document()
}

fn group(document: &Value) -> &Value {
    document["groups"].as_array().unwrap().iter().find(|group| group["group"] == GROUP).unwrap()
}

#[test]
fn a_group_lags_by_each_order_that_nobody_has_handled_and_by_none_after_a_worker_has_run() {
    let cluster = start(&Options::kraft());
    // Without its topic a group has nothing to be behind with.
    let before = look(&cluster);
    assert_eq!((&before["brokers"], &group(&before)["lag"]), (&1.into(), &Value::Null));
    on(&cluster, "topics create").end().with_status(0);
    assert_eq!(group(&look(&cluster))["lag"], 0);

    on(&cluster, "work order_generator --orders 250 --rate 3000 --seed 7").end().with_status(0);
    let waiting = look(&cluster);
    let payments = group(&waiting);
    assert_eq!((&payments["lag"], &payments["members"]), (&250.into(), &0.into()));
    assert_eq!((&payments["trend"], &payments["in_per_s"]), (&"steady".into(), &0.0.into()));
    let partitions = payments["partitions"].as_array().unwrap();
    assert_eq!(partitions.iter().map(|part| part["lag"].as_u64().unwrap()).sum::<u64>(), 250);
    let orders = waiting["topics"].as_array().unwrap().iter().find(|topic| topic["topic"] == "order_placed").unwrap();
    assert_eq!((&orders["records"], &orders["partitions"]), (&250.into(), &3.into()));
    let text = on(&cluster, "monitor --once --interval 250ms").end().with_status(0).stdout;
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let line = text.lines().find(|line| line.starts_with("payment_processor ")).unwrap();
    assert_eq!(words(line), ["payment_processor", "order_placed", "0", "250", "steady", "0", "0"]);

    let worker = Worker::start(on(&cluster, "work payment_processor --reject 10% --listen 127.0.0.1:0"));
    let address = worker.await_told("listening")["address"].as_str().unwrap().to_owned();
    until("nothing is behind", || group(&look(&cluster))["lag"] == 0);
    let done = look(&cluster);
    assert_eq!((&group(&done)["members"], &group(&done)["lag"]), (&1.into(), &0.into()));
    let given_up = group(&done)["dead_letters"].as_u64().unwrap();
    let results = done["topics"].as_array().unwrap().iter().find(|topic| topic["topic"] == "payment_result").unwrap();
    assert!(given_up > 0, "{done}");
    assert_eq!(results["records"].as_u64().unwrap() + given_up, 250);

    let asked = format!("monitor --once --interval 250ms --system shop --worker {address} --worker 127.0.0.1:1");
    let told = on(&cluster, &format!("{asked} --format json")).end().with_status(0).document();
    let [worker_told, nobody] = &told["workers"].as_array().unwrap()[..] else { panic!("{told}") };
    let counts = &worker_told["groups"][0];
    assert_eq!((&counts["service"], &counts["topic"]), (&"payment_processor".into(), &"order_placed".into()));
    assert_eq!((&counts["handled"], &counts["given_up"]), (&(250 - given_up).into(), &given_up.into()));
    assert_eq!(
        (&counts["breaker"], &counts["lag"], &worker_told["error"]),
        (&"closed".into(), &0.into(), &Value::Null)
    );
    assert_eq!((&nobody["address"], &nobody["groups"]), (&"127.0.0.1:1".into(), &Value::Array(Vec::new())));
    assert!(nobody["error"].as_str().unwrap().contains("refused"), "{nobody}");
    let text = on(&cluster, &asked).end().with_status(0).stdout;
    assert!(
        text.contains(&format!("\n{address}: 1 group\nservice")) && text.contains("\n127.0.0.1:1: NO ANSWER: "),
        "{text}"
    );
    worker.terminate().with_status(0);
}

#[test]
fn on_a_terminal_it_follows_a_cluster_that_goes_and_comes_and_gives_the_terminal_back() {
    let cluster = start(&Options::kraft());
    on(&cluster, "topics create").end().with_status(0);
    let monitor = OnTerminal::start(&cluster);
    monitor.await_shown("answers,");
    monitor.await_shown("payment_processor");
    cluster.freeze(Node::Broker(1)).unwrap();
    monitor.await_shown("AWAY");
    cluster.thaw(Node::Broker(1)).unwrap();
    monitor.await_shown("answers,");
    (&monitor.master).write_all(b"q").unwrap();
    assert_eq!(monitor.end(), Some(0));

    let monitor = OnTerminal::start(&cluster);
    monitor.await_shown("payment_processor");
    for _ in 0..2 {
        kill(Pid::from_raw(monitor.child.id().cast_signed()), Signal::SIGTERM).unwrap();
    }
    assert_eq!(monitor.end(), Some(130));
}

/// `orderflow monitor` on a terminal of its own.
struct OnTerminal {
    child: Child,
    master: File,
    slave: OwnedFd,
    /// What was written since the last look.
    written: Arc<Mutex<String>>,
}

impl OnTerminal {
    fn start(cluster: &Cluster) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(&size, None).unwrap();
        let end = || Stdio::from(slave.try_clone().unwrap());
        // Whoever runs the tests may have a terminal, too: this one is the command's own.
        let mut command = Command::new("setsid");
        for name in [BROKERS, USERNAME, PASSWORD, CA_FILE, CA_PEM] {
            command.env_remove(name);
        }
        let child = command
            .args(["--ctty", env!("CARGO_BIN_EXE_orderflow"), "monitor", "--interval", "250ms", "--brokers"])
            .arg(cluster.brokers())
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let (master, written) = (File::from(master), Arc::<Mutex<String>>::default());
        std::thread::spawn({
            let (mut master, written) = (master.try_clone().unwrap(), Arc::clone(&written));
            move || {
                let mut bytes = [0; 4096];
                while let Ok(length @ 1..) = master.read(&mut bytes) {
                    *written.lock().unwrap() += &String::from_utf8_lossy(&bytes[..length]);
                }
            }
        });
        Self { child, master, slave, written }
    }

    /// Waits until this is written; looks behind it from then on.
    #[track_caller]
    fn await_shown(&self, text: &str) {
        let is_shown = || {
            let mut written = self.written.lock().unwrap();
            let found = written.find(text).map(|at| at + text.len());
            found.inspect(|&end| drop(written.drain(..end))).is_some()
        };
        until_or_told(&format!("the screen shows {text}"), is_shown, || {
            format!("; was written: {:?}", self.written.lock().unwrap())
        });
    }

    /// Waits for its end, and for the terminal as it was; answers with the exit status.
    fn end(mut self) -> Option<i32> {
        let status = self.child.wait().unwrap().code();
        self.await_shown("\u{1b}[?1049l"); // the screen that was there before
        let modes = tcgetattr(&self.slave).unwrap().local_flags;
        assert!(modes.contains(LocalFlags::ICANON | LocalFlags::ECHO), "{modes:?}");
        status
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        // One that has ended is not there to be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
