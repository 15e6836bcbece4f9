//! What a server keeps on disk: data, certificates, its log.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use std::{env, process::Command};

use nix::unistd::{User, geteuid};
use nursery::process::{self, Identity};

use crate::Error;

const PREFIX: &str = "orderflow-postgres-";
/// Of one that is to outlive our process: nobody sweeps it away.
const LASTING_PREFIX: &str = "orderflow-database-";
/// Held as long as the folder is in use: the system lets go of it when the process ends, however it ends.
const LOCK: &str = "lock";
const DATA: &str = "data";

/// Who runs the server, where we are root: PostgreSQL refuses to run as root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Owner {
    /// Where we are root: `postgres`, else `nobody`. `None` where we are somebody else, who runs it himself.
    pub(crate) fn find() -> Result<Option<Self>, Error> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        for name in ["postgres", "nobody"] {
            let user =
                User::from_name(name).map_err(|error| Error::io(format!("look for user {name}"))(error.into()))?;
            if let Some(user) = user {
                return Ok(Some(Self { uid: user.uid.as_raw(), gid: user.gid.as_raw() }));
            }
        }
        let source =
            io::Error::new(io::ErrorKind::NotFound, "there is none: add one, as `useradd --system postgres` does");
        Err(Error::Io { doing: "PostgreSQL does not run as root: look for user postgres or nobody".into(), source })
    }
}

/// A folder that goes with all that is in it when this is dropped.
pub(crate) struct Folder {
    path: PathBuf,
    owner: Option<Owner>,
    _lock: File,
    is_kept: bool,
}

impl Folder {
    /// A new one for this owner in the place for temporary files, where those go that killed processes have left.
    pub(crate) fn temporary(owner: Option<Owner>) -> Result<Self, Error> {
        sweep(&place()?);
        Self::make(PREFIX, owner)
    }

    /// One that stays once it is [kept](Folder::keep). In the place for temporary files, too: where we are root its owner comes there, and
    /// not into our home.
    pub(crate) fn lasting(owner: Option<Owner>) -> Result<Self, Error> {
        Self::make(LASTING_PREFIX, owner)
    }

    fn make(prefix: &str, owner: Option<Owner>) -> Result<Self, Error> {
        let base = place()?;
        let name = format!("{prefix}{:016x}", rand::random::<u64>());
        // Under another name until it is locked, because an unlocked one is swept away.
        let making = base.join(format!(".{name}"));
        let path = base.join(name);
        DirBuilder::new().mode(0o700).create(&making).map_err(Error::io(making.display().to_string()))?;
        let lock = File::create(making.join(LOCK)).and_then(|lock| lock.lock().map(|()| lock));
        let lock = lock.map_err(Error::io(making.display().to_string()))?;
        fs::rename(&making, &path).map_err(Error::io(path.display().to_string()))?;
        let folder = Self { path, owner, _lock: lock, is_kept: false };
        folder.hand_over(&folder.path)?;
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it as it is.
    pub(crate) fn keep(&mut self) -> PathBuf {
        self.is_kept = true;
        self.path.clone()
    }

    /// Where the server keeps what it stores.
    pub(crate) fn data(&self) -> PathBuf {
        self.path.join(DATA)
    }

    /// Writes a file that only its owner may read: some hold a password or a key.
    pub(crate) fn write(&self, name: &str, content: &str) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(content.as_bytes())).map_err(Error::io(path.display().to_string()))?;
        self.hand_over(&path)?;
        Ok(path)
    }

    fn hand_over(&self, path: &Path) -> Result<(), Error> {
        let Some(owner) = self.owner else { return Ok(()) };
        chown(path, Some(owner.uid), Some(owner.gid)).map_err(Error::io(format!("give {} away", path.display())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = remove(&self.path);
        }
    }
}

/// The place for temporary files by the name under which the system tells where a process works.
fn place() -> Result<PathBuf, Error> {
    let place = env::temp_dir();
    fs::canonicalize(&place).map_err(Error::io(place.display().to_string()))
}

/// Removes the folders whose server is gone: its process was killed before it could.
fn sweep(base: &Path) {
    let Ok(entries) = base.read_dir() else { return };
    for entry in entries.filter_map(Result::ok) {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        if is_ours && !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
            let _ = remove(&entry.path());
        }
    }
}

/// Whether this is the name of one that outlives our process.
pub(crate) fn is_lasting(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(LASTING_PREFIX))
}

/// Ends whoever works in it, and then removes it, if it is there. What can't be removed of a temporary one is swept away by a later server.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    // Where our process was killed while its server was frozen, all but the first of the server's processes still stand there.
    let memory = shared_memory(path);
    process::end(|| process::inside(path))?;
    for piece in memory {
        let _ = Command::new("ipcrm").args(["--shmem-id", &piece.to_string()]).output();
    }
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// The numbers of a server's pieces of System V shared memory, which outlive every process. One that was killed has left its own in a file, as the
/// last word of the seventh line; of one that runs without its files the system knows which it has.
fn shared_memory(folder: &Path) -> BTreeSet<u32> {
    let file = fs::read_to_string(folder.join(DATA).join("postmaster.pid")).unwrap_or_default();
    let noted = file.lines().nth(6).and_then(|line| line.split_whitespace().last()?.parse().ok());
    let noted = noted.filter(|piece| file.lines().next().is_some_and(|server| was_made_by(*piece, server)));
    let maps = |process: Identity| fs::read_to_string(format!("/proc/{}/maps", process.pid())).unwrap_or_default();
    let maps: String = process::inside(folder).into_iter().map(maps).collect();
    let pieces = maps.lines().filter(|line| line.contains(" /SYSV"));
    // In the place of a file's inode.
    let mapped = pieces.filter_map(|line| line.split_whitespace().nth(4)?.parse().ok());
    noted.into_iter().chain(mapped).collect()
}

/// Whether a piece of shared memory is of the process of this number: after a restart of the machine it may be anybody's.
fn was_made_by(piece: u32, server: &str) -> bool {
    let pieces = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    // Its number is the second field, its maker's the fifth.
    pieces.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(1) == Some(&piece.to_string().as_str()) && fields.get(4) == Some(&server)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_works_in_a_folder_ends_with_it() {
        let folder = Folder::temporary(None).unwrap();
        let path = folder.path().to_owned();
        let mut sleep = Command::new("sleep").arg("600").current_dir(&path).spawn().unwrap();
        drop(folder);
        assert!(!sleep.wait().unwrap().success());
        assert!(!path.exists());
    }
}
