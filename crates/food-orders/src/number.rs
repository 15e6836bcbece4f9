//! Numbers that no two orders share, whoever writes them, and whenever.
//!
//! They are handed out in ranges: each range belongs to a ticket, and no ticket is drawn twice. A producer draws one when it starts and
//! whenever its range is used up, so neither another instance nor the same one after a restart has its numbers. They grow past the five
//! digits of `ORD-20260101-00042` where there are more orders than that, and never begin anew with a day.

use std::ops::Range;

/// Numbers of a ticket.
pub const NUMBERS_PER_TICKET: u64 = 1_000;

/// The numbers that a ticket stands for; none where they would not fit.
pub fn range(ticket: u64) -> Range<u64> {
    let start = ticket.checked_mul(NUMBERS_PER_TICKET);
    start.map_or(0..0, |start| start..start.saturating_add(NUMBERS_PER_TICKET))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use events::{OrderId, Timestamp};

    use super::*;

    #[test]
    fn n02_an_id_has_the_day_and_five_digits_or_more() {
        let id = |number| OrderId::numbered(Timestamp::BASE.plus_ms(86_399_999), number).to_string();
        assert_eq!([id(0), id(42), id(99_999)], ["ORD-20260101-00000", "ORD-20260101-00042", "ORD-20260101-99999"]);
        assert_eq!([id(100_000), id(u64::MAX)], ["ORD-20260101-100000", "ORD-20260101-18446744073709551615"]);
        assert_eq!(OrderId::numbered(Timestamp::BASE.plus_ms(86_400_000), 42).as_str(), "ORD-20260102-00042");
        assert_eq!(OrderId::parse(&id(u64::MAX)).map(|id| id.to_string()), Ok(id(u64::MAX)));
    }

    #[test]
    fn n02_no_two_tickets_share_a_number_and_none_is_left_out() {
        let numbers: Vec<u64> = (0..200).flat_map(range).collect();
        assert_eq!(numbers, (0..200_000).collect::<Vec<_>>());
        let ids: BTreeSet<OrderId> = numbers.iter().map(|&number| OrderId::numbered(Timestamp::BASE, number)).collect();
        assert_eq!(ids.len(), 200_000, "also beyond five digits");
        assert!(range(u64::MAX).is_empty());
    }
}
