use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::Page;
use crate::Error;

/// Where a page goes once there is something to show: whole, or not at all.
pub(crate) struct PageFile {
    path: PathBuf,
    /// The same, wherever links lead.
    resolved: PathBuf,
}

impl PageFile {
    /// A place that can be written to.
    ///
    /// # Errors
    /// Where it cannot, or something that is no file is there, or it is one of the files that are needed otherwise.
    pub(crate) fn at(path: &Path, needed: &[&Path]) -> Result<Self, Error> {
        let refused = |reason: &dyn std::fmt::Display| Error::Usage(format!("--report {}: {reason}", path.display()));
        // A stream may lead to a file, which would be replaced below it.
        if path == Path::new("-") || ["/dev", "/proc"].iter().any(|streams| path.starts_with(streams)) {
            return Err(refused(&"is no file, allowed the name of a file of HTML"));
        }
        let resolved = resolved(path).map_err(|error| refused(&error))?;
        if let Ok(metadata) = fs::metadata(&resolved)
            && !metadata.is_file()
        {
            return Err(refused(&"is no file, allowed the name of a file of HTML"));
        }
        if needed.iter().any(|needed| self::resolved(needed).is_ok_and(|needed| needed == resolved)) {
            return Err(refused(&"is read or written as something else, allowed another file"));
        }
        // Gone at once: who is killed in between leaves nothing.
        beside(&resolved).map_err(|error| refused(&error))?;
        Ok(Self { path: path.to_owned(), resolved })
    }

    /// Puts the page there.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn write(&self, page: &Page) -> Result<(), Error> {
        let write = || {
            let mut file = beside(&self.resolved)?;
            file.write_all(page.html().as_bytes())?;
            file.persist(&self.resolved).map(drop).map_err(|error| error.error)
        };
        write().map_err(|error| Error::Failed(format!("--report {}: {error}", self.path.display())))
    }
}

/// A file that is to take its place, as readable as any other, less what the process masks.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    tempfile::Builder::new().prefix(".report-").permissions(Permissions::from_mode(0o666)).tempfile_in(folder)
}

/// Where links lead; of a file that is not there yet, those of its folder.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    if let Ok(path) = fs::canonicalize(path) {
        return Ok(path);
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(fs::canonicalize(folder)?.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &Path, needed: &[&Path], reason: &str) {
        match PageFile::at(path, needed) {
            Err(Error::Usage(text)) => assert!(text.contains(reason), "{text}"),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("{} was taken", path.display()),
        }
    }

    #[test]
    fn a_place_that_cannot_be_written_to_is_refused_and_nothing_is_left_of_the_question() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        check(&at("missing/report.html"), &[], "No such file or directory");
        for stream in [folder.path(), Path::new("-"), Path::new("/dev/stdout"), Path::new("/proc/self/fd/1")] {
            check(stream, &[], "is no file");
        }
        fs::write(at("input.jsonl"), "").unwrap();
        std::os::unix::fs::symlink(at("input.jsonl"), at("link")).unwrap();
        check(&at("link"), &[&at("input.jsonl")], "is read or written as something else");
        check(&at("rejects"), &[&at("rejects")], "is read or written as something else");
        PageFile::at(&at("report.html"), &[&at("input.jsonl")]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
