-- What does not add up between how the orders ended, what the gateway moved, what the warehouse has and what the mailer sent: a line each, none
-- where all is well. `pieces` is how many of a product there were at first, of those that were in stock at all. How the services write their rows
-- down is their own (crates/order-saga): this is read by other eyes.

WITH
  ends AS (
    SELECT streams.stream, array_remove(array_agg(event_type), NULL) AS ends
    FROM saga.streams
    LEFT JOIN saga.events ON events.stream = streams.stream AND event_type IN ('completed', 'failed')
    GROUP BY streams.stream
  ),
  completed AS (SELECT stream FROM ends WHERE ends = '{completed}'),
  ordered AS (
    SELECT stream, item ->> 'product_id' AS product, (item ->> 'quantity')::bigint AS quantity
    FROM saga.events, json_array_elements(data -> 'items') AS item
    WHERE event_type = 'began'
  ),
  sold AS (SELECT product, sum(quantity) AS quantity FROM ordered JOIN completed USING (stream) GROUP BY product),
  stock AS (SELECT key AS product, split_part(value, ' of ', 1)::bigint AS level FROM saga.rows WHERE table_name = 'stock'),
  reserved AS (SELECT key AS stream FROM saga.rows WHERE table_name = 'reservations' AND value = 'reserved'),
  accounts AS (
    SELECT key AS payment, words[1] AS standing, words[2]::int AS charges, words[3]::int AS refunds
    FROM saga.rows, string_to_array(value, ' ') AS words
    WHERE table_name = 'gateway_accounts'
  ),
  emails AS (
    SELECT split_part(value, ' ', 1) AS stream, count(*) AS sent FROM saga.rows WHERE table_name = 'mailer_sent' GROUP BY 1
  ),
  numbers AS (
    SELECT
      (SELECT count(*) FROM ends) AS orders,
      (SELECT count(*) FROM completed) AS completed,
      (SELECT count(*) FROM accounts) AS accounts,
      (SELECT count(*) FROM accounts WHERE standing = 'charged') AS charged
  )
SELECT format('order %s ended %s times: %s', stream, cardinality(ends), ends) FROM ends WHERE cardinality(ends) <> 1
UNION ALL
SELECT format('%s orders, and %s accounts', orders, accounts) FROM numbers WHERE orders <> accounts
UNION ALL
SELECT format('%s orders completed, and %s accounts charged', completed, charged) FROM numbers WHERE completed <> charged
UNION ALL
SELECT format('account %s is %s, charged %s times and refunded %s times', payment, standing, charges, refunds)
FROM accounts
WHERE charges > 1 OR charges - refunds <> CASE standing WHEN 'charged' THEN 1 ELSE 0 END
UNION ALL
SELECT format('order %s completed and holds nothing', stream) FROM completed WHERE stream NOT IN (SELECT stream FROM reserved)
UNION ALL
SELECT format('order %s did not complete and holds its pieces', stream) FROM reserved WHERE stream NOT IN (SELECT stream FROM completed)
UNION ALL
SELECT format('product %s: %s pieces left of %s, and %s sold', product, level, :pieces, coalesce(quantity, 0))
FROM stock FULL JOIN sold USING (product)
WHERE level IS DISTINCT FROM :pieces - coalesce(quantity, 0)
UNION ALL
SELECT format('order %s: %s e-mails', stream, coalesce(sent, 0)) FROM ends FULL JOIN emails USING (stream) WHERE coalesce(sent, 0) <> 1 OR ends IS NULL;
