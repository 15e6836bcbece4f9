//! `orderflow lambda`: the functions behind their mappings on this machine, invocations of them, and their logs.

use ::topology::Topology;
use clap::Subcommand;

use crate::{Error, Status};

mod bodies; // what AWS's API is told of the topology
mod invoke; // one invocation, in the emulator or on AWS
mod logs; // what a function has logged
mod place; // which of the two
mod secrets; // each service's user and the CA
mod table; // how functions do
mod up; // the emulator with all of them

pub(crate) use invoke::invoke_on_aws;
pub(crate) use place::ADDRESS;

/// Where the emulator keeps the functions' logs, unless somebody says otherwise.
const LOGS: &str = "target/lambda-logs";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the functions behind their Kafka mappings until it is stopped.
    #[command(
        after_help = "Examples:\n  orderflow lambda up --time-scale 60\n  orderflow lambda up --fail 5% --kill 1% --seed 7\n  orderflow lambda up --credentials ~/.local/state/orderflow/cluster/credentials"
    )]
    Up(up::Args),
    /// Invokes a function and prints its answer.
    #[command(
        after_help = "Examples:\n  orderflow lambda invoke hello_world\n  orderflow lambda invoke order_generator --orders 100"
    )]
    Invoke(invoke::Args),
    /// Prints what a function has logged.
    #[command(after_help = "Example: orderflow lambda logs order_generator --follow")]
    Logs(logs::Args),
}

pub(crate) fn execute(command: &Command, topology: &Topology) -> Result<Status, Error> {
    match command {
        Command::Up(args) => up::execute(args, topology),
        Command::Invoke(args) => invoke::execute(args),
        Command::Logs(args) => logs::execute(args),
    }
}
