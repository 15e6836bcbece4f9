//! `orderflow topology`: what `topology.json` says.

use clap::{Subcommand, ValueEnum};
use topology::{Topology, show};

use crate::{Error, Status, print};

/// Checks or shows who writes and reads what.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Checks the file: every rule, every problem.
    #[command(after_help = "Example: orderflow topology check --topology my-topology.json")]
    Check,
    /// Shows topics, services, consumer groups and rights.
    #[command(after_help = "Example: orderflow topology show --format mermaid")]
    Show {
        /// How it is printed.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

/// How a topology is printed.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Format {
    /// A table for a person.
    #[default]
    Text,
    /// JSON with everything that is derived.
    Json,
    /// A flowchart for Mermaid.
    Mermaid,
    /// A graph for Graphviz.
    Dot,
}

/// Prints what was asked for; the file was checked when it was read.
///
/// # Errors
/// Where stdout cannot be written to.
pub(crate) fn execute(command: &Command, topology: &Topology) -> Result<Status, Error> {
    let text = match command {
        Command::Check => format!(
            "{} topics, {} services, {} consumer groups: every rule holds\n",
            topology.topics().count(),
            topology.services().count(),
            topology.groups().count()
        ),
        Command::Show { format: Format::Text } => show::table(topology),
        Command::Show { format: Format::Json } => show::json(topology),
        Command::Show { format: Format::Mermaid } => show::mermaid(topology),
        Command::Show { format: Format::Dot } => show::dot(topology),
    };
    print(&text).map(|()| Status::Holds)
}
