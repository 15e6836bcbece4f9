//! A server that outlives the command that started it.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nursery::process;

use crate::folder::remove;
use crate::server::{Server, URL};
use crate::{Error, Options};

/// The server that [`Options::start_detached`] has started at a place, found by that place.
pub struct Detached {
    place: PathBuf,
    folder: PathBuf,
    url: String,
}

impl Detached {
    pub(crate) fn start(options: Options, place: &Path) -> Result<Self, Error> {
        let (url, folder) = Server::start_lasting(options)?;
        symlink(&folder, place).map_err(|error| {
            remove(&folder); // nobody would find it
            Error::io(place.display().to_string())(error)
        })?;
        Ok(Self { place: place.to_owned(), folder, url })
    }

    /// Finds the server of this place; `None` where there is none.
    ///
    /// # Errors
    /// A place that cannot be read, or is none of a server.
    pub fn open(place: &Path) -> Result<Option<Self>, Error> {
        let folder = match fs::read_link(place) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            folder => folder.map_err(Error::io(place.display().to_string()))?,
        };
        let url = fs::read_to_string(folder.join(URL)).map_err(Error::io(folder.join(URL).display().to_string()))?;
        Ok(Some(Self { place: place.to_owned(), folder, url }))
    }

    /// Its database, in the form of `DATABASE_URL`. It holds the password.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The number of its first process, if it runs.
    pub fn pid(&self) -> Option<u32> {
        let file = fs::read_to_string(self.folder.join("data/postmaster.pid")).ok()?;
        let pid = file.lines().next()?.trim().parse().ok()?;
        process::inside(&self.folder).iter().any(|process| process.pid() == pid).then_some(pid)
    }

    /// Ends it at once, and removes it with all that it stored.
    ///
    /// # Errors
    /// Where it stays.
    pub fn end(self) -> Result<(), Error> {
        remove(&self.folder);
        if self.folder.exists() {
            let source = io::Error::other("it could not be removed");
            return Err(Error::Io { doing: self.folder.display().to_string(), source });
        }
        fs::remove_file(&self.place).map_err(Error::io(self.place.display().to_string()))
    }
}
