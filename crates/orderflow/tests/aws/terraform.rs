use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;

use crate::account::Account;
use crate::command::{REPOSITORY, succeeded};

/// A root in a copy of the Terraform files, with state of its own.
pub(crate) struct Root<'a> {
    account: &'a Account,
    folder: PathBuf,
    /// Plans, and what applies have said.
    said: RefCell<String>,
}

/// A copy of the files, as somebody who deploys has them.
pub(crate) fn copy_to(folder: &Path) {
    let copy = r#"git ls-files -z terraform topology.json | xargs -0 cp --parents --target-directory "$1""#;
    let status =
        Command::new("bash").args(["-euc", copy, "copy"]).arg(folder).current_dir(REPOSITORY).status().unwrap();
    assert!(status.success());
}

impl<'a> Root<'a> {
    /// `name` of the copy in `copy`, initialized, with these variables.
    pub(crate) fn init(account: &'a Account, copy: &Path, name: &str, variables: &Value) -> Self {
        let root = Self { account, folder: copy.join("terraform").join(name), said: RefCell::default() };
        fs::write(root.folder.join("test.auto.tfvars.json"), variables.to_string()).unwrap();
        succeeded(root.call(&["init", "-input=false"]));
        root
    }

    /// `terraform ARGUMENTS` there, with the providers that the checks use.
    pub(crate) fn call(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.account.command("ci/terraform");
        let folder = format!("-chdir={}", self.folder.display());
        command.current_dir(REPOSITORY).env("TF_IN_AUTOMATION", "1").args(["exec", &folder]);
        command.arg(arguments[0]).arg("-no-color").args(&arguments[1..]);
        command
    }

    /// Begins `terraform ARGUMENTS` and sends a signal to it and its provider, as a terminal does; says whether it was still at it.
    pub(crate) fn interrupt(&self, arguments: &[&str], signal: Signal, after: Duration) -> bool {
        let mut command = self.command(arguments);
        let mut terraform = command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap();
        let begun = Instant::now();
        while begun.elapsed() < after && terraform.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(50));
        }
        let was_running = terraform.try_wait().unwrap().is_none();
        if was_running {
            killpg(Pid::from_raw(terraform.id().try_into().unwrap()), signal).unwrap();
        }
        terraform.wait().unwrap();
        was_running
    }

    /// Every resource in its state without the tags that all are to have.
    pub(crate) fn untagged(&self) -> Vec<String> {
        let is_untagged = |resource: &Value| {
            let tags = resource["values"].get("tags_all");
            tags.is_some_and(|tags| tags["Project"] != "orderflow" || tags["Root"] != *self.name())
        };
        let untagged = self.resources().into_iter().filter(is_untagged);
        untagged.map(|resource| resource["address"].as_str().unwrap().to_owned()).collect()
    }

    /// Whatever the resources in its state are called in AWS, and what came with them.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        const NAMES: [&str; 6] =
            ["id", "name", "bucket", "key_name", "default_security_group_id", "main_route_table_id"];
        let resources = self.resources();
        let names = resources.iter().flat_map(|resource| NAMES.map(|name| &resource["values"][name]));
        names.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The resources in its state.
    fn resources(&self) -> Vec<Value> {
        let state: Value = serde_json::from_str(&succeeded(self.call(&["show", "-json"]))).unwrap();
        let mut modules = vec![&state["values"]["root_module"]];
        let mut resources = Vec::new();
        while let Some(module) = modules.pop() {
            modules.extend(module["child_modules"].as_array().into_iter().flatten());
            resources.extend(module["resources"].as_array().into_iter().flatten().cloned());
        }
        resources.retain(|resource| resource["mode"] == "managed");
        resources
    }

    fn name(&self) -> &str {
        self.folder.file_name().unwrap().to_str().unwrap()
    }

    /// Applies it; says how long that took.
    pub(crate) fn apply(&self, more: &[&str]) -> Duration {
        let begun = Instant::now();
        self.said
            .borrow_mut()
            .push_str(&succeeded(self.call(&[&["apply", "-auto-approve", "-input=false"], more].concat())));
        begun.elapsed()
    }

    pub(crate) fn destroy(&self) -> Duration {
        let begun = Instant::now();
        succeeded(self.call(&["destroy", "-auto-approve", "-input=false"]));
        begun.elapsed()
    }

    /// All of its outputs, as Terraform prints them.
    pub(crate) fn outputs(&self) -> String {
        succeeded(self.call(&["output", "-json"]))
    }

    /// One of its outputs.
    pub(crate) fn output(&self, name: &str) -> Value {
        serde_json::from_str(&succeeded(self.call(&["output", "-json", name]))).unwrap()
    }

    /// What another apply would do, as `ACTION TYPE`, and for an update as `update TYPE.ATTRIBUTE`.
    pub(crate) fn changes(&self, more: &[&str]) -> BTreeSet<String> {
        let plan = self.plan(more);
        let mut changes = BTreeSet::new();
        for change in plan["resource_changes"].as_array().into_iter().flatten() {
            let (kind, actions) = (change["type"].as_str().unwrap(), &change["change"]["actions"]);
            let (before, after) = (&change["change"]["before"], &change["change"]["after"]);
            match actions.as_array().unwrap().iter().map(|action| action.as_str().unwrap()).collect::<Vec<_>>()[..] {
                ["no-op" | "read"] => {}
                ["update"] => {
                    let names = after.as_object().unwrap().keys().filter(|name| before[*name] != after[*name]);
                    changes.extend(names.map(|name| format!("update {kind}.{name}")));
                }
                ref other => {
                    changes.insert(format!("{} {kind}", other.join(" and ")));
                }
            }
        }
        changes
    }

    /// What an apply would do.
    pub(crate) fn plan(&self, more: &[&str]) -> Value {
        let text = succeeded(self.call(&[&["plan", "-input=false", "-out=plan"], more].concat()));
        let plan = succeeded(self.call(&["show", "-json", "plan"])); // the file itself is compressed
        self.said.borrow_mut().extend([&text, &plan].map(String::as_str));
        serde_json::from_str(&plan).unwrap()
    }

    /// State, plans, what applies have said, and everything else that Terraform has written here, as one text.
    pub(crate) fn written(&self) -> String {
        let files =
            fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        let texts = files.map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned());
        self.said.borrow().clone() + &texts.collect::<String>()
    }
}
