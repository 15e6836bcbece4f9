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

/// Says that every rule holds: the file was checked when it was read, and beside the code of its services.
///
/// # Errors
/// Where stdout cannot be written to.
pub(crate) fn check(topology: &Topology) -> Result<Status, Error> {
    let (topics, services) = (topology.topics().count(), topology.services().count());
    let groups = topology.groups().count();
    print(&format!("{topics} topics, {services} services, {groups} consumer groups: every rule holds\n"))?;
    Ok(Status::Holds)
}

/// Prints the topology.
///
/// # Errors
/// Where stdout cannot be written to.
pub(crate) fn show(format: Format, topology: &Topology) -> Result<Status, Error> {
    print(&match format {
        Format::Text => show::table(topology),
        Format::Json => show::json(topology),
        Format::Mermaid => show::mermaid(topology),
        Format::Dot => show::dot(topology),
    })?;
    Ok(Status::Holds)
}
