use std::net::SocketAddr;
use std::process::Command;

use crate::Error;

/// Where the emulator is, unless somebody says otherwise.
pub(crate) const ADDRESS: &str = "127.0.0.1:9001";

/// Where the functions run: in the emulator, or on AWS.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// The functions are on AWS: asks through the `aws` command, with the account, region and rights that it is set up for.
    #[arg(long)]
    pub(crate) aws: bool,
    /// Where the emulator serves the Invoke API.
    #[arg(long, value_name = "HOST:PORT", default_value = ADDRESS, conflicts_with = "aws")]
    pub(crate) endpoint: SocketAddr,
}

/// The `aws` command with these arguments.
pub(crate) fn aws<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new("aws");
    command.args(arguments);
    command
}

/// Why `aws` did not even start.
pub(crate) fn not_started(error: &std::io::Error) -> Error {
    Error::Failed(format!("aws: {error}: install the AWS CLI, `pip install awscli` for example"))
}
