//! One deployment on AWS, as its folder keeps it: copies of Terraform's roots with their states, keys, passwords, logs.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;
use crate::tool::{self, Said, Stop, Tools};

/// What a folder of ours is known by.
const SETTINGS: &str = "deployment.json";

const LOCK: &str = "lock";

/// Where it is kept, for every command that deals with one.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// Where its state, keys, passwords and logs are kept; in the home folder's .local/state/orderflow/deployment if absent.
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
}

/// What was decided when it was begun. Another account or region is another deployment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The account's number.
    pub(crate) account: String,
    pub(crate) region: String,
    /// Who may reach the hosts by SSH, and open the console's pages, as networks.
    pub(crate) ssh_from: Vec<String>,
    /// After so many hours it stops by itself; `None`: never.
    pub(crate) hours: Option<u32>,
}

/// A folder that holds a deployment, ours as long as this value is there.
pub(crate) struct Deployment {
    folder: PathBuf,
    settings: Settings,
    _lock: File,
}

/// One of Terraform's two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    Cluster,
    Services,
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
    pub(crate) fn folder(&self) -> Result<PathBuf, Error> {
        if let Some(folder) = &self.state {
            return std::path::absolute(folder).map_err(|error| failed(folder, &error));
        }
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = || set("HOME").map(|home| home.join(".local/state"));
        let state = set("XDG_STATE_HOME").or_else(home);
        let missing = || Error::Usage("HOME is not set: name a folder with --state".into());
        Ok(state.ok_or_else(missing)?.join("orderflow/deployment"))
    }

    /// What was typed, for a command that continues.
    pub(crate) fn arguments(&self) -> String {
        self.state.as_ref().map_or_else(String::new, |folder| format!(" --state {}", folder.display()))
    }
}

impl Root {
    pub(crate) const ALL: [Self; 2] = [Self::Cluster, Self::Services];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Services => "services",
        }
    }
}

impl Deployment {
    /// The one that the folder holds; `None` where there is none.
    ///
    /// # Errors
    /// Where the folder cannot be read, or another command is at work on it.
    pub(crate) fn open(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(SETTINGS);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&path, &error)),
        };
        let settings =
            serde_json::from_str(&text).map_err(|error| Error::Failed(format!("{}: {error}", path.display())))?;
        Ok(Some(Self { folder: folder.to_owned(), settings, _lock: lock(folder)? }))
    }

    /// Makes the folder, for its owner alone, or takes the one that is there; these settings apply from now on.
    ///
    /// # Errors
    /// Where that cannot be done, or the folder holds something else.
    pub(crate) fn begin(folder: &Path, settings: Settings) -> Result<Self, Error> {
        let deployment = match Self::open(folder)? {
            Some(deployment) => Self { settings, ..deployment },
            None => {
                // A try that was killed at its very beginning leaves no more than its lock.
                let is_empty = !folder.exists()
                    || entries(folder)?.iter().all(|path| path.file_name().is_some_and(|name| name == LOCK));
                if !is_empty {
                    let folder = folder.display();
                    return Err(Error::Usage(format!(
                        "{folder} is not empty, and no deployment: name another with --state"
                    )));
                }
                fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(folder)
                    .map_err(|error| failed(folder, &error))?;
                Self { folder: folder.to_owned(), settings, _lock: lock(folder)? }
            }
        };
        let text = format!("{:#}\n", serde_json::to_value(&deployment.settings).map_err(Error::failed)?);
        deployment.write(SETTINGS, &text)?;
        Ok(deployment)
    }

    pub(crate) const fn settings(&self) -> &Settings {
        &self.settings
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

    /// The zips, and the static `orderflow` for the console host.
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
        let path = self.path(name);
        let parent = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(parent).map_err(|error| failed(parent, &error))?;
        let mut file = tempfile::NamedTempFile::new_in(parent).map_err(|error| failed(parent, &error))?;
        file.write_all(text.as_bytes()).map_err(|error| failed(&path, &error))?;
        file.persist(&path).map_err(|error| failed(&path, &error.error))?;
        Ok(())
    }

    // --- Terraform ---

    /// A copy of a root, with its state beside it: what was applied stays what is destroyed, whatever becomes of the sources.
    pub(crate) fn root(&self, root: Root) -> PathBuf {
        self.path("terraform").join(root.name())
    }

    /// Copies the roots, and the topology that they read.
    ///
    /// # Errors
    /// Where a file cannot be read or written.
    pub(crate) fn copy_roots(&self, source: &Path, topology: &str) -> Result<(), Error> {
        self.write("topology.json", topology)?;
        copy_tree(&source.join("terraform"), &self.path("terraform"))
    }

    /// The variables of a root, which its state keeps company: destroying needs them, too.
    pub(crate) fn write_variables(&self, root: Root, variables: &Value) -> Result<(), Error> {
        self.write(&format!("terraform/{}/deploy.auto.tfvars.json", root.name()), &format!("{variables:#}\n"))
    }

    /// Terraform in a root, which begins with `init`: that is quick where nothing is missing.
    ///
    /// # Errors
    /// As [`Tools::run`].
    pub(crate) fn terraform(&self, root: Root, arguments: &[&str], tools: &mut Tools<'_>) -> Result<Said, Stop> {
        tools.run(self.terraform_command(root, &["init", "-input=false", "-no-color"])?)?;
        tools.run(self.terraform_command(root, arguments)?)
    }

    fn terraform_command(&self, root: Root, arguments: &[&str]) -> Result<Command, Error> {
        let mut command = tool::program("terraform")?;
        command.arg(format!("-chdir={}", self.root(root).display())).args(arguments);
        // Another's arguments for every call would be applied here, too.
        command.env_remove("TF_WORKSPACE").env_remove("TF_CLI_ARGS").env_remove("TF_DATA_DIR");
        Ok(command)
    }

    /// What a root made, as `terraform output -json` prints it; `None` where it has made nothing.
    ///
    /// # Errors
    /// Where its state cannot be read.
    pub(crate) fn outputs(&self, root: Root) -> Result<Option<String>, Error> {
        if !self.root(root).join("terraform.tfstate").exists() {
            return Ok(None);
        }
        let mut command = self.terraform_command(root, &["output", "-json", "-no-color"])?;
        let output = command.output().map_err(|error| Error::Failed(format!("terraform: {error}")))?;
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
                "terraform/{0} has no output `{name}`: `orderflow deploy --from {0}` applies it",
                root.name()
            ))
        };
        let outputs: Value = serde_json::from_str(&self.outputs(root)?.ok_or_else(missing)?).map_err(Error::failed)?;
        outputs.get(name).and_then(|output| output.get("value")).cloned().ok_or_else(missing)
    }

    /// The hosts by name.
    ///
    /// # Errors
    /// Where the cluster has not been applied.
    pub(crate) fn hosts(&self) -> Result<BTreeMap<String, Host>, Error> {
        serde_json::from_value(self.output(Root::Cluster, "hosts")?).map_err(Error::failed)
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
                .stdin(std::process::Stdio::null())
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
        command.arg("-F").arg(self.ssh_config()).args([host, script]).stdin(std::process::Stdio::null());
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

fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join(LOCK);
    let file = File::create(&path).map_err(|error| failed(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let folder = folder.display();
            Err(Error::Failed(format!("{folder}: another command is at work on this deployment: wait for its end")))
        }
        Err(TryLockError::Error(error)) => Err(failed(&path, &error)),
    }
}

pub(crate) fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::Failed(format!("{}: {error}", path.display()))
}
