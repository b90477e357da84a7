-- The same row again, with its identity: no copy, no new id.
WITH row AS (
  UPDATE outbox
  SET status = 'pending', processed_at = NULL, retry_count = 0, last_error = NULL
  WHERE id = $1
  RETURNING id
), resolved AS (
  UPDATE dead_letter_queue
  SET resolved_at = clock_timestamp(), resolved_by = 'summa-host outbox redrive'
  WHERE outbox_id IN (SELECT id FROM row) AND resolved_at IS NULL
), unblocked AS (
  DELETE FROM summa_host.outbox_blocked_key WHERE outbox_id IN (SELECT id FROM row)
)
SELECT count(*) FROM row
