//! How stages are told of: a line each for a person, a JSON line each for a program.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::tool::{Interruptions, Stop};
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
pub(crate) struct Stages<'a> {
    format: Format,
    interruptions: &'a Interruptions,
    begun: Instant,
}

impl<'a> Stages<'a> {
    pub(crate) fn new(format: Format, interruptions: &'a Interruptions) -> Self {
        Self { format, interruptions, begun: Instant::now() }
    }

    /// Runs one; prints what it says.
    ///
    /// # Errors
    /// As it stopped, which has been told.
    pub(crate) fn run(&self, name: &str, work: impl FnOnce() -> Result<Done, Stop>) -> Result<Done, Stop> {
        tell(&format!("\n{name}:"));
        let begun = Instant::now();
        // Whoever interrupted one that reached its end all the same wants no other.
        let result = self.interruptions.check().and_then(|()| self.interruptions.judge(work()));
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

    /// The status that a command ends with; after a stop it says what stands, and the command that goes on.
    ///
    /// # Errors
    /// Where the call did not serve.
    pub(crate) fn conclude(
        &self,
        result: Result<(), Stop>,
        what_stands: impl FnOnce() -> String,
        go_on: &str,
    ) -> Result<Status, Error> {
        let Err(stop) = result else {
            tell(&format!("\nall in {}", seconds(self.begun.elapsed())));
            return Ok(Status::Holds);
        };
        tell(&format!("\n{}\nto go on: {go_on}", what_stands()));
        match stop {
            Stop::Interrupted => Ok(Status::Interrupted),
            Stop::Failed(Error::Usage(text)) => Err(Error::Usage(text)),
            Stop::Failed(Error::Absent(_) | Error::Failed(_)) => Ok(Status::Fails),
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.0} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stage_begins_after_an_interruption_and_what_fails_meanwhile_was_interrupted() {
        let interruptions = Interruptions::nobody();
        let stages = Stages::new(Format::Json, &interruptions);
        assert!(stages.run("one", || Ok(Done::unchanged("done"))).is_ok());
        let failed = stages.run("two", || {
            interruptions.hear();
            Err(Error::Failed("aws ended without a word".into()).into())
        });
        assert!(matches!(failed, Err(Stop::Interrupted)));
        let begun = stages.run("three", || -> Result<Done, Stop> { unreachable!() });
        assert!(matches!(begun, Err(Stop::Interrupted)));
        assert_eq!(stages.conclude(begun.map(|_| ()), String::new, "").unwrap(), Status::Interrupted);
    }
}
