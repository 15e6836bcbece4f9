//! `orderflow completions` and `orderflow man`: what a shell and `man` know of the command, from its own definition.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{Cli, Error, Status, print, tell};

/// Prints what a shell needs to complete commands and options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  orderflow completions bash > /etc/bash_completion.d/orderflow\n  \
    orderflow completions zsh > \"${fpath[1]}/_orderflow\"")]
pub(crate) struct CompletionsArgs {
    /// Which shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Writes a manual page for `orderflow` and one for each of its commands.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: orderflow man ~/.local/share/man/man1 && man orderflow-run")]
pub(crate) struct ManArgs {
    /// Where they go, such as a folder `man1` where `man` looks; it is made if it is missing, and pages of before are written anew.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// Prints the completions.
///
/// # Errors
/// Where stdout cannot be written to.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<Status, Error> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "orderflow", &mut text);
    print(&String::from_utf8_lossy(&text))?;
    Ok(Status::Holds)
}

/// Writes the pages.
///
/// # Errors
/// Where the folder cannot be written to.
pub(crate) fn man(args: &ManArgs) -> Result<Status, Error> {
    let failed = |error| Error::Failed(format!("{}: {error}", args.folder.display()));
    std::fs::create_dir_all(&args.folder).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), &args.folder).map_err(failed)?;
    tell(&format!("orderflow.1 and a page for each command are in {}", args.folder.display()));
    Ok(Status::Holds)
}
