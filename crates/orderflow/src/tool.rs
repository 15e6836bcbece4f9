//! The programs that a deployment calls: shown while they run, kept in a log, and interrupted as we are.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, IsTerminal, Read, Seek, SeekFrom, Write, stdin};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::{Error, Status, tell};

/// How often a program that says nothing is looked after.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The last lines of a program, in which it says what it did, and why it failed. Terraform prints its outputs behind that.
const LAST_LINES: usize = 1_000;

/// Why a stage did not reach its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// The operator wanted it so.
    #[error("interrupted")]
    Interrupted,
    /// It failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Stop {
    /// How a command ends that stopped before its first stage.
    ///
    /// # Errors
    /// Where it failed.
    pub(crate) fn before_anything(self) -> Result<Status, Error> {
        match self {
            Self::Interrupted => Ok(Status::Interrupted),
            Self::Failed(error) => Err(error),
        }
    }
}

/// Ctrl-C and SIGTERM, counted: each is passed on to the program that runs. Terraform brings to an end what it has begun at the
/// first and leaves everything lie at the second, so nothing is done about a second one before the operator gives it.
#[derive(Clone, Debug)]
pub(crate) struct Interruptions(Arc<AtomicUsize>);

impl Interruptions {
    /// Counts from now on.
    ///
    /// # Errors
    /// Where the system takes no handler.
    pub(crate) fn heed() -> Result<Self, Error> {
        let heard = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&heard);
        let signals = [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM];
        let mut signals = signal_hook::iterator::Signals::new(signals).map_err(Error::failed)?;
        let work = move || {
            for _ in signals.forever() {
                count.fetch_add(1, Ordering::AcqRel);
            }
        };
        thread::Builder::new().name("signals".into()).spawn(work).map_err(Error::failed)?;
        Ok(Self(heard))
    }

    /// For whom nobody interrupts.
    #[cfg(test)]
    pub(crate) fn nobody() -> Self {
        Self(Arc::default())
    }

    #[cfg(test)]
    pub(crate) fn hear(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// # Errors
    /// Where the operator has interrupted.
    pub(crate) fn check(&self) -> Result<(), Stop> {
        if self.count() > 0 { Err(Stop::Interrupted) } else { Ok(()) }
    }

    /// What failed after the operator has interrupted was interrupted: on a terminal Ctrl-C also reaches `aws` and `ssh`, which then
    /// end without a word.
    pub(crate) fn judge<T>(&self, result: Result<T, Stop>) -> Result<T, Stop> {
        match result {
            Err(Stop::Failed(_)) if self.count() > 0 => Err(Stop::Interrupted),
            result => result,
        }
    }

    /// Waits so long, or until the operator interrupts.
    ///
    /// # Errors
    /// Where he does.
    pub(crate) fn pause(&self, time: Duration) -> Result<(), Stop> {
        let until = Instant::now() + time;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.check()?;
            thread::sleep(left.min(LOOK_EVERY));
        }
        self.check()
    }
}

/// # Errors
/// Where there is nobody whom a question could be put to.
pub(crate) fn expect_terminal() -> Result<(), Error> {
    if stdin().is_terminal() { Ok(()) } else { Err(Error::Usage("nobody can be asked here: add --yes".into())) }
}

/// Asks the operator a question that wants the word `yes`.
///
/// # Errors
/// Where nobody can be asked, the answer is another, or the operator interrupts.
pub(crate) fn confirm(question: &str, interruptions: &Interruptions) -> Result<(), Stop> {
    expect_terminal()?;
    if ask(&format!("{question} Type yes to go on:"), interruptions)? == "yes" {
        return Ok(());
    }
    Err(Error::Failed("the answer was not yes: nothing was done".into()).into())
}

/// Asks the operator a question on a terminal.
///
/// # Errors
/// Where it cannot be read, or the operator interrupts.
pub(crate) fn ask(question: &str, interruptions: &Interruptions) -> Result<String, Stop> {
    tell(question);
    // Reading goes on over a signal, so somebody else reads.
    let (sender, answer) = mpsc::sync_channel(1);
    let read = move || {
        let mut line = String::new();
        let _ = sender.send(stdin().lock().read_line(&mut line).map(|_| line)); // nobody may wait any more
    };
    thread::Builder::new().name("answer".into()).spawn(read).map_err(Error::failed)?;
    loop {
        interruptions.check()?;
        match answer.recv_timeout(LOOK_EVERY) {
            Ok(line) => return Ok(line.map_err(Error::failed)?.trim().to_owned()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(Error::Failed("stdin cannot be read".into()).into()),
        }
    }
}

/// A word as a shell takes it for one.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./:@%+=,".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// What was typed, without these options, each with its value, and without the flags of these names: a command that goes on.
pub(crate) fn typed_without(options: &[&str]) -> String {
    without(std::env::args().skip(1), options)
}

fn without(typed: impl Iterator<Item = String>, options: &[&str]) -> String {
    let mut words = vec!["orderflow".to_owned()];
    let mut typed = typed;
    while let Some(word) = typed.next() {
        if options.contains(&word.as_str()) {
            typed.next(); // its value
        } else if !options.iter().any(|option| word.starts_with(&format!("{option}="))) {
            words.push(quoted(&word));
        }
    }
    words.join(" ")
}

/// What a program has said at last.
#[derive(Debug, Default)]
pub(crate) struct Said(VecDeque<String>);

impl Said {
    pub(crate) fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    fn add(&mut self, line: String) {
        if self.0.len() == LAST_LINES {
            self.0.pop_front();
        }
        self.0.push_back(line);
    }
}

/// Where the output of the programs of one stage goes: to stderr, and to a file.
pub(crate) struct Tools<'a> {
    interruptions: &'a Interruptions,
    path: PathBuf,
    log: File,
    stdin: &'a File,
}

/// A program that is to run.
pub(crate) struct Program {
    name: &'static str,
    pub(crate) command: Command,
}

impl<'a> Tools<'a> {
    /// The log begins anew with each stage. Programs get this for their stdin: a file that has nothing to read, and whose lock they hold
    /// as long as they run, whatever becomes of us.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn of_stage(
        interruptions: &'a Interruptions,
        logs: &Path,
        stage: &str,
        stdin: &'a File,
    ) -> Result<Self, Error> {
        let path = logs.join(format!("{stage}.log"));
        let log = fs::create_dir_all(logs).and_then(|()| OpenOptions::new().create(true).append(true).open(&path));
        let log = log.and_then(|log| log.set_len(0).map(|()| log));
        Ok(Self { interruptions, log: log.map_err(|error| failed(&path, &error))?, path, stdin })
    }

    pub(crate) const fn interruptions(&self) -> &'a Interruptions {
        self.interruptions
    }

    /// Notes down something in the log, and shows it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn note(&mut self, line: &str) -> Result<(), Error> {
        tell(line);
        writeln!(self.log, "{line}").map_err(|error| failed(&self.path, &error))
    }

    /// Runs a program to its end; gives what it said at last.
    ///
    /// # Errors
    /// Where it does not start or fails, with its last lines' reason and where the rest stands; where the operator interrupts.
    pub(crate) fn run(&mut self, Program { name, mut command }: Program) -> Result<Said, Stop> {
        self.interruptions.check()?;
        let words = command.get_args().map(|word| word.to_string_lossy());
        let words: Vec<_> = words.skip_while(|word| word != name).collect();
        let line = format!("$ {}", words.join(" "));
        writeln!(self.log, "{line}").map_err(|error| failed(&self.path, &error))?;
        // Not through us: whoever writes to a pipe ends with its reader, and a program that is to write down what it has begun
        // would not, if we were killed.
        let mut said = Follower::from_here(&self.path)?;
        let output = || self.log.try_clone().map_err(|error| failed(&self.path, &error));
        command.stdin(self.stdin.try_clone().map_err(Error::failed)?).stdout(output()?).stderr(output()?);
        // A group of its own: Ctrl-C on a terminal reaches us alone, and we pass on what we heard once.
        let mut child = command.process_group(0).spawn().map_err(|error| Error::Failed(format!("{name}: {error}")))?;
        self.follow(&mut child, &mut said)?;
        let status = child.wait().map_err(Error::failed)?;
        self.interruptions.check()?;
        let said = said.said;
        if status.success() {
            return Ok(said);
        }
        let log = self.path.display();
        Err(Error::Failed(format!("{name} ended with {status}; all that it said: {log}{}", hint(&said))).into())
    }

    fn follow(&self, child: &mut Child, said: &mut Follower) -> Result<(), Error> {
        let group = Pid::from_raw(i32::try_from(child.id()).map_err(Error::failed)?);
        let mut passed_on = 0;
        loop {
            // Asked before its output, so that its last words are heard.
            let has_ended = child.try_wait().map_err(Error::failed)?.is_some();
            said.show().map_err(|error| failed(&self.path, &error))?;
            if has_ended {
                return Ok(());
            }
            let heard = self.interruptions.count();
            if heard > passed_on {
                passed_on = heard;
                tell("interrupted: waiting until it has written down what it has begun; again breaks it off");
                let _ = killpg(group, Signal::SIGINT); // it may be gone
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}

/// Shows what a program adds to a log.
struct Follower {
    log: File,
    /// Behind the last whole line.
    rest: Vec<u8>,
    said: Said,
}

impl Follower {
    /// # Errors
    /// Where the log cannot be read.
    fn from_here(path: &Path) -> Result<Self, Error> {
        let log = File::open(path).and_then(|mut log| log.seek(SeekFrom::End(0)).map(|_| log));
        Ok(Self { log: log.map_err(|error| failed(path, &error))?, rest: Vec::new(), said: Said::default() })
    }

    fn show(&mut self) -> io::Result<()> {
        self.log.read_to_end(&mut self.rest)?;
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            tell(&line);
            self.said.add(line);
        }
        Ok(())
    }
}

/// What is known of a failure by its text.
fn hint(said: &Said) -> String {
    const HINTS: [(&str, &str); 6] = [
        (
            "Error acquiring the state lock",
            "another terraform is at work on this state: wait for its end; if there is none, `terraform force-unlock ID` in that folder",
        ),
        ("UnauthorizedOperation", RIGHTS),
        ("AccessDenied", RIGHTS),
        (
            "LimitExceeded",
            "the account's quota is reached: ask for more at Service Quotas, or remove what you do not need",
        ),
        ("No valid credential sources found", "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("Host key verification failed", "the host was built anew: a deploy `--from ssh` asks AWS for its new key"),
    ];
    const RIGHTS: &str = "these credentials may not do that: docs/deployment/README.md says who may deploy";
    let found = HINTS.iter().find(|(text, _)| said.lines().any(|line| line.contains(text)));
    found.map_or_else(String::new, |(_, hint)| format!("\nhint: {hint}"))
}

/// A program that is interrupted, not killed, when we end.
///
/// # Errors
/// Where the machine lacks what this needs.
pub(crate) fn program(name: &'static str) -> Result<Program, Error> {
    let command = nursery::interrupted_command(name).map_err(|error| Error::Failed(format!("{name}: {error}")))?;
    Ok(Program { name, command })
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::Failed(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Program {
        let mut program = program("sh").unwrap();
        program.command.args(["-c", script]);
        program
    }

    fn nothing() -> File {
        File::open("/dev/null").unwrap()
    }

    fn run(script: &str, interruptions: &Interruptions) -> (Result<Said, Stop>, String) {
        let folder = tempfile::tempdir().unwrap();
        let stdin = nothing();
        let mut tools = Tools::of_stage(interruptions, folder.path(), "stage", &stdin).unwrap();
        let result = tools.run(shell(script));
        (result, fs::read_to_string(folder.path().join("stage.log")).unwrap())
    }

    #[test]
    fn what_a_program_says_stands_in_the_log_and_its_last_lines_are_known() {
        let (said, log) = run("seq 2000; echo err >&2", &Interruptions::nobody());
        let said = said.unwrap();
        assert_eq!((said.lines().count(), said.lines().next_back()), (LAST_LINES, Some("err")));
        assert!(log.starts_with("$ sh -c seq 2000") && log.contains("\n1\n2\n") && log.contains("\nerr\n"), "{log}");
    }

    #[test]
    fn a_program_that_fails_is_told_with_its_log_and_what_is_known_of_its_text() {
        let (result, _) = run("echo 'Error: AccessDenied: no'; exit 3", &Interruptions::nobody());
        let text = result.unwrap_err().to_string();
        assert!(
            text.contains("sh ended with exit status: 3") && text.contains("stage.log\nhint: these credentials"),
            "{text}"
        );
    }

    #[test]
    fn what_a_program_has_left_running_is_not_waited_for() {
        let begun = Instant::now();
        let (said, _) = run("sleep 60 & echo $!", &Interruptions::nobody());
        let pid: i32 = said.unwrap().lines().next().unwrap().parse().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(30));
        nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    }

    #[test]
    fn an_interruption_is_passed_on_once_and_its_answer_waited_for() {
        let interruptions = Interruptions::nobody();
        let count = Arc::clone(&interruptions.0);
        let folder = tempfile::tempdir().unwrap();
        let ready = folder.path().join("ready");
        let waits = {
            let ready = ready.clone();
            thread::spawn(move || {
                while !ready.exists() {
                    thread::yield_now();
                }
                count.fetch_add(1, Ordering::AcqRel);
            })
        };
        let script = format!("trap 'echo heard; exit 0' INT; echo >{}; while :; do sleep 0.01; done", ready.display());
        let (result, log) = run(&script, &interruptions);
        waits.join().unwrap();
        assert!(matches!(result, Err(Stop::Interrupted)));
        assert_eq!(log.matches("heard").count(), 2, "once in the command itself: {log}");
    }

    #[test]
    fn what_a_program_says_stands_in_the_log_whether_or_not_somebody_reads_it() {
        let (folder, stdin) = (tempfile::tempdir().unwrap(), nothing());
        let log = Tools::of_stage(&Interruptions::nobody(), folder.path(), "stage", &stdin)
            .map(|tools| tools.log.try_clone().unwrap());
        let mut child = shell("sleep 0.1; echo last words").command.stdout(log.unwrap()).spawn().unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(fs::read_to_string(folder.path().join("stage.log")).unwrap(), "last words\n");
    }

    #[test]
    fn what_goes_on_is_what_was_typed_without_some_of_its_options() {
        let typed = ["deploy", "--from", "ssh", "--state", "/my state", "--only=check", "--yes"].map(str::to_owned);
        assert_eq!(without(typed.into_iter(), &["--from", "--only"]), "orderflow deploy --state '/my state' --yes");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn nothing_is_begun_after_an_interruption() {
        let interruptions = Interruptions::nobody();
        interruptions.0.store(1, Ordering::Release);
        let (result, log) = run("echo begun", &interruptions);
        assert!(matches!(result, Err(Stop::Interrupted)) && log.is_empty());
    }
}
