//! How stages are told of: a line each for a person, a JSON line each for a program.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::tool::Stop;
use crate::{Error, Format, Status, print, tell};

/// What a stage that reached its end has to say.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// What stands now.
    pub(crate) text: String,
    /// How many things it made, changed or removed outside of this machine.
    pub(crate) changed: u64,
}

impl Done {
    /// Nothing was changed.
    pub(crate) fn unchanged(text: impl Into<String>) -> Self {
        Self { text: text.into(), changed: 0 }
    }
}

/// Tells of one stage after the other.
pub(crate) struct Stages {
    format: Format,
    /// What continues, told when one fails.
    command: String,
    begun: Instant,
}

impl Stages {
    /// `command` is what was typed without the stage: `orderflow deploy --state ..`.
    pub(crate) fn new(format: Format, command: String) -> Self {
        Self { format, command, begun: Instant::now() }
    }

    /// Runs one; prints what it says.
    ///
    /// # Errors
    /// As it stopped, which has been told.
    pub(crate) fn run(&self, name: &str, work: impl FnOnce() -> Result<Done, Stop>) -> Result<Done, Stop> {
        tell(&format!("\n{name}:"));
        let begun = Instant::now();
        let result = work();
        let (status, done, text) = match &result {
            Ok(done) => ("passed", Some(done), done.text.clone()),
            Err(Stop::Interrupted) => ("interrupted", None, "interrupted".to_owned()),
            Err(Stop::Failed(error)) => ("failed", None, error.to_string()),
        };
        let took = begun.elapsed();
        print(&match self.format {
            Format::Text => format!("{status} {name} in {}: {text}\n", seconds(took)),
            Format::Json => {
                let changed = done.map(|done| done.changed);
                let line = json!({"stage": name, "status": status, "seconds": took.as_secs_f64(), "changed": changed, "text": text});
                format!("{line}\n")
            }
        })?;
        result
    }

    /// The status that a command ends with; after a stop it says what continues.
    ///
    /// # Errors
    /// Where a stage failed.
    pub(crate) fn conclude(&self, stopped: Option<(&str, Stop)>, what_stands: &str) -> Result<Status, Error> {
        let Some((name, stop)) = stopped else {
            tell(&format!("\nall in {}", seconds(self.begun.elapsed())));
            return Ok(Status::Holds);
        };
        let command = &self.command;
        tell(&format!("\n{what_stands}\nto go on: {command}{}", from(name)));
        match stop {
            Stop::Interrupted => Ok(Status::Interrupted),
            Stop::Failed(Error::Usage(text)) => Err(Error::Usage(format!("{name}: {text}"))),
            Stop::Failed(Error::Failed(_)) => Ok(Status::Fails),
        }
    }
}

fn from(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" --from {name}") }
}

fn seconds(time: Duration) -> String {
    format!("{:.0} s", time.as_secs_f64())
}
