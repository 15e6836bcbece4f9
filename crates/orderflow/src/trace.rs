//! `orderflow trace`: the way of one order through all topics, as its records tell it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::topology::Topology;
use clap::builder::NonEmptyStringValueParser;
use kafka_transport::Connection;
use serde_json::Value;
use tracing_subscriber::filter::LevelFilter;

use crate::business::Business;
use crate::connect::Brokers;
use crate::{Error, Format, Status, counted, logging, print, shown, signals};
use search::{End, Search};
pub(crate) use step::{Kind, Step};
use way::Way;

mod search; // the records of one order, wherever they may stand
mod step; // one of them
mod tree; // which of them follows from which, in words
mod way; // all of them, in the order of their causes

/// How long new records are waited for before the next look.
const WAIT: Duration = Duration::from_millis(200);

/// Shows the way of one order through all topics: its records as a tree of causes, with times, dead letters, what stands again, and
/// which services are still to come. Only reads.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: orderflow trace ORD-20260101-00042 --brokers localhost:9092")]
pub(crate) struct Args {
    /// The order's id.
    #[arg(value_name = "ORDER_ID", value_parser = NonEmptyStringValueParser::new())]
    order_id: String,
    #[command(flatten)]
    brokers: Brokers,
    /// Goes on with each record that comes, until the order has come to its end or somebody stops it; waits for an order that is not there yet.
    #[arg(long)]
    follow: bool,
    /// How it is printed; json: one document, with --follow a line a record.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Reads what stands of the order and prints it.
///
/// # Errors
/// Where the brokers do not answer or refuse, or nothing stands of the order.
pub(crate) fn execute(args: &Args, topology: &Topology, businesses: &[Arc<dyn Business>]) -> Result<Status, Error> {
    logging::start(LevelFilter::ERROR);
    let connection = args.brokers.connection()?;
    let (mut search, mut way) = found(&connection, topology, businesses, &args.order_id)?;
    if args.follow {
        return follow(args, search, way);
    }
    let end = ended(&mut search, &mut way, &connection, &args.order_id)?;
    print(&match args.format {
        Format::Text => tree::text(&args.order_id, &way, end),
        Format::Json => format!("{:#}\n", tree::document(&args.order_id, &way, end)),
    })?;
    Ok(status(end))
}

/// The same for a program, without printing it.
///
/// # Errors
/// As [`execute`].
pub(crate) fn document_of(
    connection: &Connection,
    topology: &Topology,
    businesses: &[Arc<dyn Business>],
    order_id: &str,
) -> Result<Value, Error> {
    let (mut search, mut way) = found(connection, topology, businesses, order_id)?;
    let end = ended(&mut search, &mut way, connection, order_id)?;
    Ok(tree::document(order_id, &way, end))
}

/// Reads what stands of an order.
fn found(
    connection: &Connection,
    topology: &Topology,
    businesses: &[Arc<dyn Business>],
    order_id: &str,
) -> Result<(Search, Way), Error> {
    let mut search = Search::begin(connection, topology, businesses, order_id.as_bytes())?;
    let mut way = Way::default();
    search.read(&mut way)?;
    // Somebody else may choose partitions otherwise, and a topic may have had fewer.
    if way.is_empty() || way.lacks_a_cause() {
        search.read_elsewhere(&mut way)?;
    }
    Ok((search, way))
}

/// What has become of an order of which something stands.
fn ended(search: &mut Search, way: &mut Way, connection: &Connection, order_id: &str) -> Result<End, Error> {
    if way.is_empty() {
        let (records, topics, address) = (search.records(), search.topics() as u64, connection.brokers());
        return Err(Error::Absent(format!(
            "order {}: nothing of it in the {} of {} on {address}; is the id right, and are its records kept as long?",
            shown(order_id),
            counted(records, "record"),
            counted(topics, "topic"),
        )));
    }
    search.end(way)
}

/// Two ends are what no order may have.
fn status(end: End) -> Status {
    if end == End::Contradictory { Status::Fails } else { Status::Holds }
}

/// Tells record by record what comes.
fn follow(args: &Args, mut search: Search, mut way: Way) -> Result<Status, Error> {
    let stop = signals::stop_flag()?;
    let mut told = 0;
    loop {
        let end = if way.is_empty() { End::Open } else { search.end(&mut way)? };
        let mut new: Vec<usize> = (told..way.len()).collect();
        new.sort_by_key(|&index| way.steps()[index].at_ms); // partitions are read one after another
        for index in new {
            print(&match args.format {
                Format::Text => tree::line(&way, index),
                Format::Json => format!("{}\n", tree::record(&way, index)),
            })?;
        }
        told = way.len();
        if end != End::Open {
            print(&match args.format {
                Format::Text => format!("{}\n", tree::verdict(&way, end)),
                Format::Json => format!("{}\n", tree::ended(end)),
            })?;
            return Ok(status(end));
        }
        if stop.load(Ordering::Acquire) {
            return Ok(Status::Interrupted);
        }
        search.wait(&mut way, WAIT)?;
    }
}
