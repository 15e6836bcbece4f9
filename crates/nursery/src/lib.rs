//! Processes that end with us, also where we are killed with -9.
//!
//! The system ends a process whose parent dies, if it is asked to; by parent it means the *thread* that started it. So one
//! thread starts them all, and lives as long as its [`Nursery`].

pub mod process; // how processes are told apart, signals, their end

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::mpsc::{self, SyncSender};
use std::thread;

/// What asks the system for it, in the process itself: it may be asked for nobody else.
const SETPRIV: &str = "setpriv";
/// What gives a program a session of its own.
const SETSID: &str = "setsid";

type Order = (Command, SyncSender<io::Result<Child>>);

/// The thread that starts processes. To be dropped after they have ended: the system would end them.
pub struct Nursery(SyncSender<Order>);

impl Nursery {
    /// A thread that waits for what it is to start.
    ///
    /// # Errors
    /// Where the system has no thread for it.
    pub fn start() -> io::Result<Self> {
        let (sender, orders) = mpsc::sync_channel::<Order>(1);
        let work = move || {
            for (mut command, answer) in orders {
                let _ = answer.send(command.spawn()); // whoever asked waits for it
            }
        };
        thread::Builder::new().name("nursery".into()).spawn(work)?;
        Ok(Self(sender))
    }

    /// Starts a command. What it starts ends with us if [`command`] made it.
    ///
    /// # Errors
    /// Where the system does not start it.
    pub fn spawn(&self, command: Command) -> io::Result<Child> {
        let gone = || io::Error::other("the thread that starts processes has ended");
        let (answer, child) = mpsc::sync_channel(1);
        self.0.send((command, answer)).map_err(|_| gone())?;
        child.recv().map_err(|_| gone())?
    }
}

/// A command that ends with who starts it. Its environment may be any: what it needs beside the program is looked for in our own
/// `PATH`, here and now.
///
/// # Errors
/// Where `setpriv` is not there.
pub fn command(program: impl AsRef<OsStr>) -> io::Result<Command> {
    command_that_hears("KILL", program.as_ref())
}

/// A command that is interrupted when who starts it ends, as by Ctrl-C: it may bring to an end, and write down, what it has begun.
///
/// # Errors
/// Where `setpriv` is not there.
pub fn interrupted_command(program: impl AsRef<OsStr>) -> io::Result<Command> {
    command_that_hears("INT", program.as_ref())
}

/// A command that goes on when who starts it ends: it has a session of its own, so that neither Ctrl-C nor the end of the terminal
/// reaches it. Its environment may be any, as for [`command`].
///
/// # Errors
/// Where `setsid` is not there.
pub fn lasting_command(program: impl AsRef<OsStr>) -> io::Result<Command> {
    let mut command = Command::new(find(SETSID)?);
    command.arg(program);
    Ok(command)
}

fn command_that_hears(signal: &str, program: &OsStr) -> io::Result<Command> {
    // Between its start and this request lie a few milliseconds in which our death would go unnoticed.
    let mut command = Command::new(find(SETPRIV)?);
    command.args(["--pdeathsig", signal, "--"]).arg(program);
    Ok(command)
}

/// How much of the machine's memory a process holds, in KiB; 0 once it has ended.
pub fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

fn find(name: &str) -> io::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    let missing = || io::Error::new(io::ErrorKind::NotFound, format!("{name} is not in PATH: install util-linux"));
    found.ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_ends_with_its_nursery() {
        let nursery = Nursery::start().unwrap();
        let mut command = command("sleep").unwrap();
        command.arg("600");
        let mut child = nursery.spawn(command).unwrap();
        assert_eq!(child.try_wait().unwrap(), None);
        // Once it is `sleep`, it has asked to end with us.
        while std::fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap() != "sleep\n" {
            thread::yield_now();
        }
        drop(nursery);
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn a_command_that_is_to_write_down_what_it_has_begun_is_interrupted_instead() {
        let nursery = Nursery::start().unwrap();
        let folder = std::env::temp_dir().join(format!("nursery-{}", std::process::id()));
        let mut command = interrupted_command("sh").unwrap();
        let script = r#"trap 'echo heard >"$0.heard"; exit 7' INT; echo >"$0.ready"; while :; do sleep 0.01; done"#;
        command.args(["-c", script]).arg(&folder);
        let mut child = nursery.spawn(command).unwrap();
        let (ready, heard) = (folder.with_added_extension("ready"), folder.with_added_extension("heard"));
        while !ready.exists() {
            thread::yield_now();
        }
        drop(nursery);
        assert_eq!(child.wait().unwrap().code(), Some(7));
        assert_eq!(std::fs::read_to_string(&heard).unwrap(), "heard\n");
        for file in [ready, heard] {
            std::fs::remove_file(file).unwrap();
        }
    }

    #[test]
    fn a_program_of_another_environment_is_started_all_the_same() {
        for command in [command, interrupted_command, lasting_command] {
            let mut command = command("/bin/true").unwrap();
            command.env_clear().env("PATH", "/nowhere");
            assert!(Nursery::start().unwrap().spawn(command).unwrap().wait().unwrap().success());
        }
    }

    #[test]
    fn a_process_holds_memory_until_it_has_ended() {
        assert!(resident_kib(std::process::id()) > 0);
        let mut child = Nursery::start().unwrap().spawn(command("/bin/true").unwrap()).unwrap();
        child.wait().unwrap();
        assert_eq!(resident_kib(child.id()), 0);
    }

    #[test]
    fn what_is_not_in_path_is_told_with_what_to_do() {
        let error = find("no-such-program").unwrap_err();
        assert_eq!(error.to_string(), "no-such-program is not in PATH: install util-linux");
    }
}
