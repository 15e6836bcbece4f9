//! `orderflow simulate`: placeholder until the simulation crate stands.

use ::topology::Topology;

use crate::{Error, Status};

/// Runs the services in memory under planted faults.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn execute(_: &Args, _: &Topology) -> Result<Status, Error> {
    Ok(Status::Fails)
}
