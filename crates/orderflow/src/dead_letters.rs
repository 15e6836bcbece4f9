//! `orderflow dead-letters`: what services have given up, and why.

use std::sync::Arc;
use std::time::SystemTime;

use ::topology::Topology;
use tracing_subscriber::filter::LevelFilter;

use crate::business::Business;
use crate::connect::Brokers;
use crate::{Error, Format, Status, logging, moment};
use letters::Letters;

mod letter; // one of them
mod letters; // all that stand, read from their topics
mod list; // those that are asked for, and how many there are of each reason
mod show; // all of one

/// What to do with them.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Lists what was given up, the newest last: when, by whom, which record, of which order, why; then how often for each reason
    #[command(after_help = "Example: orderflow dead-letters list --service payment_processor --since 1h")]
    List(ListArgs),
    /// Shows one of them with all that it holds
    #[command(after_help = "Example: orderflow dead-letters show payment_processor.order_placed.dead_letter-2@63\n\n\
        What `list` has in its first column.")]
    Show(ShowArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    brokers: Brokers,
    #[command(flatten)]
    filter: Filter,
    /// How many are listed at most, of those that came last; all of them count.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// How they are printed; json: one document.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Which of them.
#[derive(Debug, Default, clap::Args)]
struct Filter {
    /// Given up by this service.
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// Whose reason has this text.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Given up at this time or later: 2026-11-27T09:30:00Z, or 1h for an hour ago.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<SystemTime>,
    /// Of this order.
    #[arg(long, value_name = "ORDER_ID")]
    order: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// Where it stands: TOPIC-PARTITION@OFFSET.
    #[arg(value_name = "PLACE", value_parser = show::place)]
    place: show::Place,
    #[command(flatten)]
    brokers: Brokers,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Reads and prints.
///
/// # Errors
/// Where the call does not serve, the brokers do not answer or refuse, or there is no such dead letter.
pub(crate) fn execute(
    command: &Command,
    topology: &Topology,
    businesses: &[Arc<dyn Business>],
) -> Result<Status, Error> {
    logging::start(LevelFilter::ERROR);
    match command {
        Command::List(args) => {
            args.filter.check(topology)?;
            list::execute(args, Letters::connect(&args.brokers.connection()?, topology, businesses)?)
        }
        Command::Show(args) => {
            show::execute(args, Letters::connect(&args.brokers.connection()?, topology, businesses)?)
        }
    }
}

impl Filter {
    /// Refuses a service that gives nothing up.
    fn check(&self, topology: &Topology) -> Result<(), Error> {
        let Some(service) = &self.service else { return Ok(()) };
        let groups = topology.groups().filter(|(_, consumption)| consumption.dead_letter.is_some());
        let mut services: Vec<&str> = groups.map(|(service, _)| service.name.as_str()).collect();
        if services.contains(&service.as_str()) {
            return Ok(());
        }
        services.dedup();
        Err(Error::Usage(format!(
            "--service: no service `{service}` has dead letters; allowed are {}",
            services.join(", ")
        )))
    }
}
