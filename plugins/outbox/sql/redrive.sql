-- The same rows again, with their identity: no copy, no new id. One that blocked its key goes first in it; any
-- other goes to the tail, behind what waits. $1 ids, $2 sinks, $3 by whom, $4 the status of the rows is Summa's
-- to keep, $5 the one stream of all topics or NULL.
WITH item AS (
  SELECT o.id, o.status, o.topic, o.created_at, o.event_id, d.document
  FROM outbox o
  CROSS JOIN LATERAL (SELECT summa_host.outbox_document(o.payload) AS document OFFSET 0) d
  WHERE o.id = ANY ($1)
  ORDER BY o.id
  FOR UPDATE OF o
), reset AS (
  UPDATE outbox o
  SET status = 'pending', processed_at = NULL, retry_count = 0, last_error = NULL
  FROM item WHERE NOT $4 AND o.id = item.id
), resolved AS (
  UPDATE dead_letter_queue d
  SET resolved_at = clock_timestamp(), resolved_by = $3
  FROM item WHERE d.outbox_id = item.id AND d.resolved_at IS NULL
), unblocked AS (
  DELETE FROM summa_host.outbox_blocked_key b USING item WHERE b.outbox_id = item.id
  RETURNING b.outbox_id
), forgotten AS (
  -- A dead letter is sent only to the sinks that lack it; a row that was delivered to all.
  DELETE FROM summa_host.outbox_sent sent USING item
  WHERE sent.outbox_id = item.id AND (item.status <> 'failed' OR sent.error IS NOT NULL)
), waiting AS (
  INSERT INTO summa_host.outbox_waiting
    (sink, outbox_id, stream, key, place, created_at, position, correlation_id, redriven)
  SELECT sink, item.id, COALESCE($5::text, item.topic), summa_host.outbox_key(item.document, item.id),
         CASE WHEN u.outbox_id IS NULL THEN 9223372036854775807 ELSE -9223372036854775808 END,
         item.created_at, e.event_position, e.event_correlation_id::text, u.outbox_id IS NULL
  FROM item
  CROSS JOIN unnest($2::text[]) sink
  LEFT JOIN unblocked u ON u.outbox_id = item.id
  LEFT JOIN LATERAL summa_host.outbox_event(item.event_id, item.topic, item.document,
                                            item.created_at, true) e ON true
  ON CONFLICT (sink, outbox_id) DO UPDATE
  SET attempts = 0, place = excluded.place, redriven = excluded.redriven
)
SELECT count(*) FROM item
