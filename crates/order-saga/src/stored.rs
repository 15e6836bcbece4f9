//! The saga's events as a store keeps them: a word for what happened, and a JSON object with the rest.

use events::saga::{EmailAbout, OrderValidated};
use events::wire::{Fields, Writer};
use events::{DecodeError, Event, Timestamp};
use messaging::store::StoredEvent;

use crate::Participant;
use crate::saga::{Happened, SagaEvent};

const PARTICIPANTS: [(&str, Participant); 2] =
    [(Participant::Payment.as_str(), Participant::Payment), (Participant::Inventory.as_str(), Participant::Inventory)];

/// An event that was stored and makes no sense: another program, or a hand, has written it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {number}, {event_type}: {reason}")]
pub struct Unreadable {
    /// Its place in the stream, 1 for the first.
    pub number: usize,
    /// What kind it says that it is.
    pub event_type: String,
    /// What is wrong with it.
    pub reason: String,
}

/// An event as it is stored.
pub fn store(event: &SagaEvent) -> StoredEvent {
    let of = |event_type: &str, writer: Writer| (event_type.to_owned(), text(writer.finish()));
    let about = |participant: &Participant| Writer::new().one_of("participant", &PARTICIPANTS, *participant);
    let piece = |participant: &Participant, product: &Option<String>| match product {
        Some(product) => about(participant).text("product_id", product),
        None => about(participant),
    };
    let (event_type, data) = match &event.happened {
        Happened::Began(order, run) => ("began".into(), began(&OrderValidated(order.clone()), run.as_deref())),
        Happened::Asked(participant) => of("asked", about(participant)),
        Happened::Granted(participant, product) => of("granted", piece(participant, product)),
        Happened::Refused(participant) => of("refused", about(participant)),
        Happened::GivenUp(participant) => of("given_up", about(participant)),
        Happened::Undoing(participant) => of("undoing", about(participant)),
        Happened::Undone(participant, product) => of("undone", piece(participant, product)),
        Happened::Told(email) => of("told", Writer::new().one_of("about", &EmailAbout::WORDS, *email)),
        Happened::Completed => of("completed", Writer::new()),
        Happened::Failed => of("failed", Writer::new()),
    };
    let SagaEvent { at, recorded_at, cause, .. } = *event;
    StoredEvent { event_type, data, cause, at, recorded_at }
}

/// The order as its topic has it, and the run beside.
fn began(order: &OrderValidated, run: Option<&str>) -> String {
    let mut data = text(order.encode());
    if let (Some(run), true) = (run, data.ends_with('}')) {
        data.pop();
        data.push_str(&text(Writer::new().text("run", run).finish()).replacen('{', ",", 1));
    }
    data
}

/// What we have written ourselves is UTF-8.
fn text(json: Vec<u8>) -> String {
    String::from_utf8(json).unwrap_or_default()
}

/// A stream as it was before it was stored.
///
/// # Errors
/// At the first event that makes no sense.
pub fn read(stream: &[StoredEvent]) -> Result<Vec<SagaEvent>, Unreadable> {
    let read = |(number, stored): (usize, &StoredEvent)| {
        let StoredEvent { event_type, at, recorded_at, cause, .. } = stored;
        let (at, recorded_at, cause) = (*at, *recorded_at, *cause);
        let unreadable =
            |error: DecodeError| Unreadable { number, event_type: event_type.clone(), reason: error.to_string() };
        let happened = happened(stored).map_err(unreadable)?;
        Ok(SagaEvent { happened, at, recorded_at, cause })
    };
    (1..).zip(stream).map(read).collect()
}

fn happened(StoredEvent { event_type, data, .. }: &StoredEvent) -> Result<Happened, DecodeError> {
    let data = data.as_bytes();
    let participant = || Fields::read(data, |fields| fields.one_of("participant", &PARTICIPANTS));
    let product = || {
        let product = |fields: Fields<'_, '_>| fields.identifier("product_id");
        match participant()? {
            Participant::Payment => Ok((Participant::Payment, None)),
            Participant::Inventory => Ok((Participant::Inventory, Some(Fields::read(data, product)?))),
        }
    };
    Ok(match event_type.as_str() {
        "began" => {
            let run = Fields::read(data, |fields| fields.identifier("run")).ok();
            Happened::Began(OrderValidated::decode(data)?.0, run)
        }
        "asked" => Happened::Asked(participant()?),
        "granted" => product().map(|(participant, product)| Happened::Granted(participant, product))?,
        "refused" => Happened::Refused(participant()?),
        "given_up" => Happened::GivenUp(participant()?),
        "undoing" => Happened::Undoing(participant()?),
        "undone" => product().map(|(participant, product)| Happened::Undone(participant, product))?,
        "told" => Happened::Told(Fields::read(data, |fields| fields.one_of("about", &EmailAbout::WORDS))?),
        "completed" => Happened::Completed,
        "failed" => Happened::Failed,
        other => return Err(DecodeError::new("event_type", other, "a word for what happens in a saga")),
    })
}

/// The moment that a clock's milliseconds since 1970 stand for.
pub(crate) fn moment(now_ms: u64) -> Timestamp {
    i64::try_from(now_ms).ok().and_then(Timestamp::from_ms).unwrap_or(Timestamp::BASE)
}

#[cfg(test)]
mod tests {
    use events::saga::{Item, Order};
    use events::{Cents, EventId, OrderId};

    use super::*;

    fn order() -> Order {
        let items = vec![Item { product_id: "hat".into(), quantity: 2, price: Cents::new(500) }];
        let (order_id, customer_id) = (OrderId::parse("7f3a").unwrap(), "CUST-00042".into());
        Order { order_id, customer_id, items, timestamp: Timestamp::BASE }
    }

    fn event(happened: Happened) -> SagaEvent {
        let cause = EventId::of(&order().order_id, "cause", "", 1);
        SagaEvent { happened, at: Timestamp::BASE, recorded_at: Timestamp::BASE.plus_ms(7), cause }
    }

    #[test]
    fn every_event_is_read_back_as_it_was() {
        use Participant::{Inventory, Payment};
        let product = || Some("hat".to_owned());
        let stream: Vec<SagaEvent> = [
            Happened::Began(order(), Some("run-1".into())),
            Happened::Began(order(), None),
            Happened::Asked(Payment),
            Happened::Granted(Payment, None),
            Happened::Granted(Inventory, product()),
            Happened::Refused(Inventory),
            Happened::GivenUp(Payment),
            Happened::Undoing(Inventory),
            Happened::Undone(Inventory, product()),
            Happened::Undone(Payment, None),
            Happened::Told(EmailAbout::OutOfStock),
            Happened::Completed,
            Happened::Failed,
        ]
        .map(event)
        .into();
        let stored: Vec<StoredEvent> = stream.iter().map(store).collect();
        assert_eq!(stored[4].data, r#"{"participant":"inventory","product_id":"hat"}"#);
        assert!(stored[0].data.ends_with(r#","status":"validated","run":"run-1"}"#), "{}", stored[0].data);
        assert_eq!(read(&stored), Ok(stream));
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_place_and_reason() {
        let good = store(&event(Happened::Completed));
        let check = |event_type: &str, data: &str, reason: &str| {
            let bad = StoredEvent { event_type: event_type.into(), data: data.into(), ..good.clone() };
            assert_eq!(read(&[good.clone(), bad]).unwrap_err().to_string(), format!("event 2, {event_type}: {reason}"));
        };
        check("sold", "{}", "event_type: found sold, allowed a word for what happens in a saga");
        check("asked", "{}", r#"participant: found nothing, allowed "payment" or "inventory""#);
        check(
            "granted",
            r#"{"participant":"inventory"}"#,
            &format!("product_id: found nothing, allowed {}", OrderId::ALLOWED),
        );
    }

    #[test]
    fn a_clock_that_is_out_of_all_bounds_is_taken_for_the_base_time() {
        assert_eq!(moment(1_000).as_ms(), 1_000);
        assert_eq!(moment(u64::MAX), Timestamp::BASE);
    }
}
