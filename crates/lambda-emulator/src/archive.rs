//! What is deployed: a zip with a `bootstrap` at its root.

use std::io::{Cursor, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::AwsError;

/// The most that a function's files may take, as Lambda has it.
const MAX_UNZIPPED_BYTES: u64 = 250 * 1024 * 1024;

/// The name that a custom runtime's program has.
const BOOTSTRAP: &str = "bootstrap";

/// How a program is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// As small as it gets, for who sends it away.
    Small,
    /// At once, for who unpacks it on this machine.
    Quick,
}

/// A program as a function's zip. The same program gives the same bytes, on every machine and at every time: the time in it is
/// 1980-01-01, the mode 0755, and nothing else of the machine is in it.
///
/// # Errors
/// Where the program is too large for a zip.
pub fn pack(program: &[u8], packing: Packing) -> std::io::Result<Vec<u8>> {
    let (method, level) = match packing {
        Packing::Small => (CompressionMethod::Deflated, Some(9)),
        Packing::Quick => (CompressionMethod::Stored, None),
    };
    let options = SimpleFileOptions::default()
        .compression_method(method)
        .compression_level(level)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(BOOTSTRAP, options)?;
    zip.write_all(program)?;
    Ok(zip.finish()?.into_inner())
}

/// A zip that was unpacked: its folder goes with the last who holds it.
pub(crate) struct Unpacked {
    folder: TempDir,
    /// Of the zip, in base64, as `CodeSha256`.
    pub(crate) sha256: String,
    /// Of the zip.
    pub(crate) bytes: usize,
}

impl Unpacked {
    /// # Errors
    /// Where a custom runtime cannot run it, or the machine has no room for it.
    pub(crate) fn new(zip: &[u8]) -> Result<Self, AwsError> {
        check(zip)?;
        let failed = |error: std::io::Error| AwsError::service(error.to_string());
        let folder = tempfile::tempdir().map_err(failed)?;
        unpack(zip, folder.path()).map_err(failed)?;
        Ok(Self { folder, sha256: sha256(zip), bytes: zip.len() })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// As AWS tells it of a zip.
pub(crate) fn sha256(zip: &[u8]) -> String {
    STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, zip))
}

/// Looks whether a zip is one that a custom runtime can run.
///
/// # Errors
/// Where it is no zip, has no `bootstrap`, or one that is not executable.
fn check(zip: &[u8]) -> Result<(), AwsError> {
    let refuse = |what: String| AwsError::invalid_parameter(what);
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(|error| {
        refuse(format!("Could not unzip uploaded file. Please check your file, then try to upload again. ({error})"))
    })?;
    let mut size = 0;
    for index in 0..archive.len() {
        size += archive.by_index_raw(index).map_err(|error| refuse(error.to_string()))?.size();
    }
    if size > MAX_UNZIPPED_BYTES {
        return Err(refuse(format!("Unzipped size must be smaller than {MAX_UNZIPPED_BYTES} bytes")));
    }
    let bootstrap = archive
        .by_name(BOOTSTRAP)
        .map_err(|_| refuse("the zip has no `bootstrap` at its root, which a custom runtime starts".into()))?;
    let is_executable = bootstrap.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
    if !is_executable {
        return Err(refuse("`bootstrap` is not executable: zip it with mode 0755".into()));
    }
    Ok(())
}

/// Unpacks it into a folder.
///
/// # Errors
/// What the file system or the zip has against it.
fn unpack(zip: &[u8], folder: &Path) -> std::io::Result<()> {
    let mut archive = ZipArchive::new(Cursor::new(zip))?;
    archive.extract(folder).map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_same_program_gives_the_same_bytes_because_time_and_mode_are_fixed() {
        let program: Vec<u8> = (0..100_000u32).flat_map(|n| (n % 251).to_le_bytes()).collect();
        let first = pack(&program, Packing::Small).unwrap();
        assert!(first == pack(&program, Packing::Small).unwrap());
        assert!(first.len() < program.len() / 10, "{} bytes", first.len());
        // Name, time and mode as they stand in the central directory.
        let mut archive = ZipArchive::new(Cursor::new(first)).unwrap();
        assert_eq!(archive.len(), 1);
        let entry = archive.by_index(0).unwrap();
        assert_eq!((&*entry.name().unwrap(), entry.unix_mode()), ("bootstrap", Some(0o100_755)));
        let time = entry.last_modified().unwrap();
        assert_eq!((time.year(), time.month(), time.day(), time.hour()), (1980, 1, 1, 0));
    }

    #[test]
    fn what_was_packed_can_be_run() {
        for packing in [Packing::Small, Packing::Quick] {
            let zip = pack(b"#!/bin/sh\n", packing).unwrap();
            assert_eq!(check(&zip), Ok(()));
            let folder = tempfile::tempdir().unwrap();
            unpack(&zip, folder.path()).unwrap();
            let metadata = std::fs::metadata(folder.path().join(BOOTSTRAP)).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o777, 0o755);
        }
    }
}
