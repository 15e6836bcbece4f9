//! What a cluster keeps on disk: settings, logs, data, credentials.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::{env, process};

use crate::Error;

const PREFIX: &str = "orderflow-cluster-";
/// Memory in the shape of files, where Linux has it: three brokers on one disk wait for it most of their time.
const MEMORY: &str = "/dev/shm";
/// Held as long as the folder is in use: the system lets go of it when the process ends, however it ends.
const LOCK: &str = "lock";

/// Goes with all that is in it when this is dropped.
pub(crate) struct Folder {
    path: PathBuf,
    outlives_us: bool,
    /// None on a place of its own, which nobody sweeps.
    _lock: Option<File>,
}

impl Folder {
    /// A new one that goes with the cluster, and with it those that killed processes have left.
    pub(crate) fn temporary() -> Result<Self, Error> {
        let base = [PathBuf::from(MEMORY), env::temp_dir()].into_iter().find(|base| is_writable(base));
        let base = base.unwrap_or_else(env::temp_dir);
        sweep(&base);
        let name = format!("{PREFIX}{:016x}", rand::random::<u64>());
        // Under another name until it is locked, because an unlocked one is swept away.
        let making = base.join(format!(".{name}"));
        let path = base.join(name);
        create(&making)?;
        let lock = File::create(making.join(LOCK)).and_then(|lock| lock.lock().map(|()| lock));
        let lock = lock.map_err(Error::io(making.display().to_string()))?;
        fs::rename(&making, &path).map_err(Error::io(path.display().to_string()))?;
        Ok(Self { path, outlives_us: false, _lock: Some(lock) })
    }

    /// One at a place of its own.
    pub(crate) fn lasting(path: &Path) -> Result<Self, Error> {
        create(path)?;
        let path = path.canonicalize().map_err(Error::io(path.display().to_string()))?;
        Ok(Self { path, outlives_us: false, _lock: None })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A folder in it.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        create(&path)?;
        Ok(path)
    }

    /// Writes a file that only its owner may read: most of them hold a password or a key.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(content.as_ref())).map_err(Error::io(path.display().to_string()))?;
        Ok(path)
    }

    /// Copies these files of the folder to where they outlive it; answers with that place.
    pub(crate) fn keep(&self, files: &[String]) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let kept = env::temp_dir().join(format!("{name}-logs-{}", process::id()));
        for file in files {
            // What can't be kept is not there to be read, which says it.
            let place = kept.join(file);
            let _ = place.parent().map(fs::create_dir_all);
            let _ = fs::copy(self.path.join(file), place);
        }
        kept
    }

    /// Leaves it where it is.
    pub(crate) fn stay(&mut self) {
        self.outlives_us = true;
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.outlives_us {
            // What can't be removed is swept away by a later cluster.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn create(path: &Path) -> Result<(), Error> {
    DirBuilder::new().mode(0o700).recursive(true).create(path).map_err(Error::io(path.display().to_string()))
}

fn is_writable(base: &Path) -> bool {
    nix::unistd::access(base, nix::unistd::AccessFlags::W_OK).is_ok()
}

/// Removes the folders whose cluster is gone: its process was killed before it could.
fn sweep(base: &Path) {
    let Ok(entries) = base.read_dir() else { return };
    for entry in entries.filter_map(io::Result::ok) {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        if is_ours && !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
