SELECT
  (SELECT count(*) FROM outbox WHERE status = 'pending' AND (processed_at IS NULL) IS TRUE) AS pending,
  (SELECT extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE isfinite(created_at)))::float8
     FROM outbox WHERE status = 'pending' AND (processed_at IS NULL) IS TRUE) AS oldest_pending_age,
  (SELECT count(*) FROM outbox WHERE status = 'processed') AS processed,
  (SELECT count(*) FROM outbox WHERE status = 'failed') AS failed,
  (SELECT count(*) FROM dead_letter_queue WHERE resolved_at IS NULL) AS dead_letters,
  (SELECT count(*) FROM summa_host.outbox_blocked_key) AS blocked_keys,
  (SELECT to_char(last_delivered_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
     FROM summa_host.outbox_state) AS last_delivered_at
