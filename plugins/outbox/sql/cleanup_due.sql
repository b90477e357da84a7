-- Delivered long enough ago. Kept: a row that a dead letter still names (the foreign key needs it), and one
-- that Summa lost (processed after a failure whose error stands in it): it was never delivered.
-- $1 retention, $2 and $3 processed_at and id of the row behind which to begin ($3 NULL: from $2 on), $4 limit.
SELECT o.id::text AS id, o.processed_at FROM outbox o
WHERE o.processed_at < clock_timestamp() - make_interval(secs => $1::float8 / 1000000)
  AND o.processed_at >= $2 AND (o.processed_at > $2 OR $3::uuid IS NULL OR o.id > $3::uuid)
  AND o.status = 'processed' AND o.last_error IS NULL
  AND NOT EXISTS (SELECT FROM dead_letter_queue d WHERE d.outbox_id = o.id)
ORDER BY o.processed_at, o.id
LIMIT $4
