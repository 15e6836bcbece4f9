//! Values as columns hold them, and back.

use events::{OrderId, Timestamp};
use time::OffsetDateTime;

pub(crate) fn id_of(text: &str) -> Result<OrderId, sqlx::Error> {
    OrderId::parse(text).map_err(|error| unreadable("a stream", error))
}

pub(crate) fn time_of(moment: OffsetDateTime) -> Result<Timestamp, sqlx::Error> {
    let ms = i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000)).ok();
    ms.and_then(Timestamp::from_ms).ok_or_else(|| unreadable("a time", moment))
}

pub(crate) fn moment(time: Timestamp) -> OffsetDateTime {
    // No time of ours is outside the years that are known there.
    OffsetDateTime::UNIX_EPOCH + time::Duration::milliseconds(time.as_ms())
}

pub(crate) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What is there cannot be ours: somebody else has written it.
pub(crate) fn unreadable(what: &str, found: impl std::fmt::Display) -> sqlx::Error {
    sqlx::Error::Decode(format!("{what} that orderflow did not write: {found}").into())
}
