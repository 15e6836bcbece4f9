//! `orderflow dead-letters`: what services have given up, why, and what becomes of it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use ::topology::Topology;
use kafka_transport::Connection;
use messaging::{Fate, SteadyRate};
use serde_json::Value;
use tracing_subscriber::filter::LevelFilter;

use crate::business::Business;
use crate::connect::Brokers;
use crate::{Error, Format, Status, confirm, logging, moment, signals};
use letters::Letters;
use settle::Settling;
pub(crate) use show::{Place, place};

mod letter; // one of them
mod letters; // all that stand, read from their topics
mod list; // those that are asked for, and how many there are of each reason
mod reasons; // how often for each reason
mod settle; // redriven or discarded, batch by batch
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
    /// Writes the records that were given up to their topics once more, and marks their dead letters: key, bytes and headers as they were, and one
    /// header that counts how often
    #[command(after_help = "Examples:\n  orderflow dead-letters redrive --service payment_processor --dry-run\n  \
        orderflow dead-letters redrive --reason total --since 1h --rate 100\n\n\
        Each has a line in the log, on stderr. All groups of a topic get the records again, and handle those that they had handled as any redelivery. What is broken off goes on where it \
        was when the command is given again.")]
    Redrive(RedriveArgs),
    /// Marks dead letters as done with; they stay where they are until Kafka deletes them
    #[command(after_help = "Example: orderflow dead-letters discard --order 7f3a")]
    Discard(DiscardArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    brokers: Brokers,
    #[command(flatten)]
    filter: Filter,
    /// Lists those too that were redriven or discarded.
    #[arg(long)]
    all: bool,
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
    /// Whose reason is about this, as [`reasons`] counts it; on the command line part of a reason does.
    #[arg(skip)]
    about: Option<String>,
}

/// Which of them somebody asks for who has seen them in a document.
#[derive(Debug)]
pub(crate) enum Which<'a> {
    /// The one that stands there.
    At(Place),
    /// All that are open of a service, and have a reason about this.
    About { service: &'a str, about: &'a str },
}

#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// Where it stands: TOPIC-PARTITION@OFFSET.
    #[arg(value_name = "PLACE", value_parser = show::place)]
    place: Place,
    #[command(flatten)]
    brokers: Brokers,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RedriveArgs {
    #[command(flatten)]
    brokers: Brokers,
    #[command(flatten)]
    filter: Filter,
    /// Tells how many it would be, and writes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Records a second at most, 1 to 1,000,000; as fast as they go if absent.
    #[arg(long, value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Also those that were redriven twice and given up again each time.
    #[arg(long)]
    held: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DiscardArgs {
    #[command(flatten)]
    brokers: Brokers,
    #[command(flatten)]
    filter: Filter,
    /// Tells how many it would be, and writes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Does it without asking.
    #[arg(long)]
    yes: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Does it and prints.
///
/// # Errors
/// Where the call does not serve, the brokers do not answer or refuse, or there is no such dead letter.
pub(crate) fn execute(
    command: &Command,
    topology: &Topology,
    businesses: &[Arc<dyn Business>],
) -> Result<Status, Error> {
    // Whatever is done to a dead letter stands in the log.
    let is_silent = matches!(command, Command::List(_) | Command::Show(_));
    logging::start(if is_silent { LevelFilter::ERROR } else { LevelFilter::INFO });
    let connect = |brokers: &Brokers, filter: &Filter| {
        filter.check(topology)?;
        let connection = brokers.connection()?;
        Ok::<_, Error>((Letters::connect(&connection, topology, businesses)?, connection))
    };
    match command {
        Command::List(args) => list::execute(args, connect(&args.brokers, &args.filter)?.0),
        Command::Show(args) => show::execute(args, connect(&args.brokers, &Filter::default())?.0),
        Command::Redrive(args) => {
            let (mut letters, connection) = connect(&args.brokers, &args.filter)?;
            let spans = letters.spans(args.filter.since)?;
            args.settling().run(&mut letters, &spans, &connection, &*signals::stop_flag()?)?.print(args.format)
        }
        Command::Discard(args) => {
            confirm::check(args.yes || args.dry_run)?;
            let (mut letters, connection) = connect(&args.brokers, &args.filter)?;
            // What comes while somebody is asked is not what they say yes to.
            let spans = letters.spans(args.filter.since)?;
            if !args.yes && !args.dry_run {
                let asked = Settling { is_dry: true, ..args.settling() };
                let asked = asked.run(&mut letters, &spans, &connection, &AtomicBool::new(false))?;
                confirm::ask(&asked.question(), "nothing was discarded")?;
            }
            args.settling().run(&mut letters, &spans, &connection, &*signals::stop_flag()?)?.print(args.format)
        }
    }
}

/// How many of those that are open a document has at most, the last ones.
const SHOWN: usize = 50;

/// Those that are open, for a program.
///
/// # Errors
/// Where the brokers do not answer or refuse.
pub(crate) fn document(
    connection: &Connection,
    topology: &Topology,
    businesses: &[Arc<dyn Business>],
) -> Result<Value, Error> {
    list::document(&mut Letters::connect(connection, topology, businesses)?, SHOWN)
}

/// Redrives some, as [`Command::Redrive`] does.
///
/// # Errors
/// Where nothing stands there, or the brokers do not answer or refuse.
pub(crate) fn redrive(
    connection: &Connection,
    topology: &Topology,
    businesses: &[Arc<dyn Business>],
    which: &Which<'_>,
    stop: &AtomicBool,
) -> Result<Value, Error> {
    let mut letters = Letters::connect(connection, topology, businesses)?;
    let (spans, filter) = match which {
        Which::At(place) => (vec![place.span(&letters)?], Filter::default()),
        Which::About { service, about } => {
            let [service, about] = [service, about].map(|text| Some((*text).to_owned()));
            (letters.spans(None)?, Filter { service, about, ..Filter::default() })
        }
    };
    let settling = Settling { filter: &filter, fate: Fate::Redriven, rate: None, with_held: false, is_dry: false };
    Ok(settling.run(&mut letters, &spans, connection, stop)?.document())
}

impl RedriveArgs {
    fn settling(&self) -> Settling<'_> {
        Settling {
            filter: &self.filter,
            fate: Fate::Redriven,
            rate: self.rate.map(SteadyRate::new),
            with_held: self.held,
            is_dry: self.dry_run,
        }
    }
}

impl DiscardArgs {
    fn settling(&self) -> Settling<'_> {
        Settling { filter: &self.filter, fate: Fate::Discarded, rate: None, with_held: true, is_dry: self.dry_run }
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
