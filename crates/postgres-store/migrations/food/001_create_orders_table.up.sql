-- The schema is there already: the table that counts these steps, food.migrations, stands in it, too.
COMMENT ON SCHEMA food IS 'Food orders, as their consumers stored them. Written by orderflow alone.';
COMMENT ON TABLE food.migrations IS 'Which steps of crates/postgres-store/migrations/food were applied, and when.';

CREATE TABLE food.orders (
    -- The primary key is what makes an order that comes again the same order: a second row of that id is refused by its index.
    -- By bytes, as the program sorts ids before it stores them, so that two who store the same ones never wait for each other.
    order_id text COLLATE "C" PRIMARY KEY,
    customer_id text NOT NULL,
    items jsonb NOT NULL CHECK (jsonb_typeof(items) = 'array'),
    -- A decimal, never a float: amounts add up to the cent.
    total_amount numeric(13, 2) NOT NULL CHECK (total_amount > 0),
    status text NOT NULL,
    created_at timestamptz(3) NOT NULL,
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

-- The key has an index of its own; this one is for questions such as: what was ordered in the last hour?
CREATE INDEX orders_created_at ON food.orders (created_at);
COMMENT ON INDEX food.orders_created_at IS 'Orders by time.';
