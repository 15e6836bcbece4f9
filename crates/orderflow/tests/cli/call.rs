use std::fs::{self, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use kafka_transport::{BROKERS, CA_FILE, CA_PEM, PASSWORD, USERNAME};
use serde_json::Value;
use tempfile::TempDir;

/// The topology that ships.
pub(crate) const TOPOLOGY: &str = include_str!("../../../../topology.json");

/// A call to be: its arguments, its files, its input.
pub(crate) struct Call {
    command: Command,
    folder: TempDir,
    stdin: Vec<u8>,
    terminal: Option<OwnedFd>,
    is_mute: bool,
}

/// A call of `orderflow` with arguments that are apart by blanks.
pub(crate) fn orderflow(arguments: &str) -> Call {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_orderflow"));
    command.args(arguments.split_whitespace()).current_dir(&folder);
    // Whatever is set where the tests run.
    for name in
        ["RUST_LOG", "DATABASE_URL", BROKERS, USERNAME, PASSWORD, CA_FILE, CA_PEM, otlp::ENDPOINT, otlp::SAMPLER]
    {
        command.env_remove(name);
    }
    // With a backtrace on every panic, so that none goes unseen.
    command.env("RUST_BACKTRACE", "1");
    Call { command, folder, stdin: Vec::new(), terminal: None, is_mute: false }
}

impl Call {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// A file in the folder in which the command runs.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        fs::write(self.folder.path().join(name), content).unwrap();
        self
    }

    /// A second name of a file in that folder.
    pub(crate) fn hard_link(self, name: &str, link: &str) -> Self {
        fs::hard_link(self.folder.path().join(name), self.folder.path().join(link)).unwrap();
        self
    }

    /// A named pipe in that folder, held open: who reads it meets no end.
    pub(crate) fn pipe(self, name: &str) -> (Self, File) {
        let path = self.folder.path().join(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let held = File::options().read(true).write(true).open(path).unwrap();
        (self, held)
    }

    /// The topology that ships, changed, as `topology.json` in that folder.
    pub(crate) fn topology(self, change: impl FnOnce(&mut Value)) -> Self {
        let mut topology = serde_json::from_str(TOPOLOGY).unwrap();
        change(&mut topology);
        let mut call = self.file("topology.json", topology.to_string());
        call.command.args(["--topology", "topology.json"]);
        call
    }

    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// What is typed on this terminal is its stdin.
    pub(crate) fn terminal(mut self, terminal: OwnedFd) -> Self {
        self.terminal = Some(terminal);
        self
    }

    /// Nobody can be told anything.
    pub(crate) fn without_stderr(mut self) -> Self {
        self.is_mute = true;
        self
    }

    /// Starts it; both outputs are pipes.
    pub(crate) fn start(mut self) -> (Child, TempDir) {
        let stderr = match self.is_mute {
            true => File::options().write(true).open("/dev/full").unwrap().into(),
            false => Stdio::piped(),
        };
        let stdin = self.terminal.map_or_else(Stdio::piped, Stdio::from);
        let mut child = self.command.stdin(stdin).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        if let Some(mut pipe) = child.stdin.take() {
            // On a thread: a command that writes before it has read everything would block both. One that does not read is no
            // error.
            thread::spawn(move || pipe.write_all(&self.stdin));
        }
        (child, self.folder)
    }

    /// Runs it to its end.
    pub(crate) fn end(self) -> Ended {
        let (child, folder) = self.start();
        Ended::of(child.wait_with_output().unwrap(), folder)
    }
}

/// A call that ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit status; `None` if a signal ended it.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    folder: TempDir,
}

impl Ended {
    /// Whatever else happened: no call ever panics.
    pub(crate) fn of(output: Output, folder: TempDir) -> Self {
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        for word in ["panicked", "BACKTRACE"] {
            assert!(!stderr.contains(word), "{stderr}");
        }
        Self { status: output.status.code(), stdout, stderr, folder }
    }

    /// Asserts the exit status; answers with itself.
    #[track_caller]
    pub(crate) fn with_status(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{}{}", self.stdout, self.stderr);
        self
    }

    /// Its stdout as one JSON document.
    #[track_caller]
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{}{}", self.stdout, self.stderr))
    }

    /// The lines of its stderr that are JSON.
    pub(crate) fn log(&self) -> Vec<Value> {
        json_lines(&self.stderr.lines().filter(|line| line.starts_with('{')).collect::<Vec<_>>().join("\n"))
    }

    /// The digest of a run or a simulation as JSON.
    #[track_caller]
    pub(crate) fn digest(&self) -> String {
        self.document()["digest"].as_str().unwrap().to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of JSON lines in the folder in which it ran.
    pub(crate) fn file(&self, name: &str) -> Vec<Value> {
        json_lines(&fs::read_to_string(self.path(name)).unwrap())
    }
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The first orders of a seed, as JSON lines.
pub(crate) fn orders(count: u64, seed: u64) -> String {
    orderflow(&format!("generate --orders {count} --seed {seed}")).end().with_status(0).stdout
}

/// A topology under which orders never end: the stock is checked by nobody.
pub(crate) fn stock_is_checked_by_nobody(topology: &mut Value) {
    let service = &mut topology["services"]["inventory_manager"];
    service["consumes"] = serde_json::json!([]);
    service["retry"] = Value::Null;
    topology["topics"].as_object_mut().unwrap().remove("inventory_manager.order_placed.dead_letter");
}
