-- The rows that cleanup_due found, unless another transaction, such as a redrive, has changed them since.
-- $1 retention, $2 ids.
DELETE FROM outbox
WHERE id = ANY ($2)
  AND (status = 'processed' AND last_error IS NULL
       AND processed_at < clock_timestamp() - make_interval(secs => $1::float8 / 1000000)) IS TRUE
