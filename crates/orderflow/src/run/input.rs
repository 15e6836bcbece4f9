//! Orders as JSON lines. A bad line is set aside with its number and reason; the good ones go on.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use events::hash_of;
use events::wire::MAX_VALUE_BYTES;

use simulation::Order;

use crate::Error;
use crate::business::Business;

/// How much of a refused line is kept.
const KEPT_BYTES: usize = 1_024;

/// A file of orders.
pub(crate) struct Input {
    name: String,
    lines: Box<dyn BufRead + Send>,
    business: Arc<dyn Business>,
    /// What it is, to tell it from the file of rejects.
    metadata: Option<Metadata>,
    line_number: u64,
    /// The line of each order id so far, by the id's hash: about 50 bytes an order.
    seen: HashMap<u128, u64>,
}

/// A line of the input.
pub(crate) enum Line {
    /// A good one.
    Order(Order),
    /// A bad one.
    Refused(Refused),
}

/// A line that is no order, or an order that came before.
pub(crate) struct Refused {
    line: u64,
    reason: String,
    input: String,
}

impl Input {
    /// Opens a file, or stdin for `-`.
    ///
    /// # Errors
    /// Where it cannot be opened, or is a folder.
    pub(crate) fn open(path: &Path, business: Arc<dyn Business>) -> Result<Self, Error> {
        let name = path.display().to_string();
        let refused = |error: io::Error| Error::Usage(format!("--input {name}: {error}"));
        let is_stdin = path == Path::new("-");
        let metadata = fs::metadata(if is_stdin { Path::new("/dev/stdin") } else { path });
        if metadata.as_ref().is_ok_and(Metadata::is_dir) {
            return Err(Error::Usage(format!("--input {name}: is a folder, allowed a file of JSON lines or -")));
        }
        let lines: Box<dyn BufRead + Send> = if is_stdin {
            Box::new(BufReader::new(io::stdin()))
        } else {
            Box::new(BufReader::with_capacity(1 << 16, File::open(path).map_err(refused)?))
        };
        Ok(Self { name, lines, business, metadata: metadata.ok(), line_number: 0, seen: HashMap::new() })
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// Where the input cannot be read on.
    pub(crate) fn next(&mut self) -> Result<Option<Line>, Error> {
        let mut line = Vec::new();
        if !self.read_line(&mut line)? {
            return Ok(None);
        }
        Ok(Some(match self.accept(&line) {
            Ok(order) => Line::Order(order),
            Err(reason) => {
                let mut input = String::from_utf8_lossy(&line[..line.len().min(KEPT_BYTES)]).into_owned();
                if line.len() > KEPT_BYTES {
                    input.push('…');
                }
                Line::Refused(Refused { line: self.line_number, reason, input })
            }
        }))
    }

    fn accept(&mut self, line: &[u8]) -> Result<Order, String> {
        if line.is_empty() {
            return Err("found an empty line, allowed one order a line".into());
        }
        if line.len() > MAX_VALUE_BYTES {
            return Err(format!("found more than {MAX_VALUE_BYTES} bytes, allowed {MAX_VALUE_BYTES} bytes at most"));
        }
        let order = self.business.read_order(line)?;
        let (id, line) = (order.order_id.as_str(), self.line_number);
        match self.seen.entry(hash_of(&[id])) {
            Entry::Occupied(first) => {
                Err(format!("order_id: found {id:?} on line {} and on line {line}, allowed once", first.get()))
            }
            Entry::Vacant(place) => {
                place.insert(line);
                Ok(order)
            }
        }
    }

    /// Reads a line without its end; `false` after the last. A line that is too long is read to its end, but no more of it is
    /// kept than is needed to refuse it.
    fn read_line(&mut self, line: &mut Vec<u8>) -> Result<bool, Error> {
        line.clear();
        let broken = |error| Error::Failed(format!("--input {}: line {}: {error}", self.name, self.line_number + 1));
        let limit = MAX_VALUE_BYTES as u64 + 2;
        let mut read = (&mut self.lines).take(limit).read_until(b'\n', line).map_err(broken)?;
        if read == 0 {
            return Ok(false);
        }
        while line.last() != Some(&b'\n') && read as u64 == limit {
            let mut rest = Vec::new();
            read = (&mut self.lines).take(limit).read_until(b'\n', &mut rest).map_err(broken)?;
            if rest.last() == Some(&b'\n') {
                break;
            }
        }
        while matches!(line.last(), Some(b'\n' | b'\r')) {
            line.pop();
        }
        self.line_number += 1;
        Ok(true)
    }
}

/// The file of refused lines. It is emptied at the start: what it holds is of this run.
pub(crate) struct Rejects {
    path: PathBuf,
    file: File,
    count: u64,
}

impl Rejects {
    /// Opens the file and empties it, unless it is the input itself, under whatever name.
    ///
    /// # Errors
    /// Where it is the input, or cannot be written to.
    pub(crate) fn open(path: &Path, input: &Input) -> Result<Self, Error> {
        let refused = |error: io::Error| Error::Usage(format!("--rejects {}: {error}", path.display()));
        let file = File::options().write(true).create(true).truncate(false).open(path).map_err(refused)?;
        let metadata = file.metadata().map_err(refused)?;
        let is_input = |input: &Metadata| (input.dev(), input.ino()) == (metadata.dev(), metadata.ino());
        if metadata.is_file() {
            if input.metadata.as_ref().is_some_and(is_input) {
                let text = format!("--rejects {}: is the input, allowed another file", path.display());
                return Err(Error::Usage(text));
            }
            file.set_len(0).map_err(refused)?;
        }
        Ok(Self { path: path.to_owned(), file, count: 0 })
    }

    /// Sets a line aside, at once and in one piece: a run that is interrupted has told what it refused.
    ///
    /// # Errors
    /// Where the file cannot be written to.
    pub(crate) fn add(&mut self, Refused { line, reason, input }: &Refused) -> Result<(), Error> {
        self.count += 1;
        let mut reject = serde_json::json!({ "line": line, "reason": reason, "input": input }).to_string();
        reject.push('\n');
        let broken = |error| Error::Failed(format!("--rejects {}: {error}", self.path.display()));
        self.file.write_all(reject.as_bytes()).map_err(broken)
    }

    /// Lines refused so far.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}
