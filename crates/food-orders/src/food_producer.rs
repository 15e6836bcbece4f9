//! Places orders of food, under numbers that nobody else uses.
//!
//! A number is drawn before it is used: the producer writes a record to a topic of one partition, and its offset is the ticket for a
//! [`number::range`](crate::number::range). No two records of a partition have the same offset, whoever writes them and whenever, so no two
//! producers share a number. What a ticket's record says is for people: who drew it.

use events::{EventId, OrderId, Timestamp, Topic};
use messaging::{Outgoing, RetryPolicy};

/// The service's name in `topology.json`.
pub const NAME: &str = "food_producer";

/// How many orders a second, unless somebody says otherwise.
pub const ORDER_RATE: &str = "order_rate";

/// How a write that failed is done again: three times, after 1 s, up to 2 s and up to 4 s. Source: requirement L08.
pub const RETRY: RetryPolicy = RetryPolicy::try_new(1_000, 4_000, 4).unwrap();

/// Where tickets are drawn.
pub const NUMBERS: Topic = Topic::new("food-order-numbers");

/// The record that draws the `nth` ticket of a run.
pub fn draw(run: &OrderId, nth: u32, at: Timestamp) -> Outgoing {
    let value = format!(r#"{{"event_type":"numbers_drawn","run":"{run}","timestamp":"{at}"}}"#);
    let event_id = EventId::of(run, "numbers_drawn", "", nth);
    Outgoing { topic: NUMBERS, key: run.as_str().as_bytes().to_vec(), value: value.into_bytes(), event_id }
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
}
