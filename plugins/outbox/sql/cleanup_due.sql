-- Delivered long enough ago. Kept: a row that a dead letter still names (the foreign key needs it), and one
-- that Summa lost (processed after a failure whose error stands in it): it was never delivered.
-- $1 retention, $2 limit, $3 ids that are left out.
SELECT o.id FROM outbox o
WHERE o.processed_at < clock_timestamp() - make_interval(secs => $1::float8 / 1000000)
  AND o.status = 'processed' AND o.last_error IS NULL
  AND NOT EXISTS (SELECT FROM dead_letter_queue d WHERE d.outbox_id = o.id)
  AND o.id <> ALL ($3)
ORDER BY o.processed_at
LIMIT $2
