//! Places orders of food, under numbers that nobody else uses.
//!
//! A number is drawn before it is used: the producer writes a record to a topic of one partition, and its offset is the ticket for a
//! [`number::range`](crate::number::range). No two records of a partition have the same offset, whoever writes them and whenever, so no two
//! producers share a number. What a ticket's record says is for people: who drew it.

use events::wire::Fields;
use events::{DecodeError, EventId, OrderId, Timestamp, Topic};
use messaging::{Outgoing, RetryPolicy};

/// The service's name in `topology.json`.
pub const NAME: &str = "food_producer";

/// How many orders a second, unless somebody says otherwise.
pub const ORDER_RATE: &str = "order_rate";

/// How a write that failed is done again: three times, after 1 s, up to 2 s and up to 4 s. Source: requirement L08.
pub const RETRY: RetryPolicy = RetryPolicy::try_new(1_000, 4_000, 4).unwrap();

/// Where tickets are drawn.
pub const NUMBERS: Topic = Topic::new("food-order-numbers");

const EVENT_TYPE: &str = "numbers_drawn";

/// The record that draws the `nth` ticket of a run.
pub fn draw(run: &OrderId, nth: u32, at: Timestamp) -> Outgoing {
    let value = format!(r#"{{"event_type":"{EVENT_TYPE}","run":"{run}","timestamp":"{at}"}}"#);
    let event_id = EventId::of(run, EVENT_TYPE, "", nth);
    Outgoing { topic: NUMBERS, key: run.as_str().as_bytes().to_vec(), value: value.into_bytes(), event_id }
}

/// A record that draws a ticket, as somebody else wrote it: as its run's first, because nothing in it tells which it was.
///
/// # Errors
/// The field that is missing or wrong.
pub fn read(value: &[u8]) -> Result<Outgoing, DecodeError> {
    Fields::read(value, |fields| {
        fields.expect("event_type", EVENT_TYPE)?;
        let run = OrderId::parse(&fields.identifier("run")?)?;
        Ok(draw(&run, 1, fields.timestamp("timestamp")?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_says_who_drew_it_and_each_has_an_id_of_its_own() {
        let run = OrderId::parse("0199-7").unwrap();
        let first = draw(&run, 1, Timestamp::BASE);
        let value = r#"{"event_type":"numbers_drawn","run":"0199-7","timestamp":"2026-01-01T00:00:00.000Z"}"#;
        assert_eq!((first.topic, String::from_utf8(first.value).unwrap().as_str()), (NUMBERS, value));
        assert_ne!(first.event_id, draw(&run, 2, Timestamp::BASE).event_id);
    }

    #[test]
    fn a_ticket_is_read_as_it_was_drawn_and_a_field_that_is_wrong_is_named() {
        let ticket = draw(&OrderId::parse("0199-7").unwrap(), 1, Timestamp::BASE);
        assert_eq!(read(&ticket.value), Ok(ticket.clone()));
        let value = String::from_utf8(ticket.value).unwrap();
        for (from, to, field) in
            [("numbers_drawn", "order", "event_type"), ("0199-7", "a b", "run"), ("T00", " ", "timestamp")]
        {
            let error = read(value.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{field}: found ")), "{error}");
        }
    }
}
