//! What a function prints, and what Lambda says of its invocations: a file a function, and the terminal.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A file grows no further: a function that prints without end fills no disk.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;
/// A longer line is cut into several.
const MAX_LINE_BYTES: u64 = 256 * 1024;
/// What an invocation may give back of its log.
const TAIL_BYTES: usize = 4 * 1024;
/// How long the rest of what an ended process has printed may take: what it forked may hold the pipe.
const REST: Duration = Duration::from_millis(200);

/// The log of one function.
pub(crate) struct FunctionLog {
    name: String,
    is_on_terminal: bool,
    inner: Mutex<Inner>,
}

struct Inner {
    file: File,
    written: u64,
    tail: VecDeque<u8>,
}

/// The thread that reads one output of a process.
pub(crate) struct Pipe(JoinHandle<()>);

impl Pipe {
    /// Waits for the rest, for a short time.
    pub(crate) fn finish(self) {
        let deadline = Instant::now() + REST;
        while !self.0.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl FunctionLog {
    /// Appends to `NAME.log` in a folder.
    pub(crate) fn open(folder: &Path, name: &str, is_on_terminal: bool) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(folder.join(format!("{name}.log")))?;
        let written = file.metadata()?.len();
        let inner = Inner { file, written, tail: VecDeque::new() };
        Ok(Self { name: name.to_owned(), is_on_terminal, inner: Mutex::new(inner) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write_line(&self, line: &str) {
        let line = line.trim_end_matches('\n');
        let mut inner = self.lock();
        if inner.written <= MAX_FILE_BYTES {
            let _ = writeln!(inner.file, "{line}"); // a full disk stops no function
            inner.written += line.len() as u64 + 1;
            if inner.written > MAX_FILE_BYTES {
                let _ = writeln!(inner.file, "(more than {MAX_FILE_BYTES} bytes: what follows is not kept)");
            }
        }
        inner.tail.extend(line.as_bytes());
        inner.tail.push_back(b'\n');
        let surplus = inner.tail.len().saturating_sub(TAIL_BYTES);
        inner.tail.drain(..surplus);
        drop(inner);
        if self.is_on_terminal {
            let _ = writeln!(io::stderr().lock(), "{}  {line}", self.name);
        }
    }

    /// The last that was written.
    pub(crate) fn tail(&self) -> Vec<u8> {
        self.lock().tail.iter().copied().collect()
    }

    /// Takes in what a process prints, line by line, on a thread.
    pub(crate) fn follow(self: &Arc<Self>, output: Box<dyn Read + Send>) -> io::Result<Pipe> {
        let log = Arc::clone(self);
        let read = move || {
            let mut reader = BufReader::new(output);
            let mut line = Vec::new();
            while (&mut reader).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                log.write_line(&String::from_utf8_lossy(&line));
                line.clear();
            }
        };
        std::thread::Builder::new().name("output".into()).spawn(read).map(Pipe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_to_the_file_and_the_last_of_them_to_the_tail() {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(FunctionLog::open(folder.path(), "f", false).unwrap());
        let long = "x".repeat(5_000);
        log.write_line("one");
        log.follow(Box::new(io::Cursor::new(format!("two\n{long}\nlast")))).unwrap().0.join().unwrap();
        let text = std::fs::read_to_string(folder.path().join("f.log")).unwrap();
        assert_eq!(text, format!("one\ntwo\n{long}\nlast\n"));
        let tail = String::from_utf8(log.tail()).unwrap();
        assert_eq!(tail.len(), TAIL_BYTES);
        assert!(tail.ends_with("xx\nlast\n"));
    }
}
