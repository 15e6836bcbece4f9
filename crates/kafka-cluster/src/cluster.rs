//! Nodes that run, and what can be done to them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use kafka_transport::{Admin, Ca, Connection};
use nix::sys::signal::Signal;
use nursery::Nursery;
use nursery::process::{self, Identity};

use crate::folder::Folder;
use crate::launch::{LOG, Launch};
use crate::ports::Ports;
use crate::{ADMIN, Detached, Error, Proxy};

/// How long nodes may take until they are ready: with twenty times the work that two cores can do, six were seen to take a minute.
const READY_DEADLINE: Duration = Duration::from_secs(120);
/// How long a node may take to end in order: a broker hands its partitions over, a node that was asked to writes its archive.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// How long ZooKeeper may take to end a killed broker's session: six seconds, and longer after an election.
const FORGOTTEN_DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
const TAIL_LINES: usize = 20;

/// A broker's last word before it serves, in both modes; ZooKeeper is asked.
const STARTED: &str = "started (kafka.server.Kafka";
/// A broker that ends by itself before it serves says so, and why. ZooKeeper's reasons pass: a session that was slow to be
/// confirmed, or that of the broker before it.
const NOT_STARTED: &str = "fatal exception during startup";
const PASSING: &str = "KeeperException$";
/// How often such a broker is started again, as systemd does on a host.
const RESTARTS: u32 = 3;
const PORT_TAKEN: [&str; 2] = ["Address already in use", "BindException"];

/// A node of a cluster; the ids begin with 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// A ZooKeeper server.
    ZooKeeper(u8),
    /// A broker.
    Broker(u8),
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZooKeeper(id) => write!(f, "zookeeper-{id}"),
            Self::Broker(id) => write!(f, "broker-{id}"),
        }
    }
}

/// A cluster that runs. It ends, and its files go, when this is dropped; also when our process is killed.
///
/// A test that panics keeps the logs of all nodes and says where.
pub struct Cluster {
    brokers: String,
    users: Users,
    nodes: BTreeMap<Node, Running>,
    zookeeper_ports: BTreeMap<Node, u16>,
    proxies: BTreeMap<u8, Proxy>,
    nursery: Nursery,
    folder: Folder,
    outlives_us: bool,
}

/// What is needed to start one.
pub(crate) struct Parts {
    pub(crate) brokers: String,
    pub(crate) users: Users,
    pub(crate) launches: BTreeMap<Node, Launch>,
    pub(crate) zookeeper_ports: BTreeMap<Node, u16>,
    pub(crate) proxies: BTreeMap<u8, Proxy>,
    pub(crate) nursery: Nursery,
    pub(crate) folder: Folder,
    /// Held until the nodes start.
    pub(crate) ports: Ports,
}

/// Who may log in; nobody on a cluster without security.
#[derive(Default)]
pub(crate) struct Users {
    pub(crate) passwords: BTreeMap<String, String>,
    pub(crate) ca: Option<PathBuf>,
}

struct Running {
    launch: Launch,
    process: Mutex<Process>,
}

struct Process {
    child: Child,
    /// Where the log of this start begins.
    log_from: u64,
}

impl Cluster {
    /// Starts every node and waits until all are ready; `None` if somebody else took one of the ports.
    pub(crate) fn start(parts: Parts) -> Result<Option<Self>, Error> {
        let Parts { brokers, users, launches, zookeeper_ports, proxies, nursery, folder, ports } = parts;
        let nodes = BTreeMap::new();
        let mut cluster = Self { brokers, users, nodes, zookeeper_ports, proxies, nursery, folder, outlives_us: false };
        drop(ports);
        // All at once: brokers wait for ZooKeeper by themselves.
        for (node, launch) in launches {
            let process = Mutex::new(cluster.spawn(node, &launch)?);
            cluster.nodes.insert(node, Running { launch, process });
        }
        match cluster.await_ready() {
            Ok(()) => Ok(Some(cluster)),
            Err(Error::NodeEnded { logs, .. }) if cluster.met_a_taken_port() => {
                // Nobody reads them: the next try begins anew.
                let _ = fs::remove_dir_all(logs);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Addresses of all brokers, `HOST:PORT,...`: where a client begins.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// How to reach the brokers: as [`ADMIN`], or without a user where there is no security.
    pub fn connection(&self) -> Connection {
        self.connection_as(ADMIN).unwrap_or_else(|_| Connection::plaintext(&self.brokers))
    }

    /// How to reach the brokers as one of the users.
    ///
    /// # Errors
    /// A user who is not there.
    pub fn connection_as(&self, user: &str) -> Result<Connection, Error> {
        let no_such_user = || Error::NoSuchUser(user.to_owned());
        let password = self.password(user)?;
        let ca = self.users.ca.clone().ok_or_else(no_such_user)?;
        Ok(Connection::sasl_ssl(&self.brokers, user, password, Ca::File(ca)))
    }

    /// A user's password.
    ///
    /// # Errors
    /// A user who is not there.
    pub fn password(&self, user: &str) -> Result<&str, Error> {
        self.users.passwords.get(user).map(String::as_str).ok_or_else(|| Error::NoSuchUser(user.to_owned()))
    }

    /// The certificate authority that signed the brokers' certificates; `None` without security.
    pub fn ca_file(&self) -> Option<&Path> {
        self.users.ca.as_deref()
    }

    /// All nodes, ZooKeeper first.
    pub fn nodes(&self) -> impl Iterator<Item = Node> {
        self.nodes.keys().copied()
    }

    /// What stands before a broker, on a cluster [behind proxies](crate::Options::behind_proxies).
    ///
    /// # Errors
    /// A broker that is not there, or has no proxy.
    pub fn proxy(&self, broker: u8) -> Result<&Proxy, Error> {
        self.proxies.get(&broker).ok_or(Error::NoProxy(Node::Broker(broker)))
    }

    /// Ends a node at once, as a crash would (SIGKILL). One that has ended stays so.
    ///
    /// # Errors
    /// A node that is not there.
    pub fn kill(&self, node: Node) -> Result<(), Error> {
        end(&mut self.process(node)?.child).map_err(Error::io(format!("end {node}")))
    }

    /// Ends a node in order (SIGTERM), and waits for it: a broker hands its partitions over first.
    ///
    /// # Errors
    /// A node that is not there, or still runs after its deadline.
    pub fn stop(&self, node: Node) -> Result<(), Error> {
        match ends_politely(&mut self.process(node)?.child).map_err(Error::io(format!("end {node}")))? {
            true => Ok(()),
            false => Err(Error::NotStopped { node, deadline_s: STOP_DEADLINE.as_secs() }),
        }
    }

    /// Lets a node stand still, with all its connections open (SIGSTOP).
    ///
    /// # Errors
    /// A node that is not there.
    pub fn freeze(&self, node: Node) -> Result<(), Error> {
        self.signal(node, Signal::SIGSTOP)
    }

    /// Lets a frozen node go on (SIGCONT).
    ///
    /// # Errors
    /// A node that is not there.
    pub fn thaw(&self, node: Node) -> Result<(), Error> {
        self.signal(node, Signal::SIGCONT)
    }

    /// Starts a node again with its data, after a kill if it still runs. Does not wait for it: [`Cluster::await_ready`] does.
    ///
    /// ZooKeeper takes a killed broker for alive until its session has ended, after six seconds. A broker that starts before that
    /// finds its own name taken and ends: so it is started then.
    ///
    /// # Errors
    /// A node that is not there or does not start.
    pub fn restart(&self, node: Node) -> Result<(), Error> {
        let launch = &self.running(node)?.launch;
        let mut process = self.process(node)?;
        end(&mut process.child).map_err(Error::io(format!("end {node}")))?;
        if let Node::Broker(id) = node {
            self.await_forgotten(id);
        }
        *process = self.spawn(node, launch)?;
        Ok(())
    }

    /// Whether a node's process is there; a frozen one is.
    ///
    /// # Errors
    /// A node that is not there.
    pub fn is_running(&self, node: Node) -> Result<bool, Error> {
        let status = self.process(node)?.child.try_wait();
        Ok(status.map_err(Error::io(format!("look at {node}")))?.is_none())
    }

    /// The number of a node's process.
    ///
    /// # Errors
    /// A node that is not there.
    pub fn pid(&self, node: Node) -> Result<u32, Error> {
        Ok(self.process(node)?.child.id())
    }

    /// How much of the machine's memory all nodes hold, in MiB.
    pub fn resident_mib(&self) -> u64 {
        let pids = self.nodes().filter_map(|node| self.pid(node).ok());
        pids.map(nursery::resident_kib).sum::<u64>() / 1024
    }

    /// Waits until every node serves, and a client that logs in sees all brokers.
    ///
    /// # Errors
    /// A node that ended, or that took too long, with the end of its log.
    pub fn await_ready(&self) -> Result<(), Error> {
        let deadline = Instant::now() + READY_DEADLINE;
        self.await_nodes(deadline)?;
        let admin = Admin::connect(&self.connection())?;
        let is_broker = |node: &Node| matches!(node, Node::Broker(_));
        // Each serves before all of them have heard of it.
        while admin.brokers()?.len() < self.nodes().filter(is_broker).count() {
            if Instant::now() >= deadline {
                return Err(self.not_ready(Node::Broker(1)));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    fn await_nodes(&self, deadline: Instant) -> Result<(), Error> {
        let mut restarts = 0;
        for node in self.nodes() {
            loop {
                // Whichever of them it is: that one is the reason why the others wait.
                if let Some((ended, status)) = self.ended_node()? {
                    if restarts == RESTARTS || !self.ended_for_a_passing_reason(ended) {
                        return Err(self.node_ended(ended, status));
                    }
                    restarts += 1;
                    self.restart(ended)?;
                }
                if self.is_ready(node)? {
                    break;
                }
                if Instant::now() >= deadline {
                    return Err(self.not_ready(node));
                }
                thread::sleep(POLL);
            }
        }
        Ok(())
    }

    /// Leaves the nodes running.
    pub(crate) fn detach(mut self) -> Result<Detached, Error> {
        self.outlives_us = true;
        self.folder.stay();
        Detached::open(self.folder.path())
    }

    fn spawn(&self, node: Node, launch: &Launch) -> Result<Process, Error> {
        let log_from = fs::metadata(launch.log()).map_or(0, |log| log.len());
        let child = launch.command().and_then(|command| self.nursery.spawn(command));
        let child = child.map_err(Error::io(format!("start {node}")))?;
        let identity = Identity::of(child.id()).map(Identity::to_line);
        self.folder.write(&format!("{node}/{PID}"), identity.unwrap_or_default())?;
        Ok(Process { child, log_from })
    }

    fn running(&self, node: Node) -> Result<&Running, Error> {
        self.nodes.get(&node).ok_or(Error::NoSuchNode(node))
    }

    fn process(&self, node: Node) -> Result<MutexGuard<'_, Process>, Error> {
        Ok(self.running(node)?.process.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn signal(&self, node: Node, signal: Signal) -> Result<(), Error> {
        let process = self.process(node)?;
        process::signal_to(process.child.id(), signal).map_err(Error::io(format!("send {signal} to {node}")))
    }

    fn is_ready(&self, node: Node) -> Result<bool, Error> {
        let running = self.running(node)?;
        Ok(match self.zookeeper_ports.get(&node) {
            Some(&port) => ask(port, "srvr").is_ok_and(|answer| answer.contains("Mode: ")),
            None => log_of(running).contains(STARTED),
        })
    }

    /// Waits until ZooKeeper has ended the session of a broker, where there is a ZooKeeper that can tell.
    fn await_forgotten(&self, broker: u8) {
        let deadline = Instant::now() + FORGOTTEN_DEADLINE;
        let own = format!("\t/brokers/ids/{broker}\n");
        let knows_it = |&port: &u16| ask(port, "dump").is_ok_and(|answer| answer.contains(&own));
        while self.zookeeper_ports.values().any(knows_it) && Instant::now() < deadline {
            thread::sleep(POLL);
        }
    }

    fn not_ready(&self, node: Node) -> Error {
        let tail = self.nodes.get(&node).map(|running| tail(&log_of(running))).unwrap_or_default();
        Error::NotReady { node, deadline_s: READY_DEADLINE.as_secs(), tail, logs: self.keep_logs() }
    }

    fn ended_node(&self) -> Result<Option<(Node, ExitStatus)>, Error> {
        for node in self.nodes() {
            let status = self.process(node)?.child.try_wait().map_err(Error::io(format!("look at {node}")))?;
            if let Some(status) = status {
                return Ok(Some((node, status)));
            }
        }
        Ok(None)
    }

    fn node_ended(&self, node: Node, status: ExitStatus) -> Error {
        let tail = self.nodes.get(&node).map(|running| tail(&log_of(running))).unwrap_or_default();
        Error::NodeEnded { node, status: status.to_string(), tail, logs: self.keep_logs() }
    }

    fn ended_for_a_passing_reason(&self, node: Node) -> bool {
        let log = self.nodes.get(&node).map(log_of).unwrap_or_default();
        log.split_once(NOT_STARTED).is_some_and(|(_, reason)| reason.contains(PASSING))
    }

    /// Ends politely the nodes that record their classes, a broker before ZooKeeper: it takes its leave there.
    fn record_classes(&mut self) {
        for running in self.nodes.values_mut().rev() {
            let Some(recording) = running.launch.recording() else { continue };
            let child = &mut running.process.get_mut().unwrap_or_else(PoisonError::into_inner).child;
            if matches!(child.try_wait(), Ok(None)) && ends_politely(child).unwrap_or(false) {
                recording.finish();
            }
        }
    }

    fn met_a_taken_port(&self) -> bool {
        self.nodes.values().any(|running| {
            let log = log_of(running);
            PORT_TAKEN.iter().any(|text| log.contains(text))
        })
    }

    fn keep_logs(&self) -> PathBuf {
        self.folder.keep(&self.nodes().map(|node| format!("{node}/{LOG}")).collect::<Vec<_>>())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.outlives_us {
            return;
        }
        if !thread::panicking() {
            self.record_classes();
        }
        for running in self.nodes.values_mut() {
            let process = running.process.get_mut().unwrap_or_else(PoisonError::into_inner);
            // One that can't be ended now is ended by the system together with us.
            let _ = end(&mut process.child);
        }
        if thread::panicking() {
            let _ = writeln!(io::stderr(), "logs of the cluster's nodes are kept in {}", self.keep_logs().display());
        }
    }
}

/// What a node's number is called in its folder.
pub(crate) const PID: &str = "pid";

fn end(child: &mut Child) -> io::Result<()> {
    child.kill()?;
    child.wait().map(drop)
}

/// Whether it ended in time once it was asked to.
fn ends_politely(child: &mut Child) -> io::Result<bool> {
    let deadline = Instant::now() + STOP_DEADLINE;
    process::signal_to(child.id(), Signal::SIGTERM)?;
    while child.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        thread::sleep(POLL);
    }
    Ok(true)
}

/// What a node has logged since it was last started.
fn log_of(running: &Running) -> String {
    let from = running.process.lock().unwrap_or_else(PoisonError::into_inner).log_from;
    let log = fs::read(running.launch.log()).unwrap_or_default();
    let log = usize::try_from(from).ok().and_then(|from| log.get(from..)).unwrap_or_default();
    String::from_utf8_lossy(log).into_owned()
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// Asks a ZooKeeper server: `srvr` how it is, `dump` which sessions hold which nodes.
fn ask(port: u16, question: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(question.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
