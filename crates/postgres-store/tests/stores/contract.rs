//! What every store must do, asked of each.

mod events; // of streams
pub(crate) mod orders; // of tables of orders
mod rows; // of rows

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ::events::{EventId, OrderId, Timestamp};
use messaging::store::{EventStore, RowStore, Standing, StoredEvent};

/// Both stores under test, empty.
pub(crate) struct Stores {
    pub(crate) events: Box<dyn EventStore>,
    pub(crate) rows: Box<dyn RowStore>,
}

impl Stores {
    pub(crate) fn of(events: impl EventStore + 'static, rows: impl RowStore + 'static) -> Self {
        Self { events: Box::new(events), rows: Box::new(rows) }
    }
}

/// What is asked: its name states the rule.
type Case = (&'static str, fn(&Stores));

macro_rules! cases {
    ($($module:ident::$name:ident),* $(,)?) => { [$((stringify!($name), $module::$name as fn(&Stores))),*] };
}

const CASES: [Case; 23] = cases![
    events::a_stream_that_has_not_begun_is_empty,
    events::events_come_back_byte_for_byte,
    events::an_append_goes_behind_what_was_seen,
    events::an_append_behind_more_or_less_than_is_there_is_refused_as_a_whole,
    events::a_refused_append_begins_no_stream,
    events::of_those_who_append_at_once_one_does,
    events::what_is_due_comes_in_order_up_to_the_limit,
    events::what_is_due_beyond_the_horizon_is_due_too,
    events::what_has_ended_is_not_due,
    events::unfinished_streams_are_counted,
    events::a_stream_stands_where_it_was_noted_last,
    events::nothing_is_noted_of_a_stream_that_has_grown,
    events::nothing_is_noted_of_a_stream_that_has_not_begun,
    events::streams_are_listed_page_by_page_in_the_order_of_their_ids,
    rows::a_row_that_is_not_there_is_none,
    rows::rows_are_made_changed_and_removed_together,
    rows::a_row_that_was_not_asked_for_is_not_written,
    rows::a_row_that_is_left_alone_stays,
    rows::a_row_that_is_asked_for_twice_is_one_row,
    rows::a_table_has_its_own_rows_alone,
    rows::of_changes_to_the_same_rows_at_once_none_is_lost,
    rows::of_those_who_make_the_same_rows_at_once_none_is_lost,
    rows::what_was_decided_because_a_row_is_missing_holds,
];

/// Asks everything of it, each case with an empty one, and fails with the names of those that it does not keep.
pub(crate) fn check(empty: impl Fn() -> Stores) {
    let keeps = |(name, case): &Case| {
        let kept = catch_unwind(AssertUnwindSafe(|| case(&empty()))).is_ok();
        writeln!(std::io::stderr(), "{} {name}", if kept { "kept  " } else { "BROKEN" }).unwrap();
        kept
    };
    let broken: Vec<&str> = CASES.iter().filter(|case| !keeps(case)).map(|(name, _)| *name).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

pub(crate) fn order(id: &str) -> OrderId {
    OrderId::parse(id).unwrap()
}

/// A moment, in milliseconds after the base time.
pub(crate) fn ms(ms: u64) -> Timestamp {
    Timestamp::BASE.plus_ms(ms)
}

pub(crate) fn event(event_type: &str) -> StoredEvent {
    StoredEvent {
        event_type: event_type.to_owned(),
        data: format!(r#"{{"event_type":"{event_type}"}}"#),
        cause: EventId::of(&order("7f3a"), event_type, "", 1),
        at: ms(1),
        recorded_at: ms(2),
    }
}

pub(crate) const fn due(due_at: Timestamp) -> Option<Standing> {
    Some(Standing { due_at, is_stuck: false })
}

pub(crate) const fn stuck(due_at: Timestamp) -> Option<Standing> {
    Some(Standing { due_at, is_stuck: true })
}
