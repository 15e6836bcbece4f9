//! Where PostgreSQL is installed.

use std::env;
use std::path::{Path, PathBuf};

use crate::Error;

/// Where Debian and Ubuntu put each version; only its clients are in `PATH` there.
const VERSIONS: &str = "/usr/lib/postgresql";

/// The folder of PostgreSQL's programs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Programs(PathBuf);

impl Programs {
    /// Those in `PATH`, else the newest in [`VERSIONS`].
    pub(crate) fn find() -> Result<Self, Error> {
        Self::among(&env::var_os("PATH").unwrap_or_default(), Path::new(VERSIONS)).ok_or(Error::NotInstalled)
    }

    fn among(path: &std::ffi::OsStr, versions: &Path) -> Option<Self> {
        let has_both = |folder: &PathBuf| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file());
        let in_path = env::split_paths(path).find(has_both);
        in_path.or_else(|| installed(versions).into_iter().map(|(_, folder)| folder).rfind(has_both)).map(Self)
    }

    pub(crate) fn into_folder(self) -> PathBuf {
        self.0
    }

    pub(crate) fn initdb(&self) -> PathBuf {
        self.0.join("initdb")
    }

    pub(crate) fn postgres(&self) -> PathBuf {
        self.0.join("postgres")
    }
}

/// The newest one last: 9.6, 15, 17.
fn installed(versions: &Path) -> Vec<(Vec<u32>, PathBuf)> {
    let entries = versions.read_dir().into_iter().flatten().filter_map(Result::ok);
    let version = |name: &str| name.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>();
    let found = entries.filter_map(|entry| Some((version(entry.file_name().to_str()?)?, entry.path().join("bin"))));
    let mut found: Vec<_> = found.collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;

    use super::*;
    use crate::folder::Folder;

    fn install(folder: &Path) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        for name in ["initdb", "postgres"] {
            fs::write(folder.join(name), "").unwrap();
        }
        folder.to_owned()
    }

    #[test]
    fn the_newest_version_is_taken_unless_one_is_in_path() {
        let folder = Folder::temporary(None).unwrap();
        let versions = folder.path().join("versions");
        for version in ["9.6", "15", "17"] {
            install(&versions.join(version).join("bin"));
        }
        fs::create_dir_all(versions.join("18/bin")).unwrap(); // its clients alone
        let in_path = install(&folder.path().join("path"));
        let found = |path: &OsStr| Programs::among(path, &versions);
        assert_eq!(found(OsStr::new("/nowhere")), Some(Programs(versions.join("17/bin"))));
        assert_eq!(found(in_path.as_os_str()), Some(Programs(in_path)));
    }

    #[test]
    fn nothing_is_found_where_nothing_is_installed() {
        assert_eq!(Programs::among(OsStr::new("/nowhere"), Path::new("/nowhere")), None);
    }
}
