-- What does not add up in the table of food orders, `orders` of which were placed: a line each, none where all is well. The audit holds the table
-- against its topic; this is read by other eyes.

WITH
  stored AS (
    SELECT
      order_id,
      split_part(order_id, '-', 3)::bigint AS number,
      total_amount,
      (SELECT sum((item ->> 'quantity')::int * (item ->> 'price')::numeric) FROM jsonb_array_elements(items) AS item) AS price
    FROM food.orders
  ),
  numbers AS (SELECT count(*) AS orders, count(DISTINCT number) AS numbers, min(number) AS first, max(number) AS last FROM stored)
SELECT format('%s orders of %s', orders, :orders) FROM numbers WHERE orders <> :orders
UNION ALL
SELECT format('%s orders have %s numbers, from %s to %s', orders, numbers, first, last)
FROM numbers
WHERE orders <> numbers OR orders <> last - first + 1
UNION ALL
SELECT format('order %s: %s is paid for %s', order_id, total_amount, price) FROM stored WHERE total_amount IS DISTINCT FROM price;
