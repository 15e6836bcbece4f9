use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::command::{REPOSITORY, succeeded};

/// The brokers, by the names in their certificates.
pub(crate) const BROKERS: &str =
    "kafka-1.orderflow.internal:9093,kafka-2.orderflow.internal:9093,kafka-3.orderflow.internal:9093";

/// Bare hosts in namespaces of their own (`ci/fleet`), which end with this value.
pub(crate) struct Fleet {
    folder: TempDir,
    /// Of Kafka.
    pub(crate) archive: PathBuf,
}

impl Fleet {
    /// Boots it; hosts find Kafka's archive at http://packages/files.
    pub(crate) fn up(more: &[&str]) -> Self {
        Self::serving(&[], more)
    }

    /// The same, where hosts find these files, too.
    pub(crate) fn serving(files: &[&Path], more: &[&str]) -> Self {
        let archive = succeeded(repository("ci/kafka-dist").arg("--archive").output().unwrap());
        let fleet = Self { folder: TempDir::new().unwrap(), archive: archive.trim().into() };
        let served = fleet.path("served");
        fs::create_dir(&served).unwrap();
        for file in files.iter().copied().chain([fleet.archive.as_path()]) {
            symlink(file, served.join(file.file_name().unwrap())).unwrap();
        }
        succeeded(fleet.ci_fleet().args(["up", "--serve"]).arg(served).args(more).output().unwrap());
        fleet
    }

    /// A file of this test beside the fleet's own.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of the fleet.
    pub(crate) fn own(&self, name: &str) -> PathBuf {
        self.path("fleet").join(name)
    }

    fn ci_fleet(&self) -> Command {
        let mut command = repository("ci/fleet");
        command.env("ORDERFLOW_FLEET", self.path("fleet"));
        command
    }

    /// `ci/fleet ARGUMENTS`.
    #[track_caller]
    pub(crate) fn call(&self, arguments: &[&str]) {
        succeeded(self.ci_fleet().args(arguments).output().unwrap());
    }

    /// A command in a host, or, with this machine's files, at the address of another place.
    pub(crate) fn at(&self, place: &str, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.ci_fleet();
        command.args(["exec", place]).arg(program);
        command
    }

    /// The stdout of a shell's command in a host.
    #[track_caller]
    pub(crate) fn tells(&self, host: &str, command: &str) -> String {
        succeeded(self.at(host, "sh").args(["-c", command]).output().unwrap())
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let _ = self.ci_fleet().arg("down").status();
    }
}

/// A script of the repository.
pub(crate) fn repository(script: impl AsRef<Path>) -> Command {
    let mut command = Command::new(Path::new(REPOSITORY).join(script));
    command.current_dir(REPOSITORY).stdin(Stdio::null());
    command
}
