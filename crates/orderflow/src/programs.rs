//! The programs of others that commands call: which commands, from which version on, and how one gets them.

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A program.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// A call that does nothing; most tell the version.
    ask: &'static [&'static str],
    /// The first version that serves; nothing where any does.
    pub(crate) from: Option<[u32; 2]>,
    /// What needs it.
    pub(crate) needed_by: &'static str,
    /// How one gets it.
    pub(crate) how: &'static str,
    /// Whether no deployment goes without it.
    deploys: bool,
}

/// All of them. What only checks under `ci/` need, those install.
pub(crate) const PROGRAMS: [Program; 12] = [
    Program {
        name: "setpriv",
        ask: &["--version"],
        from: None,
        needed_by: "cluster up, run food, lambda up, deploy",
        how: "Debian's package util-linux",
        deploys: true,
    },
    Program {
        name: "java",
        ask: &["-version"],
        from: Some([17, 0]),
        needed_by: "cluster up",
        how: "Debian's package openjdk-17-jre-headless",
        deploys: false,
    },
    Program {
        name: "postgres",
        ask: &["--version"],
        from: None,
        needed_by: "cluster up --with postgres, run food",
        how: "Debian's package postgresql",
        deploys: false,
    },
    Program {
        name: "terraform",
        ask: &["version"],
        from: Some([1, 11]),
        needed_by: "deploy, destroy",
        how: "Terraform 1.11 or later: https://developer.hashicorp.com/terraform/install",
        deploys: true,
    },
    Program {
        name: "aws",
        ask: &["--version"],
        from: None,
        needed_by: "deploy, destroy, lambda invoke --aws",
        how: "the AWS CLI: PATH=\"$PATH:$(ci/venv aws ci/aws.d/requirements.txt)\"",
        deploys: true,
    },
    Program {
        name: "ansible-playbook",
        ask: &["--version"],
        from: Some([2, 19]),
        needed_by: "deploy",
        how: "ansible-core 2.19: PATH=\"$PATH:$(ci/venv ansible ci/ansible.d/requirements.txt)\"",
        deploys: true,
    },
    Program {
        name: "ssh",
        ask: &["-V"],
        from: None,
        needed_by: "deploy, verify",
        how: "OpenSSH's client, Debian's package openssh-client",
        deploys: true,
    },
    Program {
        name: "ssh-keygen",
        ask: &["-?"],
        from: None,
        needed_by: "deploy",
        how: "OpenSSH's client, Debian's package openssh-client",
        deploys: true,
    },
    Program {
        name: "openssl",
        ask: &["version"],
        from: None,
        needed_by: "deploy",
        how: "OpenSSL, Debian's package openssl",
        deploys: true,
    },
    Program {
        name: "curl",
        ask: &["--version"],
        from: None,
        needed_by: "deploy without --ssh-from",
        how: "Debian's package curl",
        deploys: false,
    },
    Program {
        name: "docker",
        ask: &["--version"],
        from: None,
        needed_by: "compose.yaml; `orderflow cluster up --with postgres` does without",
        how: "https://docs.docker.com/engine/install",
        deploys: false,
    },
    Program {
        name: "nix",
        ask: &["--version"],
        from: None,
        needed_by: "the flake; docs/nix.md has the same without",
        how: "https://nixos.org/download",
        deploys: false,
    },
];

/// Those that a deployment lacks, each with how one gets it.
pub(crate) fn missing_for_a_deployment() -> Vec<String> {
    let needed = PROGRAMS.iter().filter(|program| program.deploys);
    let missing = needed.filter(|program| program.call().stdin(Stdio::null()).output().is_err());
    missing.map(|Program { name, how, .. }| format!("{name}: {how}")).collect()
}

impl Program {
    /// What it says of itself.
    ///
    /// # Errors
    /// Where it is not there, or says nothing within `deadline`.
    pub(crate) fn ask(&self, deadline: Duration) -> io::Result<Said> {
        said(self.call(), b"", deadline)
    }

    /// A call that does nothing.
    fn call(&self) -> Command {
        let mut command = Command::new(self.path());
        // Else Terraform asks the world whether there is a newer one.
        command.args(self.ask).env("CHECKPOINT_DISABLE", "1");
        command
    }

    /// Where commands look for it: most of them in PATH alone.
    fn path(&self) -> PathBuf {
        let home = |variable| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
        let elsewhere = match self.name {
            "java" => home("JAVA_HOME").map(|home| home.join("bin/java")).filter(|java| java.is_file()),
            "postgres" => postgres_server::programs().ok().map(|folder| folder.join("postgres")),
            _ => None,
        };
        elsewhere.unwrap_or_else(|| self.name.into())
    }
}

/// What a program said before it ended.
pub(crate) struct Said {
    pub(crate) has_succeeded: bool,
    /// stdout, then stderr.
    pub(crate) text: String,
}

/// Runs a program with this as its stdin.
///
/// # Errors
/// Where it cannot be started, or has not ended within `deadline`: it is killed then.
pub(crate) fn said(mut command: Command, stdin: &[u8], deadline: Duration) -> io::Result<Said> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (id, stdin) = (child.id(), stdin.to_vec());
    let (sender, receiver) = mpsc::sync_channel(1);
    // On a thread that nobody waits for: what the program has started may hold its pipes for ever.
    thread::spawn(move || {
        if let Some(mut pipe) = child.stdin.take() {
            let _ = pipe.write_all(&stdin); // one that does not read is no error
        }
        let _ = sender.send(child.wait_with_output());
    });
    let Ok(output) = receiver.recv_timeout(deadline) else {
        let _ = kill(Pid::from_raw(id.cast_signed()), Signal::SIGKILL); // one that has just ended is not there
        return Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", deadline.as_secs())));
    };
    let output = output?;
    let text = [&output.stdout[..], b"\n", &output.stderr].concat();
    Ok(Said { has_succeeded: output.status.success(), text: String::from_utf8_lossy(&text).trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn what_a_program_says_is_heard_and_one_that_goes_on_and_on_is_killed() {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        let heard = said(shell("cat; echo err >&2; exit 3"), b"in ", Duration::from_secs(20)).unwrap();
        assert_eq!((heard.has_succeeded, heard.text.as_str()), (false, "in \nerr"));
        let begun = Instant::now();
        let late = said(shell("sleep 5 & sleep 5"), b"", Duration::from_millis(100)).err().unwrap();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() < Duration::from_secs(20));
        assert!(said(Command::new("no-such-program"), b"", Duration::from_secs(1)).is_err());
    }

    #[test]
    fn each_program_stands_once() {
        let mut names: Vec<&str> = PROGRAMS.iter().map(|program| program.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PROGRAMS.len());
    }
}
