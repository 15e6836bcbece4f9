//! One process and those that it started: how they are told apart, signals, their end.

use std::fs;
use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

/// A process by number and by the time of its start, so that a later one of the same number is not taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pid: u32,
    /// In clock ticks since the machine started.
    started: u64,
}

impl Identity {
    pub(crate) fn pid(self) -> u32 {
        self.pid
    }

    /// Whether it still runs.
    pub(crate) fn runs(self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.state != 'Z' && stat.started == self.started)
    }

    /// Sends a signal. A process that has ended meanwhile needs none.
    pub(crate) fn signal(self, signal: Signal) -> io::Result<()> {
        if self.runs() { signal_to(self.pid, signal) } else { Ok(()) }
    }
}

/// Those that a process has started and that still run.
pub(crate) fn children(parent: u32) -> Vec<Identity> {
    of_all(|_, stat| stat.parent == parent)
}

/// Those that work in a folder.
pub(crate) fn inside(folder: &Path) -> Vec<Identity> {
    of_all(|pid, _| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|place| place.starts_with(folder)))
}

fn of_all(is_meant: impl Fn(u32, &Stat) -> bool) -> Vec<Identity> {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let stats = pids.filter_map(|pid| Some((pid, stat(pid)?)));
    stats
        .filter(|(pid, stat)| is_meant(*pid, stat))
        .map(|(pid, stat)| Identity { pid, started: stat.started })
        .collect()
}

/// Sends a signal to a process that is known to be ours.
pub(crate) fn signal_to(pid: u32, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    match signal::kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

struct Stat {
    state: char,
    parent: u32,
    started: u64,
}

/// The name before these fields may hold anything but ends with the last parenthesis.
fn stat(pid: u32) -> Option<Stat> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    // Field 22 of all, the parent being the fourth.
    let started = fields.nth(17)?.parse().ok()?;
    Some(Stat { state, parent, started })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, id};

    use super::*;

    #[test]
    fn a_process_is_known_until_it_has_ended() {
        let mut sleep = Command::new("sleep").arg("600").spawn().unwrap();
        let identity = Identity { pid: sleep.id(), started: stat(sleep.id()).unwrap().started };
        assert!(children(id()).contains(&identity));
        assert!(!Identity { started: identity.started + 1, ..identity }.runs());
        identity.signal(Signal::SIGKILL).unwrap();
        sleep.wait().unwrap();
        assert!(!identity.runs());
        assert!(!children(id()).contains(&identity));
    }
}
