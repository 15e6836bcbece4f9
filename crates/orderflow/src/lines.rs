//! JSON lines, read ahead. A bad one is set aside with its number and reason; the good ones go on.

use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use events::wire::MAX_VALUE_BYTES;

use crate::Error;

/// How much of a refused line is kept.
const KEPT_BYTES: usize = 1_024;

/// Lines that are read ahead.
const READ_AHEAD: usize = 1_024;

/// A file of JSON lines.
pub(crate) struct Lines {
    /// What errors call it.
    name: String,
    reader: Box<dyn BufRead + Send>,
    /// What it is, to tell it from the file of rejects.
    metadata: Option<Metadata>,
    number: u64,
}

/// A line that was refused.
struct Refused {
    line: u64,
    reason: String,
    input: String,
}

impl Lines {
    /// Opens a file, or stdin for `-`; errors call it by `name`.
    ///
    /// # Errors
    /// Where it cannot be opened, or is a folder.
    pub(crate) fn open(path: &Path, name: String) -> Result<Self, Error> {
        let is_stdin = path == Path::new("-");
        let metadata = fs::metadata(if is_stdin { Path::new("/dev/stdin") } else { path });
        if metadata.as_ref().is_ok_and(Metadata::is_dir) {
            return Err(Error::Usage(format!("{name}: is a folder, allowed a file of JSON lines or -")));
        }
        let reader: Box<dyn BufRead + Send> = if is_stdin {
            Box::new(BufReader::new(io::stdin()))
        } else {
            let file = File::open(path).map_err(|error| Error::Usage(format!("{name}: {error}")))?;
            Box::new(BufReader::with_capacity(1 << 16, file))
        };
        Ok(Self { name, reader, metadata: metadata.ok(), number: 0 })
    }

    /// What `read` makes of the next line and its number, or why it is refused; `None` at the end.
    ///
    /// # Errors
    /// Where the file cannot be read on.
    fn next<T>(
        &mut self,
        read: impl FnOnce(&[u8], u64) -> Result<T, String>,
    ) -> Result<Option<Result<T, Refused>>, Error> {
        let mut line = Vec::new();
        if !self.read_line(&mut line)? {
            return Ok(None);
        }
        let result = match line.len() {
            0 => Err("found an empty line, allowed one JSON object a line".into()),
            1..=MAX_VALUE_BYTES => read(&line, self.number),
            _ => Err(format!("found more than {MAX_VALUE_BYTES} bytes, allowed {MAX_VALUE_BYTES} bytes at most")),
        };
        Ok(Some(result.map_err(|reason| {
            let mut input = String::from_utf8_lossy(&line[..line.len().min(KEPT_BYTES)]).into_owned();
            if line.len() > KEPT_BYTES {
                input.push('…');
            }
            Refused { line: self.number, reason, input }
        })))
    }

    /// Reads a line without its end; `false` after the last. A line that is too long is read to its end, but no more of it is
    /// kept than is needed to refuse it.
    fn read_line(&mut self, line: &mut Vec<u8>) -> Result<bool, Error> {
        let broken = |error| Error::Failed(format!("{}: line {}: {error}", self.name, self.number + 1));
        let limit = MAX_VALUE_BYTES as u64 + 2;
        let mut read = (&mut self.reader).take(limit).read_until(b'\n', line).map_err(broken)?;
        if read == 0 {
            return Ok(false);
        }
        while line.last() != Some(&b'\n') && read as u64 == limit {
            let mut rest = Vec::new();
            read = (&mut self.reader).take(limit).read_until(b'\n', &mut rest).map_err(broken)?;
            if rest.last() == Some(&b'\n') {
                break;
            }
        }
        while matches!(line.last(), Some(b'\n' | b'\r')) {
            line.pop();
        }
        self.number += 1;
        Ok(true)
    }
}

/// What is good in a file of JSON lines. It is read on a thread of its own: a line that is slow to come holds nothing up.
pub(crate) struct Sieve<T> {
    lines: Receiver<Result<Result<T, Refused>, Error>>,
    rejects: Rejects,
    broken: Option<Error>,
}

/// What comes next.
pub(crate) enum Next<T> {
    /// A good line.
    Line(T),
    /// Nothing yet.
    Waiting,
    /// Nothing any more.
    End,
}

impl<T: Send + 'static> Sieve<T> {
    /// Begins to read. A line, with its number, is what `read` makes of it; one that it refuses goes to the file of rejects.
    ///
    /// # Errors
    /// Where the file of rejects is the input, or cannot be written to.
    pub(crate) fn start(
        lines: Lines,
        rejects: &Path,
        read: impl FnMut(&[u8], u64) -> Result<T, String> + Send + 'static,
    ) -> Result<Self, Error> {
        let rejects = Rejects::open(rejects, &lines)?;
        let (sender, receiver) = sync_channel(READ_AHEAD);
        thread::spawn(move || read_all(lines, read, &sender));
        Ok(Self { lines: receiver, rejects, broken: None })
    }

    /// The next good line; waits for it for `wait` at most. A refused line counts when its turn comes, so that accepted and refused are
    /// together the lines that were taken. An input that breaks is at its end.
    pub(crate) fn next(&mut self, wait: Duration) -> Next<T> {
        while self.broken.is_none() {
            match self.lines.recv_timeout(wait) {
                Ok(Ok(Ok(line))) => return Next::Line(line),
                Ok(Ok(Err(refused))) => self.broken = self.rejects.add(&refused).err(),
                Ok(Err(error)) => self.broken = Some(error),
                Err(RecvTimeoutError::Timeout) => return Next::Waiting,
                Err(RecvTimeoutError::Disconnected) => return Next::End,
            }
        }
        Next::End
    }

    /// How many were refused so far.
    pub(crate) fn refused(&self) -> u64 {
        self.rejects.count
    }

    /// Why the input ended before its end.
    pub(crate) fn broken(self) -> Option<Error> {
        self.broken
    }
}

/// Reads until the end, until an error, or until nobody wants more.
fn read_all<T>(
    mut lines: Lines,
    mut read: impl FnMut(&[u8], u64) -> Result<T, String>,
    sender: &SyncSender<Result<Result<T, Refused>, Error>>,
) {
    while let Some(line) = lines.next(&mut read).transpose() {
        let is_broken = line.is_err();
        if sender.send(line).is_err() || is_broken {
            return;
        }
    }
}

/// The file of refused lines. It is emptied at the start: what it holds is of this call.
struct Rejects {
    path: PathBuf,
    file: File,
    count: u64,
}

impl Rejects {
    /// Opens the file and empties it, unless it is the input itself, under whatever name.
    ///
    /// # Errors
    /// Where it is the input, or cannot be written to.
    fn open(path: &Path, input: &Lines) -> Result<Self, Error> {
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
    fn add(&mut self, Refused { line, reason, input }: &Refused) -> Result<(), Error> {
        self.count += 1;
        let mut reject = serde_json::json!({ "line": line, "reason": reason, "input": input }).to_string();
        reject.push('\n');
        let broken = |error| Error::Failed(format!("--rejects {}: {error}", self.path.display()));
        self.file.write_all(reject.as_bytes()).map_err(broken)
    }
}
