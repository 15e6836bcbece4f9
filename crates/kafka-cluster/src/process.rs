//! One process of a cluster: how it is told apart, signals, its end.

use std::fs;
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
    /// The process that has this number now.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Some(Self { pid, started: stat(pid)?.1 })
    }

    /// As [`Self::to_line`] wrote it.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (pid, started) = line.trim().split_once(' ')?;
        Some(Self { pid: pid.parse().ok()?, started: started.parse().ok()? })
    }

    pub(crate) fn to_line(self) -> String {
        format!("{} {}\n", self.pid, self.started)
    }

    pub(crate) const fn pid(self) -> u32 {
        self.pid
    }

    /// Whether it still runs, and names this path in its command line.
    pub(crate) fn runs_with(self, path: &Path) -> bool {
        let is_it = stat(self.pid).is_some_and(|(state, started)| state != 'Z' && started == self.started);
        let command_line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let path = path.as_os_str().as_encoded_bytes();
        is_it && command_line.split(|&byte| byte == 0).any(|argument| argument.starts_with(path))
    }

    /// Sends a signal. A process that has ended meanwhile needs none.
    pub(crate) fn signal(self, signal: Signal) -> std::io::Result<()> {
        signal_to(self.pid, signal)
    }
}

/// Sends a signal to a process that is known to be ours.
pub(crate) fn signal_to(pid: u32, signal: Signal) -> std::io::Result<()> {
    let pid = i32::try_from(pid).map_err(std::io::Error::other)?;
    match signal::kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// State and start time; the name before them may hold anything but ends with the last parenthesis.
fn stat(pid: u32) -> Option<(char, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    let state = fields.next()?.chars().next()?;
    // Field 22 of all, the state being the third.
    let started = fields.nth(18)?.parse().ok()?;
    Some((state, started))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_recognised_by_what_was_written_down_of_it() {
        let own = Identity::of(std::process::id()).unwrap();
        assert_eq!(Identity::parse(&own.to_line()), Some(own));
        let program = std::env::args_os().next().unwrap();
        assert!(own.runs_with(Path::new(&program)));
        assert!(!own.runs_with(Path::new("/nowhere")));
        assert!(!Identity { started: own.started + 1, ..own }.runs_with(Path::new(&program)));
    }
}
