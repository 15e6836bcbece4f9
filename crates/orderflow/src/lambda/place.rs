use std::net::SocketAddr;

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
