-- Delivered long enough ago. A row that a dead letter still names stays: the foreign key needs it.
DELETE FROM outbox
WHERE id IN (
  SELECT o.id FROM outbox o
  WHERE o.processed_at < clock_timestamp() - make_interval(secs => $1::float8 / 1000000)
    AND o.status = 'processed'
    AND NOT EXISTS (SELECT FROM dead_letter_queue d WHERE d.outbox_id = o.id)
  ORDER BY o.processed_at
  LIMIT 5000)
