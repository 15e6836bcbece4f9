use std::collections::HashSet;
use std::fs::Permissions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use messaging::Record;
use messaging::audit::OrderKey;
use tempfile::NamedTempFile;

use crate::business::Business;
use crate::{Error, tell};

/// A file of accepted orders, one JSON object a line, each order once.
pub(crate) struct OrderFile {
    business: Arc<dyn Business>,
    path: PathBuf,
    /// Takes its place once it is complete: an audit that fails leaves what was there.
    file: BufWriter<NamedTempFile>,
    /// About 16 bytes an order.
    written: HashSet<OrderKey>,
    unreadable: u64,
}

impl OrderFile {
    /// Begins the file, beside the place that it is to take.
    ///
    /// # Errors
    /// Where its folder cannot be written to, or something that is no file is in its place.
    pub(crate) fn create(path: &Path, business: Arc<dyn Business>) -> Result<Self, Error> {
        let refused = |error: io::Error| Error::Usage(format!("--orders {}: {error}", path.display()));
        if path.is_dir() {
            return Err(refused(io::ErrorKind::IsADirectory.into()));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new().prefix(".orders-").permissions(readable()).tempfile_in(folder);
        let file = BufWriter::new(file.map_err(refused)?);
        Ok(Self { business, path: path.to_owned(), file, written: HashSet::new(), unreadable: 0 })
    }

    /// Adds the order of a record, unless it is in the file.
    ///
    /// # Errors
    /// Where the file cannot be written to.
    pub(crate) fn add(&mut self, record: &Record<'_>) -> Result<(), Error> {
        let Some(Ok(order)) = record.value.map(|value| self.business.read_order(value)) else {
            self.unreadable += 1;
            return Ok(());
        };
        if !self.written.insert(OrderKey::of(&order.record.key)) {
            return Ok(());
        }
        let mut line = order.record.value;
        line.push(b'\n');
        self.file.write_all(&line).map_err(|error| broken(&self.path, &error))
    }

    /// Puts the file in its place, and says what is not in it.
    ///
    /// # Errors
    /// Where its last lines cannot be written.
    pub(crate) fn finish(self) -> Result<(), Error> {
        let Self { path, file, unreadable, .. } = self;
        let file = file.into_inner().map_err(|error| broken(&path, error.error()))?;
        file.persist(&path).map_err(|error| broken(&path, &error.error))?;
        if unreadable > 0 {
            tell(&format!("{unreadable} orders that nobody can decode are not in {}", path.display()));
        }
        Ok(())
    }
}

fn broken(path: &Path, error: &io::Error) -> Error {
    Error::Failed(format!("--orders {}: {error}", path.display()))
}

/// As any other file is, less what the process masks: a temporary one is its owner's alone.
fn readable() -> Permissions {
    Permissions::from_mode(0o666)
}
