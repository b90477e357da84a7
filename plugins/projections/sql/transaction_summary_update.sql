-- (SELECT $1): as in account_balance_update.sql.
UPDATE @table v SET
  status = n.status, refunded_amount = n.refunded, posted_at = n.posted_at, amount = n.amount,
  position = greatest(v.position, n.position),
  updated_at = greatest(v.updated_at, n.updated_at)
FROM (SELECT unnest((SELECT $1::uuid[])) AS id, unnest((SELECT $4::text[])) AS status,
             unnest((SELECT $5::bigint[])) AS amount, unnest((SELECT $11::bigint[])) AS refunded,
             unnest((SELECT $12::timestamptz[])) AS posted_at, unnest((SELECT $13::bigint[])) AS position,
             unnest((SELECT $14::timestamptz[])) AS updated_at) n
WHERE v.id = n.id
