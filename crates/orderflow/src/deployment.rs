//! What was deployed, and its state: a folder with a copy of each Terraform root. A stub on this branch.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::Error;

/// A deployment whose state is on this machine.
#[derive(Debug)]
pub(crate) struct Deployment {
    folder: PathBuf,
    made_in: MadeIn,
}

#[derive(Debug, Deserialize)]
struct MadeIn {
    region: String,
    account: String,
}

/// One of its Terraform roots.
#[derive(Debug)]
pub(crate) struct Root {
    folder: PathBuf,
}

impl Root {
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Deployment {
    pub(crate) fn open(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join("deployment.json");
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(Error::failed)?;
        let made_in = serde_json::from_str(&text).map_err(Error::failed)?;
        Ok(Some(Self { folder: folder.to_owned(), made_in }))
    }

    pub(crate) fn region(&self) -> &str {
        &self.made_in.region
    }

    pub(crate) fn account(&self) -> &str {
        &self.made_in.account
    }

    pub(crate) fn root(&self, name: &str) -> Root {
        Root { folder: self.folder.join("terraform").join(name) }
    }

    pub(crate) fn terraform(&self, root: &Root, arguments: &[&str], _stage: &str) -> Result<(), Error> {
        let mut command = Command::new("terraform");
        command.arg(format!("-chdir={}", root.folder.display())).args(arguments).stdin(Stdio::null());
        let status = command.stdout(std::io::stderr()).status().map_err(Error::failed)?;
        if status.success() { Ok(()) } else { Err(Error::Failed(format!("terraform: {status}"))) }
    }
}

/// Where it is, unless somebody says otherwise.
pub(crate) fn default_folder() -> Result<PathBuf, Error> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = variable("XDG_STATE_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/state")));
    let state = state.ok_or_else(|| Error::Usage("neither XDG_STATE_HOME nor HOME is set: name a --state".into()))?;
    Ok(state.join("orderflow/deployment"))
}
