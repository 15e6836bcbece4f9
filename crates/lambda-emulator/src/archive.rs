//! What is deployed: a zip with a `bootstrap` at its root.

use std::io::Cursor;
use std::path::Path;

use zip::ZipArchive;

use crate::AwsError;

/// The most that a function's files may take, as Lambda has it.
const MAX_UNZIPPED_BYTES: u64 = 250 * 1024 * 1024;

/// Looks whether a zip is one that a custom runtime can run.
///
/// # Errors
/// Where it is no zip, has no `bootstrap`, or one that is not executable.
pub(crate) fn check(zip: &[u8]) -> Result<(), AwsError> {
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
        .by_name("bootstrap")
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
pub(crate) fn unpack(zip: &[u8], folder: &Path) -> std::io::Result<()> {
    let mut archive = ZipArchive::new(Cursor::new(zip))?;
    archive.extract(folder).map_err(std::io::Error::other)
}
