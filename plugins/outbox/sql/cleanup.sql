-- The rows that cleanup_due found, unless another transaction, such as a redrive, has changed them since or is
-- working with them. $1 retention, $2 ids.
WITH free AS MATERIALIZED (
  SELECT id FROM outbox
  WHERE id = ANY ($2::text[]::uuid[])
    AND (status = 'processed' AND last_error IS NULL
         AND processed_at < clock_timestamp() - make_interval(secs => $1::float8 / 1000000)) IS TRUE
  FOR UPDATE SKIP LOCKED)
DELETE FROM outbox o USING free WHERE o.id = free.id
