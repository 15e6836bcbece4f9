//! A server that runs, and what can be done to it.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::ops::RangeInclusive;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nursery::{Nursery, process};

use crate::certificates::Certificates;
use crate::folder::{Folder, Owner};
use crate::programs::Programs;
use crate::{Error, Options};

/// Below those that the system gives to outgoing connections, from 32,768 on: while the server is down no client that calls it
/// gets its port by chance, and speaks with itself.
const PORTS: RangeInclusive<u16> = 20_000..=31_999;
const PORT_TRIES: u32 = 5;
const PORT_TAKEN: &str = "Address already in use";

/// How long it may take until it is ready: after a crash it first reads what it had written ahead.
const READY_DEADLINE: Duration = Duration::from_secs(60);
/// How long it may take to end in order.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);
const TAIL_LINES: usize = 20;

const LOG: &str = "log";
const PASSWORD: &str = "password";
/// Of a server that goes on without us: what whoever finds its folder needs.
pub(crate) const URL: &str = "url";
const USER: &str = "postgres";

/// A server that runs. It ends, and its files go, when this is dropped; also when our process is killed.
pub struct Server {
    options: Options,
    programs: Programs,
    owner: Option<Owner>,
    port: u16,
    password: String,
    ca: Option<PathBuf>,
    child: Option<Child>,
    /// What ends its processes together with ours; `None` where they outlive it.
    nursery: Option<Nursery>,
    folder: Folder,
}

impl Server {
    /// Starts one without [`Options`], and waits until it answers.
    ///
    /// # Errors
    /// No PostgreSQL on this machine, or one that does not start, with the end of its log.
    pub fn start() -> Result<Self, Error> {
        Options::default().start()
    }

    pub(crate) fn start_with(options: Options) -> Result<Self, Error> {
        let owner = Owner::find()?;
        let nursery = Nursery::start().map_err(Error::io("start a thread"))?;
        Self::start_in(options, owner, Folder::temporary(owner)?, Some(nursery))
    }

    /// Starts one that goes on without us; answers with its folder, in which its URL stands.
    pub(crate) fn start_lasting(options: Options) -> Result<PathBuf, Error> {
        let owner = Owner::find()?;
        let mut server = Self::start_in(options, owner, Folder::lasting(owner)?, None)?;
        server.folder.write(URL, &server.url())?;
        server.child = None; // whose end is not ours to see
        Ok(server.folder.keep())
    }

    fn start_in(
        options: Options,
        owner: Option<Owner>,
        folder: Folder,
        nursery: Option<Nursery>,
    ) -> Result<Self, Error> {
        let programs = Programs::find()?;
        let password = format!("{:032x}", rand::random::<u128>());
        let ca = if options.speaks_tls { Some(write_certificates(&folder)?) } else { None };
        let (child, port) = (None, 0);
        let mut server = Self { options, programs, owner, port, password, ca, child, nursery, folder };
        server.initialize()?;
        for _ in 0..PORT_TRIES {
            server.port = free_port()?;
            match server.restart() {
                Err(Error::Ended { tail, .. }) if tail.contains(PORT_TAKEN) => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(server),
            }
        }
        Err(Error::PortsTaken { tries: PORT_TRIES })
    }

    /// The database `postgres`, which is there from the start, as a superuser reaches it: `postgres://...`, in the form of
    /// `DATABASE_URL`.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// As [`Server::url`], another database of this server, which need not be there yet.
    pub fn url_of(&self, database: &str) -> String {
        let tls = self.ca.as_ref().map(|ca| format!("?sslmode=verify-full&sslrootcert={}", ca.display()));
        let (password, tls) = (&self.password, tls.unwrap_or_default());
        format!("postgres://{USER}:{password}@127.0.0.1:{}/{database}{tls}", self.port)
    }

    /// The authority that signed the server's certificate; `None` without TLS.
    pub fn ca_file(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// Ends it in order, whoever is connected (a fast shutdown), and waits for it. One that has ended stays so.
    ///
    /// # Errors
    /// A server that still runs after its deadline, such as a frozen one.
    pub fn stop(&mut self) -> Result<(), Error> {
        self.end_by(Signal::SIGINT)
    }

    /// Ends it at once with all its processes, as a crash would (SIGKILL). One that has ended stays so.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn kill(&mut self) -> Result<(), Error> {
        // Standing still, it starts none that would not be listed, and none of them hears of another's end and takes its leave.
        self.freeze()?;
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let children = process::children(child.id());
        let killed = child.kill().and_then(|()| child.wait());
        let killed = killed.and_then(|_| children.iter().try_for_each(|child| child.signal(Signal::SIGKILL)));
        killed.map_err(Error::io("kill PostgreSQL"))?;
        while children.iter().any(|child| child.runs()) {
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Starts it again with its data and at its address, after a stop if it still runs, and waits until it answers.
    ///
    /// # Errors
    /// A server that does not start, with the end of its log.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.stop()?;
        let mut command = self.command(&self.programs.postgres())?;
        command.arg("-D").arg(self.folder.data());
        for setting in self.settings() {
            command.arg("-c").arg(setting);
        }
        let log_from = fs::metadata(self.log()).map_or(0, |log| log.len());
        self.child = Some(self.spawn(command).map_err(Error::io("start postgres"))?);
        self.await_ready(log_from)
    }

    /// Lets it stand still with all its processes and connections (SIGSTOP). [`Server::kill`] ends a frozen one, too.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn freeze(&self) -> Result<(), Error> {
        self.signal_all(Signal::SIGSTOP)
    }

    /// Lets a frozen one go on (SIGCONT).
    ///
    /// # Errors
    /// What the system refuses.
    pub fn thaw(&self) -> Result<(), Error> {
        self.signal_all(Signal::SIGCONT)
    }

    fn signal_all(&self, signal: Signal) -> Result<(), Error> {
        let Some(child) = &self.child else { return Ok(()) };
        // The first one first: what stands still starts no other.
        let sent = process::signal_to(child.id(), signal);
        let sent = sent.and_then(|()| process::children(child.id()).iter().try_for_each(|child| child.signal(signal)));
        sent.map_err(Error::io(format!("send {signal} to PostgreSQL")))
    }

    /// Makes the data of a new server.
    fn initialize(&mut self) -> Result<(), Error> {
        let mut command = self.command(&self.programs.initdb())?;
        command.arg("-D").arg(self.folder.data());
        command.args(["--username", USER, "--encoding", "UTF8", "--locale", "C", "--auth", "scram-sha-256"]);
        command.arg("--pwfile").arg(self.folder.write(PASSWORD, &self.password)?);
        // Nobody misses it if the machine crashes now.
        command.args(["--no-sync", "--no-instructions"]);
        let child = self.spawn(command).and_then(|mut child| child.wait());
        let status = child.map_err(Error::io("run initdb"))?;
        if !status.success() {
            return Err(Error::Ended { program: "initdb", status: status.to_string(), tail: self.tail(0) });
        }
        let connection = if self.ca.is_some() { "hostssl" } else { "host" };
        // Nobody else: neither from elsewhere nor for replication.
        self.folder.write("data/pg_hba.conf", &format!("{connection} all all 127.0.0.1/32 scram-sha-256\n"))?;
        Ok(())
    }

    fn settings(&self) -> Vec<String> {
        let mut settings = vec![
            "listen_addresses=127.0.0.1".into(),
            format!("port={}", self.port),
            "unix_socket_directories=".into(),
            "logging_collector=off".into(),
            // In its folder instead of the machine's: they go with it, however it ends.
            "dynamic_shared_memory_type=mmap".into(),
            "shared_buffers=32MB".into(),
        ];
        if self.options.trusts_the_system {
            settings.push("fsync=off".into());
        }
        if self.ca.is_some() {
            let file = |name| self.folder.path().join(name).display().to_string();
            let (certificate, key) = (file(CERTIFICATE), file(KEY));
            settings.extend(["ssl=on".into(), format!("ssl_cert_file={certificate}"), format!("ssl_key_file={key}")]);
        }
        settings
    }

    /// A program of PostgreSQL, run by who may run it; its output is added to the log.
    fn command(&self, program: &Path) -> Result<Command, Error> {
        let log = File::options().create(true).append(true).open(self.log());
        let log =
            log.and_then(|log| Ok((log.try_clone()?, log))).map_err(Error::io(self.log().display().to_string()))?;
        let command = match &self.nursery {
            Some(_) => nursery::command(program),
            None => nursery::lasting_command(program),
        };
        let mut command = command.map_err(Error::io(format!("start {}", program.display())))?;
        // Without our environment: its variables are settings to these programs, too.
        command.env_clear().env("LC_ALL", "C").current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(log.0).stderr(log.1);
        if let Some(Owner { uid, gid }) = self.owner {
            // Before it asks to end with us: the system forgets that wish when the user changes.
            command.uid(uid).gid(gid);
        }
        Ok(command)
    }

    fn spawn(&self, mut command: Command) -> io::Result<Child> {
        match &self.nursery {
            Some(nursery) => nursery.spawn(command),
            None => command.spawn(),
        }
    }

    fn await_ready(&mut self, log_from: u64) -> Result<(), Error> {
        let deadline = Instant::now() + READY_DEADLINE;
        while !self.is_ready() {
            let Some(child) = &mut self.child else { break };
            if let Some(status) = child.try_wait().map_err(Error::io("look at postgres"))? {
                self.child = None;
                return Err(Error::Ended {
                    program: "postgres",
                    status: status.to_string(),
                    tail: self.tail(log_from),
                });
            }
            if Instant::now() >= deadline {
                return Err(Error::NotReady { deadline_s: READY_DEADLINE.as_secs(), tail: self.tail(log_from) });
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// It writes down its own number and how far it is; a file of another number is of the one before it.
    fn is_ready(&self) -> bool {
        let file = fs::read_to_string(self.folder.data().join("postmaster.pid")).unwrap_or_default();
        let lines: Vec<&str> = file.lines().map(str::trim).collect();
        let pid = self.child.as_ref().map(|child| child.id().to_string());
        lines.first().copied() == pid.as_deref() && lines.get(7) == Some(&"ready")
    }

    fn end_by(&mut self, signal: Signal) -> Result<(), Error> {
        let Some(child) = &mut self.child else { return Ok(()) };
        let deadline = Instant::now() + STOP_DEADLINE;
        process::signal_to(child.id(), signal).map_err(Error::io("stop PostgreSQL"))?;
        while child.try_wait().map_err(Error::io("look at postgres"))?.is_none() {
            if Instant::now() >= deadline {
                return Err(Error::NotStopped { deadline_s: STOP_DEADLINE.as_secs() });
            }
            thread::sleep(POLL);
        }
        self.child = None;
        Ok(())
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join(LOG)
    }

    /// The last lines of the log from there on.
    fn tail(&self, from: u64) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(log.get(usize::try_from(from).unwrap_or(0)..).unwrap_or_default());
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Without a last word to disk, which nobody reads again; a frozen one hears it once it is thawed.
        let ended = self.thaw().and_then(|()| self.end_by(Signal::SIGQUIT));
        if ended.is_err() {
            // One that can't be ended now is ended by the system together with us.
            let _ = self.kill();
        }
    }
}

const CERTIFICATE: &str = "server.crt";
const KEY: &str = "server.key";

/// Answers with the file of the authority.
fn write_certificates(folder: &Folder) -> Result<PathBuf, Error> {
    let certificates = Certificates::new()?;
    folder.write(CERTIFICATE, &certificates.certificate)?;
    folder.write(KEY, &certificates.key)?;
    folder.write("ca.pem", &certificates.ca)
}

/// One that was free a moment ago.
fn free_port() -> Result<u16, Error> {
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let found = (0..1_000).map(|_| rand::random_range(PORTS)).find(is_free);
    found.ok_or_else(|| Error::Io {
        doing: format!("find a free port of {PORTS:?} on 127.0.0.1"),
        source: io::ErrorKind::AddrInUse.into(),
    })
}
