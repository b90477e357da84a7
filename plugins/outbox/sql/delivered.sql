-- What we have marked in a time, by the database's clock: rows that the sinks must have. A page at a time.
-- $1 and $2 behind this time and id, $3 until, $4 limit.
SELECT o.id, o.topic::text, summa_host.outbox_key(summa_host.outbox_document(o.payload), o.id) AS key,
       o.processed_at AS at
FROM outbox o
WHERE o.processed_at >= $1 AND (o.processed_at, o.id) > ($1, $2) AND o.processed_at < $3
  AND o.status = 'processed' AND o.last_error IS NULL
ORDER BY o.processed_at, o.id
LIMIT $4
