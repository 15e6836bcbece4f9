//! Orders as JSON lines. A bad line is set aside with its number and reason; the good ones go on.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use events::shop::OrderPlaced;
use events::wire::MAX_VALUE_BYTES;
use events::{Event, hash_of};

use crate::Error;

/// A file of orders.
pub(crate) struct Input {
    name: String,
    lines: Box<dyn BufRead + Send>,
    line_number: u64,
    /// The line of each order id so far, by the id's hash: 24 bytes an order.
    seen: HashMap<u128, u64>,
    rejects: Rejects,
}

/// The file of refused lines. It is emptied at the start: what it holds is of this run.
struct Rejects {
    path: PathBuf,
    file: File,
    count: Arc<AtomicU64>,
}

impl Input {
    /// Opens a file, or stdin for `-`.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub(crate) fn open(path: &Path, rejects: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let lines: Box<dyn BufRead + Send> = if path == Path::new("-") {
            Box::new(BufReader::new(io::stdin()))
        } else {
            let file = File::open(path).map_err(|error| Error::Usage(format!("--input {name}: {error}")))?;
            if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
                return Err(Error::Usage(format!("--input {name}: is a folder, allowed a file of JSON lines or -")));
            }
            if rejects.canonicalize().is_ok_and(|rejects| path.canonicalize().is_ok_and(|input| input == rejects)) {
                return Err(Error::Usage(format!("--rejects {name}: is the input, allowed another file")));
            }
            Box::new(BufReader::with_capacity(1 << 16, file))
        };
        let refused = |error| Error::Usage(format!("--rejects {}: {error}", rejects.display()));
        let file = File::create(rejects).map_err(refused)?;
        let rejects = Rejects { path: rejects.to_owned(), file, count: Arc::default() };
        Ok(Self { name, lines, line_number: 0, seen: HashMap::new(), rejects })
    }

    /// The next good order; `None` at the end.
    ///
    /// # Errors
    /// Where the input cannot be read on, or a refused line cannot be set aside.
    pub(crate) fn next(&mut self) -> Result<Option<OrderPlaced>, Error> {
        let mut line = Vec::new();
        while self.read_line(&mut line)? {
            match self.accept(&line) {
                Ok(order) => return Ok(Some(order)),
                Err(reason) => self.rejects.add(self.line_number, &reason, &line)?,
            }
        }
        Ok(None)
    }

    fn accept(&mut self, line: &[u8]) -> Result<OrderPlaced, String> {
        if line.is_empty() {
            return Err("found an empty line, allowed one order a line".into());
        }
        let order = OrderPlaced::decode(line).map_err(|error| error.to_string())?;
        match self.seen.insert(hash_of(&[order.order_id.as_str()]), self.line_number) {
            None => Ok(order),
            Some(first) => {
                self.seen.insert(hash_of(&[order.order_id.as_str()]), first);
                let line = self.line_number;
                Err(format!(
                    "order_id: found {:?} on line {first} and on line {line}, allowed once",
                    order.order_id.as_str()
                ))
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

    /// Lines refused so far, counted on.
    pub(crate) fn rejected(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.rejects.count)
    }
}

impl Rejects {
    fn add(&mut self, line: u64, reason: &str, input: &[u8]) -> Result<(), Error> {
        const KEPT_BYTES: usize = 1_024;
        self.count.fetch_add(1, Ordering::AcqRel);
        let mut shown = String::from_utf8_lossy(&input[..input.len().min(KEPT_BYTES)]).into_owned();
        if input.len() > KEPT_BYTES {
            shown.push('…');
        }
        let reject = serde_json::json!({ "line": line, "reason": reason, "input": shown });
        // Written at once: a run that is interrupted has told what it refused.
        writeln!(self.file, "{reject}")
            .map_err(|error| Error::Failed(format!("--rejects {}: {error}", self.path.display())))
    }
}
