-- Marks those of the rows that every sink has. What outbox_sent says of them is no longer needed, unless rows
-- are still looked at whatever their status. $1 ids, $2 sinks, $3 keep.
WITH complete AS (
  UPDATE outbox o
  SET status = 'processed', processed_at = clock_timestamp(), last_error = NULL
  WHERE o.id = ANY ($1) AND (o.status = 'pending' AND o.processed_at IS NULL) IS TRUE
    AND (SELECT count(*) FROM summa_host.outbox_sent sent
         WHERE sent.outbox_id = o.id AND sent.sink = ANY ($2) AND sent.error IS NULL)
        = cardinality($2::text[])
  RETURNING o.id
), forgotten AS (
  DELETE FROM summa_host.outbox_sent sent USING complete
  WHERE NOT $3 AND sent.outbox_id = complete.id
)
SELECT count(*) FROM complete
