-- The schema is there already: the table that counts these steps, saga.migrations, stands in it, too.
COMMENT ON SCHEMA saga IS 'order-saga: what its services remember. Written by orderflow alone.';
COMMENT ON TABLE saga.migrations IS 'Which steps of crates/postgres-store/migrations/saga were applied, and when.';

CREATE TABLE saga.streams (
    -- By bytes, as the program sorts them, whatever the language of the database is.
    stream text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL CHECK (version >= 0),
    due_at timestamptz(3),
    is_stuck boolean NOT NULL DEFAULT false,
    CHECK (due_at IS NOT NULL OR NOT is_stuck)
);
COMMENT ON TABLE saga.streams IS 'One row an order: how many events it has, and where it stands. Its row is what those who append to it contend for.';
COMMENT ON COLUMN saga.streams.stream IS 'The order''s id.';
COMMENT ON COLUMN saga.streams.version IS 'How many events the stream has; the next one is appended only by who has seen all of them.';
COMMENT ON COLUMN saga.streams.due_at IS 'When something of it is overdue; null once it has ended. Follows from its events.';
COMMENT ON COLUMN saga.streams.is_stuck IS 'Whether somebody should look. Follows from its events.';

CREATE INDEX streams_due ON saga.streams (due_at, stream) INCLUDE (is_stuck) WHERE due_at IS NOT NULL;
COMMENT ON INDEX saga.streams_due IS 'The orders that have not ended, by when they are due: few, however many there have been.';

CREATE TABLE saga.events (
    stream text COLLATE "C" NOT NULL REFERENCES saga.streams,
    version bigint NOT NULL CHECK (version >= 1),
    event_type text NOT NULL,
    data json NOT NULL CHECK (json_typeof(data) = 'object'),
    cause uuid NOT NULL,
    at timestamptz(3) NOT NULL,
    recorded_at timestamptz(3) NOT NULL,
    PRIMARY KEY (stream, version)
);
COMMENT ON TABLE saga.events IS 'What happened to each order, in order. Only ever appended to.';
COMMENT ON COLUMN saga.events.stream IS 'The order''s id.';
COMMENT ON COLUMN saga.events.version IS 'The event''s place in its stream: 1 for the first.';
COMMENT ON COLUMN saga.events.event_type IS 'What kind of event it is.';
COMMENT ON COLUMN saga.events.data IS 'What it says. json, not jsonb: that keeps every byte as it was given, and is checked all the same.';
COMMENT ON COLUMN saga.events.cause IS 'The id of the event that led to it.';
COMMENT ON COLUMN saga.events.at IS 'When it happened: a time of the records, never a clock''s.';
COMMENT ON COLUMN saga.events.recorded_at IS 'When it was stored, by the clock of the service that did.';
