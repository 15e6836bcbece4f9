use std::io::{self, IsTerminal};

use crate::{Error, tell};

/// Somebody has to say yes to what cannot be undone, unless `--yes` said so.
///
/// # Errors
/// [`Error::Usage`] where nobody can be asked.
pub(crate) fn check(yes: bool) -> Result<(), Error> {
    if yes || io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Error::Usage("nobody can be asked here: confirm on a terminal, or say --yes".to_owned()))
}

/// Asks for it.
///
/// # Errors
/// Where the answer is not yes: then nothing may be done.
pub(crate) fn ask(question: &str, nothing_done: &str) -> Result<(), Error> {
    tell(question);
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| Error::Failed(format!("stdin: {error}")))?;
    if answer.trim() == "yes" { Ok(()) } else { Err(Error::Failed(format!("not confirmed: {nothing_done}"))) }
}
