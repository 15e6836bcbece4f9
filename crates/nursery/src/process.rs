//! Processes that somebody has started: how they are told apart, signals, their end.

use std::fs;
use std::io;
use std::iter::successors;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

/// How long processes may take to be gone once they are killed.
const END_DEADLINE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);

/// A process by number and by the time of its start, so that a later one of the same number is not taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pid: u32,
    /// In clock ticks since the machine started.
    started: u64,
}

impl Identity {
    /// The process that has this number now.
    pub fn of(pid: u32) -> Option<Self> {
        Some(Self { pid, started: stat(pid)?.started })
    }

    /// As [`Self::to_line`] wrote it.
    pub fn parse(line: &str) -> Option<Self> {
        let (pid, started) = line.trim().split_once(' ')?;
        Some(Self { pid: pid.parse().ok()?, started: started.parse().ok()? })
    }

    /// As a line of a file: number, and time of the start in clock ticks.
    pub fn to_line(self) -> String {
        format!("{} {}\n", self.pid, self.started)
    }

    /// Its number.
    pub const fn pid(self) -> u32 {
        self.pid
    }

    /// Whether it still runs.
    pub fn runs(self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.state != 'Z' && stat.started == self.started)
    }

    /// Whether it still runs, and names this path in its command line.
    pub fn runs_with(self, path: &Path) -> bool {
        let command_line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let path = path.as_os_str().as_encoded_bytes();
        self.runs() && command_line.split(|&byte| byte == 0).any(|argument| argument.starts_with(path))
    }

    /// Sends a signal. A process that has ended meanwhile needs none.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn signal(self, signal: Signal) -> io::Result<()> {
        if self.runs() { signal_to(self.pid, signal) } else { Ok(()) }
    }
}

/// Those that a process has started and that still run.
pub fn children(parent: u32) -> Vec<Identity> {
    of_all(|_, stat| stat.parent == parent)
}

/// Those that work in a folder, or below one that is gone; without ourselves and those who have called us, such as the shell of a person who looks
/// at its files.
pub fn inside(folder: &Path) -> Vec<Identity> {
    let callers: Vec<u32> =
        successors(Some(std::process::id()), |&pid| stat(pid).map(|stat| stat.parent).filter(|parent| *parent > 0))
            .collect();
    let works_there = |pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|place| place.starts_with(folder));
    of_all(|pid, _| works_there(pid) && !callers.contains(&pid))
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

/// Kills processes, and waits until they are gone, also those that they started meanwhile.
///
/// `running`: those that are meant and run now.
///
/// # Errors
/// What the system refuses; a process that still runs after ten seconds.
pub fn end(running: impl Fn() -> Vec<Identity>) -> io::Result<()> {
    let deadline = Instant::now() + END_DEADLINE;
    loop {
        let left = running();
        let Some(first) = left.first() else { return Ok(()) };
        if Instant::now() >= deadline {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("process {} was killed and still runs", first.pid),
            ));
        }
        left.iter().try_for_each(|process| process.signal(Signal::SIGKILL))?;
        thread::sleep(POLL);
    }
}

/// Sends a signal to a process that is known to be ours.
///
/// # Errors
/// What the system refuses.
pub fn signal_to(pid: u32, signal: Signal) -> io::Result<()> {
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
    use std::process::{Child, Command, Stdio, id};

    use super::*;

    /// A process that waits until it is told to end, or nobody is left who could.
    fn waiting() -> (Child, Identity) {
        let cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let identity = Identity::of(cat.id()).unwrap();
        (cat, identity)
    }

    #[test]
    fn a_process_is_known_until_it_has_ended() {
        let (mut child, identity) = waiting();
        assert!(children(id()).contains(&identity));
        assert!(!Identity { started: identity.started + 1, ..identity }.runs());
        identity.signal(Signal::SIGKILL).unwrap();
        child.wait().unwrap();
        assert!(!identity.runs());
        assert!(!children(id()).contains(&identity));
    }

    #[test]
    fn a_process_is_recognised_by_what_was_written_down_of_it() {
        let own = Identity::of(id()).unwrap();
        assert_eq!(Identity::parse(&own.to_line()), Some(own));
        let program = std::env::args_os().next().unwrap();
        assert!(own.runs_with(Path::new(&program)));
        assert!(!own.runs_with(Path::new("/nowhere")));
        assert!(!Identity { started: own.started + 1, ..own }.runs_with(Path::new(&program)));
    }

    #[test]
    fn who_looks_at_a_folder_is_not_one_that_works_in_it() {
        let (mut child, identity) = waiting();
        let here = std::env::current_dir().unwrap();
        let working = inside(&here);
        assert!(working.contains(&identity) && working.iter().all(|process| process.pid() != id()), "{working:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn who_is_started_while_others_are_ended_is_ended_too() {
        let (mut first, mut second) = (waiting(), waiting());
        // The second one is there once the first one is gone.
        let running = || [first.1, second.1].into_iter().find(|process| process.runs()).into_iter().collect();
        end(running).unwrap();
        assert!(!first.1.runs() && !second.1.runs());
        first.0.wait().unwrap();
        second.0.wait().unwrap();
    }
}
