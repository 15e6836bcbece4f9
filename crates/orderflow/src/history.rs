//! `orderflow history` and `orderflow rebuild`: what the event store knows of a saga, and what it keeps beside its events.

use ::topology::Topology;
use events::{OrderId, Timestamp};
use messaging::store::Unfinished;
use order_saga::history::{self, Moment};
use order_saga::{Participant, SagaServices};
use serde_json::json;

use crate::report::row;
use crate::stores::Stores;
use crate::{Error, Format, Status, grouped, print, tell};

/// Shows an order's saga: each of its events, and the state after it.
#[derive(clap::Args)]
#[command(after_help = "Example: DATABASE_URL=postgres://localhost/orderflow orderflow history 7f3a")]
pub(crate) struct HistoryArgs {
    /// The order's id.
    #[arg(value_name = "ORDER_ID")]
    order_id: String,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Makes anew, from the events alone, what the event store keeps beside them: where each saga stands, and when it is due.
#[derive(clap::Args)]
#[command(
    after_help = "Safe while services work.\n\nExample: DATABASE_URL=postgres://localhost/orderflow orderflow rebuild"
)]
pub(crate) struct RebuildArgs {
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Reads a saga and prints it.
///
/// # Errors
/// Where there is no database, it does not answer, or the order is unknown to it.
pub(crate) fn show(args: &HistoryArgs) -> Result<Status, Error> {
    let order_id = OrderId::parse(&args.order_id).map_err(|error| Error::Usage(error.to_string()))?;
    let stores = Stores::in_database()?;
    let moments = history::of(&*stores.events, &order_id).map_err(Error::failed)?;
    let Some(Moment { saga, .. }) = moments.last() else {
        return Err(Error::Failed(format!("order {order_id}: the event store knows no saga of it")));
    };
    let text = match args.format {
        Format::Text => text(&order_id, &moments),
        Format::Json => format!("{:#}\n", document(&order_id, &moments)),
    };
    print(&text)?;
    Ok(if saga.has_ended() { Status::Holds } else { Status::Fails })
}

fn text(order_id: &OrderId, moments: &[Moment]) -> String {
    let mut text = format!("order {order_id}\n\n");
    row(
        &mut text,
        format_args!("   #  time                      event                           payment             inventory"),
    );
    for (number, Moment { event, saga }) in (1..).zip(moments) {
        let happened = event.happened.to_string();
        let [payment, inventory] = Participant::ALL.map(|participant| saga.leg(participant));
        let line = format!("{number:>4}  {}  {happened:<30}  {payment:<18}  {inventory}", event.at);
        row(&mut text, format_args!("{}", line.trim_end()));
    }
    let ended = moments.last().is_some_and(|moment| moment.saga.has_ended());
    row(&mut text, format_args!("\n{}", if ended { "ended" } else { "not ended yet" }));
    text
}

fn document(order_id: &OrderId, moments: &[Moment]) -> serde_json::Value {
    let event = |Moment { event, saga }: &Moment| {
        let time = |moment: Timestamp| moment.to_string();
        json!({
            "event": event.happened.to_string(),
            "at": time(event.at),
            "recorded_at": time(event.recorded_at),
            "cause": event.cause.to_string(),
            "payment": saga.leg(Participant::Payment).to_string(),
            "inventory": saga.leg(Participant::Inventory).to_string(),
        })
    };
    json!({
        "order_id": order_id.as_str(),
        "run": moments.last().and_then(|moment| moment.saga.run()),
        "ended": moments.last().is_some_and(|moment| moment.saga.has_ended()),
        "events": moments.iter().map(event).collect::<Vec<_>>(),
    })
}

/// Rebuilds and prints what there is then.
///
/// # Errors
/// Where there is no database, it does not answer, or the topology does not serve.
pub(crate) fn rebuild(args: &RebuildArgs, topology: &Topology, name: &str) -> Result<Status, Error> {
    let patience = SagaServices::patience(topology).map_err(|error| Error::Usage(format!("{name}: {error}")))?;
    let stores = Stores::in_database()?;
    let rebuilt = history::rebuild(&*stores.events, &patience).map_err(Error::failed)?;
    let Unfinished { all, stuck } = rebuilt.unfinished;
    rebuilt.unreadable.iter().for_each(|unreadable| tell(&format!("left as it was: {unreadable}")));
    print(&match args.format {
        Format::Text => {
            format!(
                "{} sagas read; {} unfinished, {} of them stuck\n",
                grouped(rebuilt.streams),
                grouped(all),
                grouped(stuck)
            )
        }
        Format::Json => {
            let unreadable = rebuilt.unreadable.len();
            let document =
                json!({"sagas": rebuilt.streams, "unfinished": all, "stuck": stuck, "unreadable": unreadable});
            format!("{document:#}\n")
        }
    })?;
    Ok(if rebuilt.unreadable.is_empty() { Status::Holds } else { Status::Fails })
}
