-- The table of food orders, by hand, and questions to it.
--
-- Nobody needs this file to run anything: food_consumer makes the same table when it starts, from migrations/food, and makes it up to date
-- later. It is for two cases. One is to read: what stands where, and how it is asked. The other is a database where services may create
-- nothing: its administrator runs this once, and gives the service's user the rights below.
--
--   createdb orderflow
--   psql orderflow --set ON_ERROR_STOP=1 --file crates/postgres-store/init.sql
--
-- All or nothing, and a second time changes nothing. To take it back: DROP SCHEMA food CASCADE; with all orders.

BEGIN;

CREATE SCHEMA IF NOT EXISTS food;
COMMENT ON SCHEMA food IS 'Food orders, as their consumers stored them. Written by orderflow alone.';

-- One row an order. An order that comes again finds its row and changes nothing: so each is stored once, however often Kafka delivers it.
CREATE TABLE IF NOT EXISTS food.orders (
    -- Such as ORD-20260101-00042. The primary key refuses a second row of that id, and is the index by which an order is found. "C" compares
    -- bytes, as the program sorts ids before it stores them, so that two who store the same ones never wait for each other.
    order_id text COLLATE "C" PRIMARY KEY,
    -- Such as CUST-00042: the key of the order's record in Kafka, so that one customer's orders stand in one partition, in their order.
    customer_id text NOT NULL,
    -- [{"name": "Margherita", "quantity": 2, "price": 8.50}, ..]. jsonb, not json: it is kept parsed, and can be asked and indexed.
    items jsonb NOT NULL CHECK (jsonb_typeof(items) = 'array'),
    -- A decimal, never a float: amounts add up to the cent.
    total_amount numeric(13, 2) NOT NULL CHECK (total_amount > 0),
    -- pending: how far the order was when it was sent.
    status text NOT NULL,
    -- When it was ordered, by the producer's clock. timestamptz is a moment; how it is shown depends on who asks.
    created_at timestamptz(3) NOT NULL,
    -- When it was stored, by the database's clock. now() is the beginning of the transaction: all orders of a batch have the same one.
    processed_at timestamptz(3) NOT NULL DEFAULT now()
);
COMMENT ON TABLE food.orders IS 'One row an order, stored before its offset is committed: so none is lost, and the key keeps it from being stored twice.';
COMMENT ON COLUMN food.orders.order_id IS 'The order, such as ORD-20260101-00042.';
COMMENT ON COLUMN food.orders.customer_id IS 'Who ordered, such as CUST-00042: the key of its record in Kafka.';
COMMENT ON COLUMN food.orders.items IS 'What was ordered: a list of objects with name, quantity and price.';
COMMENT ON COLUMN food.orders.total_amount IS 'What the customer pays.';
COMMENT ON COLUMN food.orders.status IS 'How far the order was when it was sent.';
COMMENT ON COLUMN food.orders.created_at IS 'When it was ordered: a time of the producer.';
COMMENT ON COLUMN food.orders.processed_at IS 'When it was stored, by the clock of the database.';

-- For questions about a span of time. order_id has its index by the primary key. No other column has one: each index is written with each order.
CREATE INDEX IF NOT EXISTS orders_created_at ON food.orders (created_at);
COMMENT ON INDEX food.orders_created_at IS 'Orders by time.';

-- What the program has done to this schema, so that it does nothing twice. It is told that its first step is done; the sum is the SHA-384 of
-- migrations/food/001_create_orders_table.up.sql, by which it notices that somebody's step reads otherwise than its own.
CREATE TABLE IF NOT EXISTS food.migrations (
    version bigint PRIMARY KEY,
    description text NOT NULL,
    installed_on timestamptz NOT NULL DEFAULT now(),
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);
COMMENT ON TABLE food.migrations IS 'Which steps of crates/postgres-store/migrations/food were applied, and when.';
INSERT INTO food.migrations (version, description, success, checksum, execution_time)
VALUES (1, '001_create_orders_table', true,
    '\x424ed24b5c3f082e2b659e2fa760f66ef0febbe3069f0877c579121ec0121c34c6c7c8141b8cb2a3a205ff7308235827', 0)
ON CONFLICT DO NOTHING;

COMMIT;

-- What a service's user needs where it does not own the schema:
--
--   CREATE ROLE food_consumer LOGIN PASSWORD '...';
--   GRANT USAGE ON SCHEMA food TO food_consumer;
--   GRANT SELECT ON food.migrations TO food_consumer;
--   GRANT SELECT, INSERT ON food.orders TO food_consumer;

-- Questions, each with what it is for. They read only.

-- How many orders there are, and whether they still come in.
SELECT count(*) AS orders, max(created_at) AS last_ordered, max(processed_at) AS last_stored FROM food.orders;

-- One order, by its primary key.
SELECT * FROM food.orders WHERE order_id = 'ORD-20260101-00042';

-- The last ten orders. The index on created_at answers it without reading the others.
SELECT order_id, customer_id, total_amount, created_at FROM food.orders ORDER BY created_at DESC LIMIT 10;

-- What was ordered in the last hour, by the same index.
SELECT count(*) AS orders, sum(total_amount) AS amount FROM food.orders WHERE created_at > now() - interval '1 hour';

-- Orders and amounts by day.
SELECT date_trunc('day', created_at) AS day, count(*) AS orders, sum(total_amount) AS amount, round(avg(total_amount), 2) AS average
FROM food.orders GROUP BY day ORDER BY day;

-- The ten best customers.
SELECT customer_id, count(*) AS orders, sum(total_amount) AS amount
FROM food.orders GROUP BY customer_id ORDER BY amount DESC, customer_id LIMIT 10;

-- The dishes, by pieces: each order's list of items becomes rows.
SELECT item ->> 'name' AS dish, sum((item ->> 'quantity')::integer) AS pieces,
    sum((item ->> 'quantity')::integer * (item ->> 'price')::numeric) AS amount
FROM food.orders CROSS JOIN LATERAL jsonb_array_elements(items) AS item
GROUP BY dish ORDER BY pieces DESC, dish;

-- Orders with a certain dish. @> asks whether the list contains such an item; it reads every row, unless there is an index for it:
-- CREATE INDEX ON food.orders USING gin (items jsonb_path_ops).
SELECT order_id, items FROM food.orders WHERE items @> '[{"name": "Tiramisu"}]' ORDER BY order_id LIMIT 10;

-- How long orders waited for their row: from the order to the transaction that stored it. Two clocks: producer's and database's.
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY processed_at - created_at) AS half,
    percentile_disc(0.99) WITHIN GROUP (ORDER BY processed_at - created_at) AS nearly_all, max(processed_at - created_at) AS longest
FROM food.orders;

-- How large the consumer's batches were: one transaction a batch, and all of its rows have one processed_at.
SELECT processed_at, count(*) AS orders FROM food.orders GROUP BY processed_at ORDER BY processed_at DESC LIMIT 10;

-- Whether an id was stored twice: none can be, so this never has a row.
SELECT order_id FROM food.orders GROUP BY order_id HAVING count(*) > 1;

-- What it takes of the disk, with its indexes.
SELECT pg_size_pretty(pg_table_size('food.orders')) AS rows, pg_size_pretty(pg_indexes_size('food.orders')) AS indexes;
