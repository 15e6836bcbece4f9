use std::sync::Arc;

use events::{EventId, OrderId, Timestamp};
use messaging::store::{EventStore, Standing, StoreError, StoredEvent, Unfinished};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::columns::{id_of, moment, number, time_of, unreadable};
use crate::database::Database;

/// Streams in PostgreSQL; every call is one round trip.
#[derive(Clone)]
pub struct PostgresEvents(pub(crate) Arc<Database>);

const LOAD: &str = "
    SELECT event_type, data::text, cause, at, recorded_at FROM saga.events WHERE stream = $1 ORDER BY version";

/// Whoever has seen the stream as it is moves its row on; only he appends. Another one waits for the row, and then finds another version.
const APPEND: &str = "
    WITH moved AS (
        INSERT INTO saga.streams AS there (stream, version, due_at, is_stuck)
        SELECT $1, $2 + cardinality($5::text[]), $3, $4
        WHERE $2 = 0 OR EXISTS (SELECT FROM saga.streams WHERE stream = $1)
        ON CONFLICT (stream) DO UPDATE
        SET version = excluded.version, due_at = excluded.due_at, is_stuck = excluded.is_stuck
        WHERE there.version = $2
        RETURNING stream
    ), appended AS (
        INSERT INTO saga.events (stream, version, event_type, data, cause, at, recorded_at)
        SELECT stream, $2 + place, event_type, data::json, cause, at, recorded_at
        FROM moved, unnest($5::text[], $6::text[], $7::uuid[], $8::timestamptz[], $9::timestamptz[])
            WITH ORDINALITY AS event (event_type, data, cause, at, recorded_at, place)
    )
    SELECT EXISTS (SELECT FROM moved)";

/// A stream that has not begun stands nowhere: there is nothing to note.
const RESTATE: &str = "
    WITH moved AS (
        UPDATE saga.streams SET due_at = $3, is_stuck = $4 WHERE stream = $1 AND version = $2 RETURNING stream
    )
    SELECT EXISTS (SELECT FROM moved) OR ($2 = 0 AND NOT EXISTS (SELECT FROM saga.streams WHERE stream = $1))";

/// Two walks along the index, each up to the limit: by one condition with OR it would read all that is not due.
const DUE: &str = "
    (SELECT stream, due_at FROM saga.streams WHERE due_at <= $1 ORDER BY due_at, stream LIMIT $3)
    UNION ALL
    (SELECT stream, due_at FROM saga.streams WHERE due_at > greatest($1, $2) ORDER BY due_at, stream LIMIT $3)
    ORDER BY due_at, stream LIMIT $3";

const UNFINISHED: &str = "
    SELECT count(*), count(*) FILTER (WHERE is_stuck) FROM saga.streams WHERE due_at IS NOT NULL";

/// No id is empty: all of them stand behind the empty one.
const STREAMS: &str = "SELECT stream FROM saga.streams WHERE stream > $1 ORDER BY stream LIMIT $2";

type Row = (String, String, Uuid, OffsetDateTime, OffsetDateTime);

impl EventStore for PostgresEvents {
    fn load(&self, stream: &OrderId) -> Result<Vec<StoredEvent>, StoreError> {
        self.0.run(format_args!("load {stream}"), async |connection| {
            let rows: Vec<Row> = sqlx::query_as(LOAD).bind(stream.as_str()).fetch_all(connection).await?;
            rows.into_iter().map(event_of).collect()
        })
    }

    fn append(
        &self,
        stream: &OrderId,
        version: usize,
        events: &[StoredEvent],
        standing: Option<Standing>,
    ) -> Result<(), StoreError> {
        let column = |text: fn(&StoredEvent) -> &str| events.iter().map(text).collect::<Vec<_>>();
        let times = |time: fn(&StoredEvent) -> Timestamp| events.iter().map(time).map(moment).collect::<Vec<_>>();
        let moved: bool = self.0.run(format_args!("append to {stream}"), async |connection| {
            sqlx::query_scalar(APPEND)
                .bind(stream.as_str())
                .bind(number(version))
                .bind(standing.map(|standing| moment(standing.due_at)))
                .bind(standing.is_some_and(|standing| standing.is_stuck))
                .bind(column(|event| &event.event_type))
                .bind(column(|event| &event.data))
                .bind(events.iter().map(|event| Uuid::from_u128(event.cause.as_u128())).collect::<Vec<_>>())
                .bind(times(|event| event.at))
                .bind(times(|event| event.recorded_at))
                .fetch_one(connection)
                .await
        })?;
        if moved { Ok(()) } else { Err(StoreError::Conflict) }
    }

    fn due(&self, now: Timestamp, horizon: Timestamp, limit: usize) -> Result<Vec<OrderId>, StoreError> {
        self.0.run("look for what is due", async |connection| {
            let query = sqlx::query_as(DUE).bind(moment(now)).bind(moment(horizon)).bind(number(limit));
            let rows: Vec<(String, OffsetDateTime)> = query.fetch_all(connection).await?;
            rows.into_iter().map(|(stream, _)| id_of(&stream)).collect()
        })
    }

    fn unfinished(&self) -> Result<Unfinished, StoreError> {
        let (all, stuck): (i64, i64) = self.0.run("count what has not ended", async |connection| {
            sqlx::query_as(UNFINISHED).fetch_one(connection).await
        })?;
        Ok(Unfinished { all: all.unsigned_abs(), stuck: stuck.unsigned_abs() })
    }

    fn streams(&self, after: Option<&OrderId>, limit: usize) -> Result<Vec<OrderId>, StoreError> {
        self.0.run("list streams", async |connection| {
            let after = after.map_or("", OrderId::as_str);
            let query = sqlx::query_scalar(STREAMS).bind(after).bind(number(limit));
            let rows: Vec<String> = query.fetch_all(connection).await?;
            rows.iter().map(|stream| id_of(stream)).collect()
        })
    }

    fn restate(&self, stream: &OrderId, version: usize, standing: Option<Standing>) -> Result<(), StoreError> {
        let stands: bool = self.0.run(format_args!("note where {stream} stands"), async |connection| {
            sqlx::query_scalar(RESTATE)
                .bind(stream.as_str())
                .bind(number(version))
                .bind(standing.map(|standing| moment(standing.due_at)))
                .bind(standing.is_some_and(|standing| standing.is_stuck))
                .fetch_one(connection)
                .await
        })?;
        if stands { Ok(()) } else { Err(StoreError::Conflict) }
    }
}

fn event_of((event_type, data, cause, at, recorded_at): Row) -> Result<StoredEvent, sqlx::Error> {
    let cause = EventId::parse(cause.to_string().as_bytes()).ok_or_else(|| unreadable("an id", cause))?;
    Ok(StoredEvent { event_type, data, cause, at: time_of(at)?, recorded_at: time_of(recorded_at)? })
}
