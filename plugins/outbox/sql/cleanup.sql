-- Delivered long enough ago. Kept: a row that a dead letter still names (the foreign key needs it), and one
-- that Summa lost (processed after a failure whose error stands in it): it was never delivered. The
-- conditions stand twice because only those on the target itself are checked again when another transaction,
-- such as a redrive, has just changed the row.
DELETE FROM outbox target
WHERE target.id IN (
  SELECT o.id FROM outbox o
  WHERE o.processed_at < clock_timestamp() - make_interval(secs => $1::float8 / 1000000)
    AND o.status = 'processed' AND o.last_error IS NULL
    AND NOT EXISTS (SELECT FROM dead_letter_queue d WHERE d.outbox_id = o.id)
  ORDER BY o.processed_at
  LIMIT $2)
  AND (target.status = 'processed'
       AND target.processed_at < clock_timestamp() - make_interval(secs => $1::float8 / 1000000)) IS TRUE
