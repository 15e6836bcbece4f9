use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kafka_transport::Pace;
use lambda_emulator::{CreateFunction, Emulator, InvokeServer, Options, Outcome};
use serde_json::{Value, json};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// No test waits longer for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

const FUNCTION: &str = include_str!("function.py");

/// Ends a test where the machine has no python3 in the PATH that functions get: the function of these tests is written in it.
#[macro_export]
macro_rules! needs_python {
    () => {
        if !$crate::fixture::has_python() {
            eprintln!("not applicable: no python3 in /usr/local/bin, /usr/bin or /bin, in which the tests' function is written");
            return;
        }
    };
}

pub(crate) fn has_python() -> bool {
    ["/usr/local/bin", "/usr/bin", "/bin"].iter().any(|folder| Path::new(folder).join("python3").exists())
}

/// An emulator with one function, `f`.
pub(crate) struct Fixture {
    pub(crate) emulator: Emulator,
    pub(crate) folder: TempDir,
    pub(crate) server: InvokeServer,
}

pub(crate) fn zip_of(name: &str, mode: u32) -> String {
    zip_with(name, mode, FUNCTION)
}

pub(crate) fn zip_with(name: &str, mode: u32, text: &str) -> String {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(name, SimpleFileOptions::default().unix_permissions(mode)).unwrap();
    zip.write_all(text.as_bytes()).unwrap();
    STANDARD.encode(zip.finish().unwrap().into_inner())
}

/// The body of `CreateFunction`, with fields changed or added.
pub(crate) fn function(more: &Value) -> CreateFunction {
    let mut body = json!({"FunctionName": "f", "Runtime": "provided.al2023", "Handler": "some.handler", "Timeout": 5,
        "Code": {"ZipFile": zip_of("bootstrap", 0o755)}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(body).unwrap()
}

impl Fixture {
    pub(crate) fn with(more: &Value) -> Self {
        let fixture = Self::without_function();
        fixture.emulator.create_function(&function(more)).unwrap();
        fixture
    }

    pub(crate) fn without_function() -> Self {
        Self::with_options(|_| ())
    }

    /// Without a function, with these secrets.
    pub(crate) fn with_secrets(secrets: BTreeMap<String, String>) -> Self {
        Self::with_options(|options| options.secrets = secrets)
    }

    /// Without a function, with some options changed.
    pub(crate) fn with_options(change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options { max_environments: 4, pace: Pace::FULL, ..Options::new(folder.path()) };
        change(&mut options);
        let emulator = Emulator::start(options).unwrap();
        let server = emulator.serve(([127, 0, 0, 1], 0).into()).unwrap();
        Self { emulator, folder, server }
    }

    /// The answer to an event.
    #[track_caller]
    pub(crate) fn answer(&self, event: &Value) -> Value {
        match self.emulator.invoke("f", event.to_string().as_bytes()).unwrap() {
            Outcome::Answered(body) => serde_json::from_slice(&body).unwrap(),
            Outcome::Failed { payload, .. } => panic!("{}", String::from_utf8_lossy(&payload)),
        }
    }

    /// The error's type and text that an event ends with.
    #[track_caller]
    pub(crate) fn failure(&self, event: &Value) -> (String, String) {
        match self.emulator.invoke("f", event.to_string().as_bytes()).unwrap() {
            Outcome::Answered(body) => panic!("answered {}", String::from_utf8_lossy(&body)),
            Outcome::Failed { payload, kind } => {
                let error: Value = serde_json::from_slice(&payload).unwrap();
                assert_eq!(error["errorType"], kind);
                (kind, error["errorMessage"].as_str().unwrap().to_owned())
            }
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("f.log")).unwrap_or_default()
    }

    /// Waits until something holds.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !holds() {
            if Instant::now() >= deadline {
                let log = self.log();
                let from = log.len().saturating_sub(2_000);
                panic!("{what}: not within {DEADLINE:?}\n{}", String::from_utf8_lossy(&log.as_bytes()[from..]));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// One HTTP request; its answer as head and body.
pub(crate) fn post(address: SocketAddr, path: &str, headers: &str, body: &str) -> (String, String) {
    ask(address, "POST", path, headers, body)
}

/// The same with another method.
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// The state of a process, as the system has it: `T` where it is stopped; `None` once it is gone.
pub(crate) fn state_of(pid: i64) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.get(stat.rfind(')')? + 2..)?.chars().next().filter(|state| *state != 'Z')
}
