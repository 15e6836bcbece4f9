//! A JVM's classes, parsed once for all starts: half of the time that a node takes to start.
//!
//! The first cluster that ends in peace leaves an archive of the classes that its nodes had loaded, in the cache of
//! `ci/kafka-dist`; later ones start from it. A JVM that finds an archive of another build or another class path goes without.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use xxhash_rust::xxh3::Xxh3Default;

use crate::Distribution;
use crate::launch::Role;

/// Where a node has its classes from.
pub(crate) enum SharedClasses {
    /// From the archive.
    Shared(PathBuf),
    /// From the jars, and an archive is written when it ends politely.
    Recorded(Recording),
    /// From the jars.
    Parsed,
}

/// An archive in the making, by one cluster at a time.
pub(crate) struct Recording {
    making: PathBuf,
    archive: PathBuf,
    /// Held as long as the node may still write.
    _lock: File,
}

impl SharedClasses {
    /// The archive of this role, if it is there.
    pub(crate) fn find(distribution: &Distribution, role: Role) -> Self {
        let archive = archive(distribution, role);
        if archive.is_file() { Self::Shared(archive) } else { Self::Parsed }
    }

    /// The archive of this role; where it is missing, it is made unless somebody else is at it.
    pub(crate) fn find_or_record(distribution: &Distribution, role: Role) -> Self {
        match Self::find(distribution, role) {
            Self::Parsed => Recording::start(archive(distribution, role)).map_or(Self::Parsed, Self::Recorded),
            found => found,
        }
    }

    /// What the JVM is told.
    pub(crate) fn argument(&self) -> Option<String> {
        match self {
            Self::Shared(archive) => Some(format!("-XX:SharedArchiveFile={}", archive.display())),
            Self::Recorded(recording) => Some(format!("-XX:ArchiveClassesAtExit={}", recording.making.display())),
            Self::Parsed => None,
        }
    }
}

impl Recording {
    /// `None` where somebody else records, or the cache can't be written to: both cost time only.
    fn start(archive: PathBuf) -> Option<Self> {
        fs::create_dir_all(archive.parent()?).ok()?;
        let lock = File::create(archive.with_extension("lock")).ok()?;
        lock.try_lock().ok()?;
        Some(Self { making: archive.with_extension("making"), archive, _lock: lock })
    }

    /// The node has ended and has written it: from now on the others start from it.
    pub(crate) fn finish(&self) {
        // Where it was not written, the next cluster tries again.
        let _ = fs::rename(&self.making, &self.archive);
    }
}

impl Drop for Recording {
    /// A node that was killed while it wrote leaves half of it.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.making);
    }
}

/// One file for each role, Java and class path. Jars of other bytes at the same place are told by their time.
fn archive(distribution: &Distribution, role: Role) -> PathBuf {
    let mut hash = Xxh3Default::new();
    let java = distribution.java().to_owned();
    let release = java.ancestors().nth(2).map(|home| home.join("release"));
    for file in distribution.jars().iter().chain([&java]).chain(&release) {
        hash.update(file.as_os_str().as_encoded_bytes());
        if let Ok(metadata) = fs::metadata(file) {
            hash.update(&metadata.mtime().to_le_bytes());
            hash.update(&metadata.len().to_le_bytes());
        }
    }
    distribution.cache().join(format!("classes-{}-{:016x}.jsa", role.name(), hash.digest()))
}
