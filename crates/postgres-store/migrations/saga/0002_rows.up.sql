CREATE TABLE saga.rows (
    -- By bytes: rows are locked in the order in which the program sorts them.
    table_name text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (table_name, key)
);
COMMENT ON TABLE saga.rows IS 'What the participants keep, such as stock and payments: rows that are changed together, or not at all.';
COMMENT ON COLUMN saga.rows.table_name IS 'The kind of row, such as stock.';
COMMENT ON COLUMN saga.rows.key IS 'Which of them, such as a product.';
COMMENT ON COLUMN saga.rows.value IS 'What stands there; only the service that owns the row knows its form.';
