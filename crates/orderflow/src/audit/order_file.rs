use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use events::Event;
use events::shop::OrderPlaced;
use messaging::Record;
use messaging::audit::OrderKey;

use crate::{Error, tell};

/// A file of accepted orders, one JSON object a line, each order once.
pub(crate) struct OrderFile {
    path: PathBuf,
    file: BufWriter<File>,
    /// About 16 bytes an order.
    written: HashSet<OrderKey>,
    unreadable: u64,
}

impl OrderFile {
    /// Creates the file, or empties it.
    ///
    /// # Errors
    /// Where it cannot be written to.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let refused = |error: io::Error| Error::Usage(format!("--orders {}: {error}", path.display()));
        let file = BufWriter::new(File::create(path).map_err(refused)?);
        Ok(Self { path: path.to_owned(), file, written: HashSet::new(), unreadable: 0 })
    }

    /// Adds the order of a record, unless it is in the file.
    ///
    /// # Errors
    /// Where the file cannot be written to.
    pub(crate) fn add(&mut self, record: &Record<'_>) -> Result<(), Error> {
        let Ok(order) = record.decode::<OrderPlaced>() else {
            self.unreadable += 1;
            return Ok(());
        };
        if !self.written.insert(OrderKey::of(order.key())) {
            return Ok(());
        }
        let mut line = order.encode();
        line.push(b'\n');
        self.file.write_all(&line).map_err(|error| self.broken(&error))
    }

    /// Says what is not in the file.
    ///
    /// # Errors
    /// Where its last lines cannot be written.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.file.flush().map_err(|error| self.broken(&error))?;
        if self.unreadable > 0 {
            tell(&format!("{} orders that nobody can decode are not in {}", self.unreadable, self.path.display()));
        }
        Ok(())
    }

    fn broken(&self, error: &io::Error) -> Error {
        Error::Failed(format!("--orders {}: {error}", self.path.display()))
    }
}
