use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use kafka_transport::Connection;
use nix::sys::signal::Signal;
use nursery::{Nursery, process};

use super::{Error, System};

/// How long a worker may take to end after SIGTERM: to confirm, to commit and to leave.
const END_DEADLINE: Duration = Duration::from_secs(25);
const READY_DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// A service as a process of its own, which ends with us.
pub(crate) struct Worker {
    name: String,
    child: Child,
    listen: SocketAddr,
}

impl Worker {
    /// Starts the program with `work SERVICE`: with a name where it is to keep its place when it is started again, with a topology where
    /// that is not the built-in one.
    pub(crate) fn start(
        nursery: &Nursery,
        system: &System<'_>,
        service: &str,
        instance: Option<&str>,
        topology: Option<&Path>,
        connection: &Connection,
    ) -> Result<Self, Error> {
        let name = instance.map_or(service.to_owned(), |instance| format!("{service} ({instance})"));
        // Free now; should somebody take it meanwhile, the worker says so and ends.
        let listen = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let listen = listen.map_err(Error::process(&name))?;
        let mut command = nursery::command(&system.program).map_err(Error::process(&name))?;
        command.args(["work", service]);
        command.args(["--listen", &listen.to_string()]);
        command.args(instance.iter().flat_map(|instance| ["--instance", instance]));
        if let Some(topology) = topology {
            command.arg("--topology").arg(topology);
        }
        command.envs(connection.variables()).envs(system.environment.iter().cloned()).env("RUST_LOG", "error");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let child = nursery.spawn(command).map_err(Error::process(&name))?;
        Ok(Self { name, child, listen })
    }

    /// Waits until it has its place in every group of its service.
    pub(crate) fn await_ready(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + READY_DEADLINE;
        while !self.get("/health/ready").is_ok_and(|answer| answer.contains(" 200 ")) {
            let status = self.child.try_wait().map_err(Error::process(&self.name))?;
            if let Some(status) = status {
                return Err(self.ended(status));
            }
            if Instant::now() >= deadline {
                let reason = format!("not ready within {} s", READY_DEADLINE.as_secs());
                return Err(Error::Process { what: self.name.clone(), reason });
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// A gauge of its metrics, the largest over all labels; `None` while it does not answer.
    pub(crate) fn gauge(&self, name: &str) -> Option<u64> {
        let metrics = self.get("/metrics").ok()?;
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        metrics.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next()?.parse().ok()).max()
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) -> Result<(), Error> {
        self.child.kill().and_then(|()| self.child.wait()).map(drop).map_err(Error::process(&self.name))
    }

    /// Ends workers in order, all at once: each confirms, commits and leaves.
    pub(crate) fn stop<'a>(workers: impl Iterator<Item = &'a mut Self>) -> Result<(), Error> {
        let mut workers: Vec<&mut Self> = workers.collect();
        for worker in &workers {
            process::signal_to(worker.child.id(), Signal::SIGTERM).map_err(Error::process(&worker.name))?;
        }
        let deadline = Instant::now() + END_DEADLINE;
        workers.iter_mut().try_for_each(|worker| worker.await_end(deadline))
    }

    fn await_end(&mut self, deadline: Instant) -> Result<(), Error> {
        loop {
            match self.child.try_wait().map_err(Error::process(&self.name))? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.ended(status)),
                None if Instant::now() < deadline => thread::sleep(POLL),
                None => break,
            }
        }
        let reason = format!("did not end within {} s of SIGTERM", END_DEADLINE.as_secs());
        Err(Error::Process { what: self.name.clone(), reason })
    }

    /// Whether it still runs: one that ended by itself is an error.
    pub(crate) fn check(&mut self) -> Result<(), Error> {
        match self.child.try_wait().map_err(Error::process(&self.name))? {
            Some(status) => Err(self.ended(status)),
            None => Ok(()),
        }
    }

    fn ended(&self, status: ExitStatus) -> Error {
        Error::Process { what: self.name.clone(), reason: format!("ended with {status}") }
    }

    fn get(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.listen, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.kill(); // one that has ended needs none
    }
}
