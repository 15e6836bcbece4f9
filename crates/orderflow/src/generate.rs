//! `orderflow generate`: orders as JSON lines.

use std::io::{self, BufWriter, ErrorKind, Write};

use crate::business::Business;
use crate::{Error, Status, System, seed};

/// Writes orders to stdout, one JSON object a line, as `run --input` reads them.
#[derive(clap::Args)]
#[command(
    after_help = "Example: orderflow generate --orders 1000 --seed 7 > orders.jsonl && orderflow run --input orders.jsonl"
)]
pub(crate) struct Args {
    /// The system whose orders they are.
    #[arg(value_enum, default_value_t)]
    pub(crate) system: System,
    /// How many orders.
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    orders: u64,
    /// The seed; random if absent, and printed to stderr. The same seed gives the same orders.
    #[arg(long, allow_negative_numbers = true)]
    seed: Option<u64>,
}

/// Writes the orders.
///
/// # Errors
/// Where stdout cannot be written to.
pub(crate) fn execute(args: &Args, business: &dyn Business) -> Result<Status, Error> {
    let seed = seed::or_random(args.seed);
    if args.seed.is_none() {
        seed::announce(seed);
    }
    match write(business, args.orders, seed) {
        // Whoever reads has enough, as in `orderflow generate | head`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Status::Holds),
        Err(error) => Err(Error::Failed(format!("stdout: {error}"))),
        Ok(()) => Ok(Status::Holds),
    }
}

fn write(business: &dyn Business, orders: u64, seed: u64) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for n in 0..orders {
        out.write_all(&business.order(seed, n).record.value)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}
