use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::command::{REPOSITORY, succeeded};

/// A program of the build that these tests belong to.
pub(crate) fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_orderflow")).with_file_name(name)
}

/// An empty account of the emulated AWS, which ends with this value.
pub(crate) struct Account {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Account {
    /// Schedules run so many times faster than the clock.
    pub(crate) fn open(time_scale: u32) -> Self {
        let mut account = Self { folder: TempDir::new().unwrap(), variables: Vec::new() };
        succeeded(account.ci_aws().args(["up", "--time-scale", &time_scale.to_string()]).output().unwrap());
        let mut command = Command::new("bash");
        command.args(["-euc", r#"variables=$(ci/aws env); eval "$variables"; env -0"#]).current_dir(REPOSITORY);
        let text = succeeded(command.env("ORDERFLOW_AWS", account.state()).output().unwrap());
        let variables = text.split('\0').filter_map(|line| line.split_once('='));
        account.variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        account
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("aws")
    }

    fn ci_aws(&self) -> Command {
        let mut command = Command::new("ci/aws");
        command
            .current_dir(REPOSITORY)
            .env("ORDERFLOW_AWS", self.state())
            .env("LAMBDA_EMULATOR", program("lambda-emulator"));
        command.stdin(Stdio::null());
        command
    }

    /// A command that takes this account for AWS.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.envs(self.variables.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command
    }

    /// Everything that is in it, by the list call of each type.
    pub(crate) fn inventory(&self) -> BTreeSet<String> {
        succeeded(self.inventory_py().output().unwrap()).lines().map(str::to_owned).collect()
    }

    /// Ends these lines of an inventory by hand.
    pub(crate) fn remove(&self, lines: &BTreeSet<String>) {
        let mut python = self.inventory_py().arg("remove").stdin(Stdio::piped()).spawn().unwrap();
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        python.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(python.wait().unwrap().success());
    }

    fn inventory_py(&self) -> Command {
        let mut python = self.command("python");
        // The interpreter beside moto: it has the SDK.
        let path = self.variables.iter().find(|(name, _)| name == "PATH").map_or("", |(_, path)| path);
        let programs = path.rsplit(':').next().unwrap_or_default();
        python.env("PATH", programs).args(["-B", "-c", include_str!("inventory.py")]);
        python
    }

    /// The logs of functions and emulators, as one text.
    pub(crate) fn logs(&self) -> String {
        let mut texts = Vec::new();
        let mut folders = vec![self.state()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    texts.push(String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned());
                }
            }
        }
        texts.join("\n")
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _ = self.ci_aws().arg("down").status();
    }
}
