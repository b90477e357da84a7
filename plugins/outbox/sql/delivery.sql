-- $1 sink, $2 we mark the rows.
WITH state AS (
  INSERT INTO summa_host.outbox_state AS s (id, own_since, last_delivered_at)
  VALUES (1, CASE WHEN $2 THEN clock_timestamp() END, clock_timestamp())
  ON CONFLICT (id) DO UPDATE SET last_delivered_at = excluded.last_delivered_at,
    own_since = COALESCE(s.own_since, excluded.own_since)
)
INSERT INTO summa_host.outbox_sink AS s (sink, own_since, last_delivered_at)
VALUES ($1, CASE WHEN $2 THEN clock_timestamp() END, clock_timestamp())
ON CONFLICT (sink) DO UPDATE SET last_delivered_at = excluded.last_delivered_at,
  own_since = COALESCE(s.own_since, excluded.own_since)
