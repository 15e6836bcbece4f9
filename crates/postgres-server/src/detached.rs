//! A server that outlives the command that started it.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nursery::process;

use crate::folder::{is_lasting, remove};
use crate::server::{Server, URL};
use crate::{Error, Options};

/// The server that [`Options::start_detached`] has started at a place, found by that place.
pub struct Detached {
    place: PathBuf,
    folder: PathBuf,
}

impl Detached {
    pub(crate) fn start(options: Options, place: &Path) -> Result<Self, Error> {
        let folder = Server::start_lasting(options)?;
        symlink(&folder, place).map_err(|error| {
            let _ = remove(&folder); // nobody would find it
            Error::io(place.display().to_string())(error)
        })?;
        Ok(Self { place: place.to_owned(), folder })
    }

    /// Finds the server of this place; `None` where there is none. One whose files are gone, because somebody has emptied the place for
    /// temporary files, is found, too: it can be [ended](Self::end).
    ///
    /// # Errors
    /// A place that cannot be read, or is none of a server.
    pub fn open(place: &Path) -> Result<Option<Self>, Error> {
        let folder = match fs::read_link(place) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            folder => folder.map_err(Error::io(place.display().to_string()))?,
        };
        if !is_lasting(&folder) {
            let source = io::Error::other(format!("it leads to {}, which is no server of ours", folder.display()));
            return Err(Error::Io { doing: place.display().to_string(), source });
        }
        Ok(Some(Self { place: place.to_owned(), folder }))
    }

    /// Its database, in the form of `DATABASE_URL`. It holds the password.
    ///
    /// # Errors
    /// Where its files are gone.
    pub fn url(&self) -> Result<String, Error> {
        let file = self.folder.join(URL);
        fs::read_to_string(&file).map_err(Error::io(file.display().to_string()))
    }

    /// The number of its first process, if it runs and has its files.
    pub fn pid(&self) -> Option<u32> {
        self.url().ok()?;
        let file = fs::read_to_string(self.folder.join("data/postmaster.pid")).ok()?;
        let pid = file.lines().next()?.trim().parse().ok()?;
        process::inside(&self.folder).iter().any(|process| process.pid() == pid).then_some(pid)
    }

    /// Ends it at once, waits until none of its processes is left, and removes it with all that it stored.
    ///
    /// # Errors
    /// A process that does not end, or files that stay.
    pub fn end(self) -> Result<(), Error> {
        remove(&self.folder).map_err(Error::io(self.folder.display().to_string()))?;
        fs::remove_file(&self.place).map_err(Error::io(self.place.display().to_string()))
    }
}
