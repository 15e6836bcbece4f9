//! One deployment on AWS, as its folder keeps it: copies of Terraform's roots with their states, keys, passwords, logs.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::thread;
use std::time::{Duration, Instant};

use ::topology::Topology;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::TempDir;

use crate::tool::{self, Interruptions, Program, Said, Stop, Tools, quoted};
use crate::{Error, state_folder, tell};
pub(crate) use recorded::Recorded;
pub(crate) use system::System;

mod forgotten; // hosts that no state knows
mod recorded; // what Terraform's states have recorded
mod system; // which one a deployment is

/// What a folder of ours is known by.
const SETTINGS: &str = "deployment.json";

const LOCK: &str = "lock";

/// Where Terraform keeps what a root has made.
const STATE: &str = "terraform.tfstate";

/// What stands before a variable of Terraform's in the environment.
pub(crate) const VARIABLE: &str = "TF_VAR_";

/// Of a new deployment, and of what is looked for without one: the default of Terraform's variable.
pub(crate) const REGION: &str = "us-east-1";

/// Programs of a command that was killed write down what they have begun; for so long at most.
const LOCK_PATIENCE: Duration = Duration::from_secs(600);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Where it is kept, for every command that deals with one.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// Where its state, keys, passwords and logs are kept; in the home folder's .local/state/orderflow/deployment if absent, that of
    /// the food orders in deployment-food beside it.
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
}

/// What was decided when it was begun. Another account or region is another deployment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(default)]
    pub(crate) system: System,
    /// The account's number.
    pub(crate) account: String,
    pub(crate) region: String,
    /// Who may reach the hosts by SSH, and open the console's pages, as networks.
    pub(crate) ssh_from: Vec<String>,
    /// After so many hours it stops by itself; `None`: never, as every deployment of the food orders.
    pub(crate) hours: Option<u32>,
    /// Terraform's other variables, as `TF_VAR_NAME` gave them once.
    #[serde(default)]
    pub(crate) variables: BTreeMap<String, String>,
}

/// A folder that holds a deployment, ours as long as this value is there.
pub(crate) struct Deployment {
    folder: PathBuf,
    /// Where Terraform's roots are: in that folder, or beside it for a plan.
    roots: PathBuf,
    settings: Settings,
    lock: File,
    _scratch: Option<TempDir>,
}

/// One of Terraform's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    Cluster,
    Services,
    Food,
}

/// A host, as Terraform's outputs tell of it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Host {
    pub(crate) role: String,
    pub(crate) instance_id: String,
    /// Its full name within the VPC.
    pub(crate) name: String,
    pub(crate) public_address: String,
}

impl Place {
    pub(crate) fn folder(&self, system: System) -> Result<PathBuf, Error> {
        if let Some(folder) = &self.state {
            return std::path::absolute(folder).map_err(|error| failed(folder, &error));
        }
        state_folder(system.folder(), "--state")
    }

    /// As it was typed, for another command.
    pub(crate) fn arguments(&self) -> String {
        let typed = |folder: &PathBuf| format!(" --state {}", quoted(&folder.display().to_string()));
        self.state.as_ref().map_or_else(String::new, typed)
    }
}

impl Root {
    /// Of its folder below terraform/.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Services => "services",
            Self::Food => "food",
        }
    }

    /// The stage that applies it, and the one that destroys it.
    pub(crate) const fn stage(self) -> &'static str {
        match self {
            Self::Cluster | Self::Services => self.name(),
            Self::Food => "host",
        }
    }
}

impl Deployment {
    /// The one of this system that the folder holds; `None` where there is none.
    ///
    /// # Errors
    /// Where the folder holds another system's or cannot be read, another command is at work on it, or the operator interrupts.
    pub(crate) fn open(folder: &Path, system: System, interruptions: &Interruptions) -> Result<Option<Self>, Stop> {
        let path = folder.join(SETTINGS);
        if !path.exists() {
            return Ok(None);
        }
        let lock = lock(folder, interruptions)?;
        let text = fs::read_to_string(&path).map_err(|error| failed(&path, &error))?;
        let settings: Settings =
            serde_json::from_str(&text).map_err(|error| Error::Failed(format!("{}: {error}", path.display())))?;
        if settings.system != system {
            let (folder, found, argument) = (folder.display(), settings.system.name(), settings.system.argument());
            return Err(Error::Usage(format!(
                "{folder} holds a deployment of {found}: `orderflow deploy{argument}` goes on with it, `orderflow destroy{argument}` ends it; \
                 name another folder with --state for {}",
                system.name()
            ))
            .into());
        }
        let opened = Self { folder: folder.to_owned(), roots: folder.to_owned(), settings, lock, _scratch: None };
        // Nobody writes them while the lock is ours.
        for &root in opened.settings.system.roots() {
            let of_root = opened.root(root);
            if Recorded::take_back(&of_root).map_err(|error| failed(&of_root, &error))? {
                tell(&format!(
                    "{}: its state was broken off while it was written: goes on from what it had before",
                    of_root.display()
                ));
            }
        }
        Ok(Some(opened))
    }

    /// Takes what `open` gave, or makes the folder, for its owner alone; these settings apply from now on.
    ///
    /// # Errors
    /// Where that cannot be done, or the folder holds something else.
    pub(crate) fn begin(
        opened: Option<Self>,
        folder: &Path,
        settings: Settings,
        interruptions: &Interruptions,
    ) -> Result<Self, Stop> {
        let deployment = match opened {
            Some(opened) => Self { settings, ..opened },
            None => {
                // A try that was killed at its very beginning leaves no more than its lock, and half of a file.
                let is_ours = |path: &PathBuf| {
                    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                    name == LOCK || name.starts_with(".tmp")
                };
                if folder.exists() && !entries(folder)?.iter().all(is_ours) {
                    let folder = folder.display();
                    let text = format!("{folder} is not empty, and no deployment: name another with --state");
                    return Err(Error::Usage(text).into());
                }
                let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
                made.map_err(|error| failed(folder, &error))?;
                let lock = lock(folder, interruptions)?;
                Self { folder: folder.to_owned(), roots: folder.to_owned(), settings, lock, _scratch: None }
            }
        };
        // Whoever made it: states and keys are nobody else's.
        fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(|error| failed(folder, &error))?;
        let text = format!("{:#}\n", serde_json::to_value(&deployment.settings).map_err(Error::failed)?);
        deployment.write(SETTINGS, &text)?;
        Ok(deployment)
    }

    /// The same for a look at what would be done: Terraform works on copies, and nothing is kept.
    ///
    /// # Errors
    /// Where there is no room for them.
    pub(crate) fn planned(opened: Option<Self>, settings: Settings) -> Result<Self, Error> {
        let scratch = TempDir::new().map_err(Error::failed)?;
        let roots = scratch.path().to_owned();
        let Some(opened) = opened else {
            let lock = File::create(roots.join(LOCK)).map_err(Error::failed)?;
            return Ok(Self { folder: roots.clone(), roots, settings, lock, _scratch: Some(scratch) });
        };
        for &root in settings.system.roots() {
            let (from, to) = (opened.state_of(root), roots.join("terraform").join(root.name()));
            fs::create_dir_all(&to).map_err(|error| failed(&to, &error))?;
            if from.exists() {
                fs::copy(&from, to.join(STATE)).map_err(|error| failed(&from, &error))?;
            }
        }
        Ok(Self { roots, settings, _scratch: Some(scratch), ..opened })
    }

    /// The programs of a stage, which keep others from this deployment as long as they run.
    ///
    /// # Errors
    /// Where their log cannot be written.
    pub(crate) fn tools<'a>(&'a self, interruptions: &'a Interruptions, stage: &str) -> Result<Tools<'a>, Error> {
        Tools::of_stage(interruptions, &self.logs(), stage, &self.lock)
    }

    /// Topics and services, as they were deployed.
    ///
    /// # Errors
    /// Where its file is no topology.
    pub(crate) fn topology(&self) -> Result<Topology, Error> {
        let path = self.path("topology.json");
        let text = fs::read_to_string(&path).map_err(|error| failed(&path, &error))?;
        Topology::parse(&path.display().to_string(), &text).map_err(Error::failed)
    }

    pub(crate) const fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) const fn system(&self) -> System {
        self.settings.system
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file or folder of it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Passwords, the authority and the hosts' certificates: what Ansible calls `orderflow_folder`.
    pub(crate) fn secrets(&self) -> PathBuf {
        self.path("secrets")
    }

    /// The zips, if there are functions, and the static `orderflow` for the console host.
    pub(crate) fn zips(&self) -> PathBuf {
        self.path("zips")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.path("logs")
    }

    pub(crate) fn inventory(&self) -> PathBuf {
        self.path("inventory.ini")
    }

    /// Writes a file of it, in one step, for its owner alone.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        Self::write_to(&self.path(name), text)
    }

    fn write_to(path: &Path, text: &str) -> Result<(), Error> {
        let parent = path.parent().unwrap_or(path);
        fs::create_dir_all(parent).map_err(|error| failed(parent, &error))?;
        let mut file = tempfile::NamedTempFile::new_in(parent).map_err(|error| failed(parent, &error))?;
        file.write_all(text.as_bytes()).map_err(|error| failed(path, &error))?;
        file.persist(path).map_err(|error| failed(path, &error.error))?;
        Ok(())
    }

    // --- Terraform ---

    /// A copy of a root, with its state beside it: what was applied stays what is destroyed, whatever becomes of the sources.
    pub(crate) fn root(&self, root: Root) -> PathBuf {
        self.roots.join("terraform").join(root.name())
    }

    fn state_of(&self, root: Root) -> PathBuf {
        self.root(root).join(STATE)
    }

    /// What the states have recorded of a root.
    ///
    /// # Errors
    /// Where a state cannot be read: then nobody knows what there is.
    pub(crate) fn recorded(&self, root: Root) -> Result<Recorded, Error> {
        Recorded::read(&self.root(root)).map_err(Error::Failed)
    }

    /// The same, before Terraform wrote it last.
    pub(crate) fn recorded_before(&self, root: Root) -> Recorded {
        Recorded::before(&self.root(root))
    }

    /// Copies the roots, and the topology that they read.
    ///
    /// # Errors
    /// Where a file cannot be read or written.
    pub(crate) fn copy_roots(&self, source: &Path, topology: &str) -> Result<(), Error> {
        Self::write_to(&self.roots.join("topology.json"), topology)?;
        copy_tree(&source.join("terraform"), &self.roots.join("terraform"))
    }

    /// The variables of a root, which its state keeps company: destroying needs them, too.
    pub(crate) fn write_variables(&self, root: Root, variables: &Value) -> Result<(), Error> {
        Self::write_to(&self.root(root).join("deploy.auto.tfvars.json"), &format!("{variables:#}\n"))
    }

    /// Terraform in a root, which begins with `init`: that is quick where nothing is missing.
    ///
    /// # Errors
    /// As [`Tools::run`].
    pub(crate) fn terraform(&self, root: Root, arguments: &[&str], tools: &mut Tools<'_>) -> Result<Said, Stop> {
        tools.run(self.terraform_command(root, &["init", "-input=false", "-no-color"])?)?;
        tools.run(self.terraform_command(root, arguments)?)
    }

    fn terraform_command(&self, root: Root, arguments: &[&str]) -> Result<Program, Error> {
        let mut program = tool::program("terraform")?;
        program.command.arg(format!("-chdir={}", self.root(root).display())).args(arguments);
        // What somebody has set for another root would be applied here, too.
        let is_foreign =
            |name: &str| name.starts_with("TF_CLI_ARGS") || ["TF_WORKSPACE", "TF_DATA_DIR"].contains(&name);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_foreign)) {
            program.command.env_remove(name);
        }
        program.command.envs(self.settings.variables.iter().map(|(name, value)| (format!("{VARIABLE}{name}"), value)));
        Ok(program)
    }

    /// What a root made, as `terraform output -json` prints it; `None` where it has made nothing.
    ///
    /// # Errors
    /// Where its state cannot be read.
    pub(crate) fn outputs(&self, root: Root) -> Result<Option<String>, Error> {
        if !self.state_of(root).exists() {
            return Ok(None);
        }
        let mut program = self.terraform_command(root, &["output", "-json", "-no-color"])?;
        let output = program.command.output().map_err(|error| Error::Failed(format!("terraform: {error}")))?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            return Err(Error::Failed(format!("terraform output in {}: {}", self.root(root).display(), reason.trim())));
        }
        let text = String::from_utf8(output.stdout).map_err(Error::failed)?;
        Ok(Some(text).filter(|text| text.trim() != "{}"))
    }

    /// One output of a root that has been applied.
    ///
    /// # Errors
    /// Where it has not.
    pub(crate) fn output(&self, root: Root, name: &str) -> Result<Value, Error> {
        let missing = || {
            Error::Failed(format!(
                "terraform/{} has no output `{name}`: `orderflow deploy{} --from {}` applies it",
                root.name(),
                self.system().argument(),
                root.stage()
            ))
        };
        let outputs: Value = serde_json::from_str(&self.outputs(root)?.ok_or_else(missing)?).map_err(Error::failed)?;
        outputs.get(name).and_then(|output| output.get("value")).cloned().ok_or_else(missing)
    }

    /// The hosts by name.
    ///
    /// # Errors
    /// Where their root has not been applied.
    pub(crate) fn hosts(&self) -> Result<BTreeMap<String, Host>, Error> {
        serde_json::from_value(self.output(self.system().root_of_hosts(), "hosts")?).map_err(Error::failed)
    }

    // --- SSH ---

    /// The public half of the key that opens the hosts; both are made when they are not there.
    ///
    /// # Errors
    /// Where `ssh-keygen` does not make them.
    pub(crate) fn public_key(&self) -> Result<String, Error> {
        let key = self.path("ssh/key");
        let public = key.with_added_extension("pub");
        if !public.exists() {
            let folder = self.path("ssh");
            fs::create_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "orderflow", "-f"])
                .arg(&key)
                .stdin(process::Stdio::null())
                .output();
            let made = made.map_err(|error| Error::Failed(format!("ssh-keygen: {error}")))?;
            if !made.status.success() {
                let reason = String::from_utf8_lossy(&made.stderr);
                return Err(Error::Failed(format!("ssh-keygen: {}", reason.trim())));
            }
        }
        fs::read_to_string(&public).map(|text| text.trim().to_owned()).map_err(|error| failed(&public, &error))
    }

    /// How SSH reaches the hosts, by name or address, and knows them: for our commands, for Ansible, for a person.
    pub(crate) fn ssh_config(&self) -> PathBuf {
        self.path("ssh/config")
    }

    /// The hosts' keys.
    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.path("ssh/known_hosts")
    }

    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn write_ssh_config(&self, hosts: &BTreeMap<String, Host>) -> Result<(), Error> {
        let mut text = String::new();
        for (name, host) in hosts {
            text += &format!("Host {name} {0}\n  HostName {0}\n", host.public_address);
        }
        text += &format!(
            "Host *\n  User admin\n  IdentityFile \"{}\"\n  IdentitiesOnly yes\n  UserKnownHostsFile \"{}\"\n  \
             StrictHostKeyChecking yes\n  BatchMode yes\n  ConnectTimeout 10\n  ServerAliveInterval 10\n",
            self.path("ssh/key").display(),
            self.known_hosts().display()
        );
        self.write("ssh/config", &text)
    }

    /// A shell's command on a host, by its name.
    pub(crate) fn on(&self, host: &str, script: &str) -> Command {
        let mut command = Command::new("ssh");
        command.arg("-F").arg(self.ssh_config()).args([host, script]).stdin(process::Stdio::null());
        command
    }

    /// Ends the folder.
    ///
    /// # Errors
    /// Where something of it stays.
    pub(crate) fn remove(self) -> Result<(), Error> {
        fs::remove_dir_all(&self.folder).map_err(|error| failed(&self.folder, &error))
    }
}

/// Only `.tf` files: neither tests, nor variables and states of somebody who works there by hand.
fn copy_tree(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(|error| failed(to, &error))?;
    let is_of_terraform = |path: &Path| path.extension().is_some_and(|extension| extension == "tf");
    for old in entries(to)?.into_iter().filter(|path| is_of_terraform(path)) {
        fs::remove_file(&old).map_err(|error| failed(&old, &error))?;
    }
    for path in entries(from)? {
        let Some(name) = path.file_name() else { continue };
        let target = to.join(name);
        if path.is_dir() && name != "tests" && name != ".terraform" {
            copy_tree(&path, &target)?;
        } else if is_of_terraform(&path) {
            let text = fs::read(&path).map_err(|error| failed(&path, &error))?;
            fs::write(&target, text).map_err(|error| failed(&target, &error))?;
            // A source that nobody may write to, such as one of Nix, is to be replaced by the next all the same.
            fs::set_permissions(&target, Permissions::from_mode(0o600)).map_err(|error| failed(&target, &error))?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries =
        fs::read_dir(folder).and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect());
    entries.map_err(|error| failed(folder, &error))
}

/// The lock of a folder, with our number in it. Where whoever took it is gone, programs of his still write down what they have begun.
fn lock(folder: &Path, interruptions: &Interruptions) -> Result<File, Stop> {
    let path = folder.join(LOCK);
    let mut file =
        File::options().create(true).read(true).append(true).open(&path).map_err(|error| failed(&path, &error))?;
    let begun = Instant::now();
    let mut is_told = false;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(error)) => return Err(failed(&path, &error).into()),
            Err(TryLockError::WouldBlock) => {}
        }
        let owner = fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
        let is_gone = !owner.is_empty() && !Path::new("/proc").join(&owner).exists();
        if !is_gone || begun.elapsed() > LOCK_PATIENCE {
            let folder = folder.display();
            return Err(Error::Failed(format!(
                "{folder}: another command is at work on this deployment, process {owner} or what that has started: wait for its end"
            ))
            .into());
        }
        if !is_told {
            tell("waiting for what an earlier command has begun, which was killed");
            is_told = true;
        }
        interruptions.check()?;
        thread::sleep(LOOK_EVERY);
    }
    let noted = file.set_len(0).and_then(|()| writeln!(file, "{}", process::id()));
    noted.map_err(|error| failed(&path, &error))?;
    Ok(file)
}

pub(crate) fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::Failed(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            system: System::Shop,
            account: "000000000000".into(),
            region: REGION.into(),
            ssh_from: vec!["203.0.113.7/32".into()],
            hours: Some(4),
            variables: BTreeMap::from([("schedule".to_owned(), "off".to_owned())]),
        }
    }

    fn source() -> TempDir {
        let source = TempDir::new().unwrap();
        for (name, text) in [
            ("cluster/main.tf", "cluster"),
            ("cluster/terraform.tfvars", "of somebody"),
            ("cluster/terraform.tfstate", "of somebody"),
            ("cluster/tests/a.tf", "a test"),
            ("modules/network/main.tf", "network"),
        ] {
            let path = source.path().join("terraform").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        source
    }

    fn files(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for path in entries(&next).unwrap() {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(folder).unwrap().display().to_string());
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn what_was_decided_is_kept_in_a_folder_for_its_owner_alone() {
        let (parent, heed) = (TempDir::new().unwrap(), Interruptions::nobody());
        let folder = parent.path().join("state");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        assert!(Deployment::open(&folder, System::Shop, &heed).unwrap().is_none());
        drop(Deployment::begin(None, &folder, settings(), &heed).unwrap());
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(*Deployment::open(&folder, System::Shop, &heed).unwrap().unwrap().settings(), settings());
    }

    #[test]
    fn a_folder_that_holds_something_else_is_no_place_for_a_deployment() {
        let (folder, heed) = (TempDir::new().unwrap(), Interruptions::nobody());
        fs::write(folder.path().join("precious"), "").unwrap();
        let Err(Stop::Failed(Error::Usage(text))) = Deployment::begin(None, folder.path(), settings(), &heed) else {
            unreachable!()
        };
        assert!(text.ends_with("is not empty, and no deployment: name another with --state"), "{text}");
    }

    #[test]
    fn roots_are_copied_without_what_is_somebodys_and_old_files_go_but_the_state_stays() {
        let (folder, heed, source) = (TempDir::new().unwrap(), Interruptions::nobody(), source());
        let deployment = Deployment::begin(None, folder.path(), settings(), &heed).unwrap();
        for (name, text) in [("old.tf", "old"), (STATE, "ours")] {
            let path = deployment.root(Root::Cluster).join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        deployment.copy_roots(source.path(), "{}").unwrap();
        let terraform = folder.path().join("terraform");
        assert_eq!(files(&terraform), ["cluster/main.tf", "cluster/terraform.tfstate", "modules/network/main.tf"]);
        assert_eq!(fs::read_to_string(terraform.join("cluster").join(STATE)).unwrap(), "ours");
    }

    #[test]
    fn a_plan_keeps_nothing() {
        let (folder, heed, source) = (TempDir::new().unwrap(), Interruptions::nobody(), source());
        drop(Deployment::begin(None, folder.path(), settings(), &heed).unwrap());
        let before = files(folder.path());
        let opened = Deployment::open(folder.path(), System::Shop, &heed).unwrap();
        let planned = Deployment::planned(opened, Settings { hours: None, ..settings() }).unwrap();
        planned.copy_roots(source.path(), "{}").unwrap();
        planned.write_variables(Root::Cluster, &Value::Null).unwrap();
        let roots = planned.root(Root::Cluster);
        assert!(roots.join("main.tf").exists());
        drop(planned);
        assert!(!roots.exists());
        assert_eq!(files(folder.path()), before);
        assert_eq!(Deployment::open(folder.path(), System::Shop, &heed).unwrap().unwrap().settings().hours, Some(4));
    }

    #[test]
    fn what_a_killed_command_has_begun_is_waited_for() {
        let (folder, heed) = (TempDir::new().unwrap(), Interruptions::nobody());
        let deployment = Deployment::begin(None, folder.path(), settings(), &heed).unwrap();
        let mut left = Command::new("sleep").arg("0.3").stdin(deployment.lock.try_clone().unwrap()).spawn().unwrap();
        drop(deployment);
        // As if we were another command, and that one gone.
        fs::write(folder.path().join(LOCK), "4194305").unwrap();
        assert!(Deployment::open(folder.path(), System::Shop, &heed).unwrap().is_some());
        assert!(left.try_wait().unwrap().is_some(), "it was not waited for");
    }
}
