-- Waiting rows that every sink has already, as when one sink is no longer asked for or the host died between
-- its two. $1 sinks, $2 limit.
SELECT o.id
FROM outbox o
WHERE EXISTS (SELECT FROM summa_host.outbox_sent)
  AND o.status = 'pending' AND (o.processed_at IS NULL) IS TRUE
  AND (SELECT count(*) FROM summa_host.outbox_sent sent
       WHERE sent.outbox_id = o.id AND sent.sink = ANY ($1) AND sent.error IS NULL)
      = cardinality($1::text[])
LIMIT $2
