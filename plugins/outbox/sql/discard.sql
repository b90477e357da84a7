-- The keys go on without these rows. $1 ids of outbox rows, $2 by whom.
WITH resolved AS (
  UPDATE dead_letter_queue SET resolved_at = clock_timestamp(), resolved_by = $2
  WHERE outbox_id = ANY ($1) AND resolved_at IS NULL
  RETURNING outbox_id
), unblocked AS (
  DELETE FROM summa_host.outbox_blocked_key WHERE outbox_id = ANY ($1) RETURNING outbox_id
), removed AS (
  DELETE FROM summa_host.outbox_waiting w USING unblocked u WHERE w.outbox_id = u.outbox_id
  RETURNING w.sink, w.outbox_id
), given_up AS (
  INSERT INTO summa_host.outbox_sent (sink, outbox_id, error)
  SELECT sink, outbox_id, 'discarded' FROM removed
  ON CONFLICT (sink, outbox_id) DO UPDATE SET error = excluded.error
), forgotten AS (
  UPDATE summa_host.outbox_sent SET error = 'discarded'
  WHERE outbox_id = ANY ($1) AND error IS NOT NULL AND error <> 'discarded'
    AND NOT EXISTS (SELECT FROM removed WHERE removed.outbox_id = outbox_sent.outbox_id)
  RETURNING outbox_id
)
SELECT count(*) FROM (SELECT outbox_id FROM resolved UNION SELECT outbox_id FROM unblocked
                      UNION SELECT outbox_id FROM forgotten) discarded
