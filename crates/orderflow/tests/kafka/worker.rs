use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Output};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::call::{Call, Ended};
use crate::until;

/// `orderflow work` in a process of its own, which ends with the test.
pub(crate) struct Worker {
    child: Option<Child>,
    folder: Option<TempDir>,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts it; its log is read as it comes, so that a full pipe never holds it back.
    pub(crate) fn start(call: Call) -> Self {
        let (mut child, folder) = call.start();
        let log = Arc::<Mutex<String>>::default();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let reader = thread::spawn({
            let log = Arc::clone(&log);
            move || stderr.lines().for_each(|line| *log.lock().unwrap() += &(line.unwrap() + "\n"))
        });
        Self { child: Some(child), folder: Some(folder), log, reader: Some(reader) }
    }

    /// What it has told of itself so far, not of records.
    pub(crate) fn told(&self) -> Vec<Value> {
        told(&self.log.lock().unwrap())
    }

    /// Every line of its log so far.
    pub(crate) fn lines(&self) -> Vec<Value> {
        lines(&self.log.lock().unwrap()).collect()
    }

    /// Waits until it has told that it is so; answers with what it told.
    #[track_caller]
    pub(crate) fn await_told(&self, status: &str) -> Value {
        let find = || self.told().into_iter().find(|line| line["status"] == status);
        until(&format!("the worker is {status}"), || find().is_some());
        find().unwrap()
    }

    /// Asks where it listens; answers with the status and the body.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let address = self.await_told("listening")["address"].as_str().unwrap().to_owned();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// The memory that it takes, in MiB.
    pub(crate) fn resident_mib(&self) -> u64 {
        let id = self.child.as_ref().unwrap().id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_024
    }

    pub(crate) fn send(&self, signal: Signal) {
        let id = self.child.as_ref().unwrap().id();
        kill(Pid::from_raw(id.try_into().unwrap()), signal).unwrap();
    }

    /// Ends it as systemd does.
    pub(crate) fn terminate(self) -> Ended {
        self.send(Signal::SIGTERM);
        self.end()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let Output { status, stdout, .. } = self.child.take().unwrap().wait_with_output().unwrap();
        self.reader.take().unwrap().join().unwrap();
        let stderr = std::mem::take(&mut *self.log.lock().unwrap()).into_bytes();
        Ended::of(Output { status, stdout, stderr }, self.folder.take().unwrap())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // One that has ended is not there to be killed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a log tells of the worker itself: every line of it is JSON.
pub(crate) fn told(log: &str) -> Vec<Value> {
    lines(log).filter(|line| line["message"] == "worker").collect()
}

fn lines(log: &str) -> impl Iterator<Item = Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
}
