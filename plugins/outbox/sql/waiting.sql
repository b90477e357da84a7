-- The first rows of each lane that may go on, and whether the row is still to be sent. $1 sink, $2 streams and
-- $3 keys of the lanes, $4 rows of each, $5 whatever their status, $6 ask outbox_sent.
SELECT w.outbox_id AS id, o.topic::text, d.document::text AS payload, o.created_at,
       CASE WHEN $5 THEN w.attempts ELSE o.retry_count END::bigint AS retry_count, w.key, w.position,
       w.correlation_id, w.redriven,
       o.id IS NOT NULL
       AND ($5 OR (o.status = 'pending' AND o.processed_at IS NULL) IS TRUE)
       AND (NOT $6 OR NOT EXISTS (
              SELECT FROM summa_host.outbox_sent sent
              WHERE sent.sink = $1 AND sent.outbox_id = w.outbox_id AND sent.error IS NULL OFFSET 0)) AS to_send,
       w.stream
FROM unnest($2::text[], $3::text[]) AS lane (stream, key)
CROSS JOIN LATERAL (
  SELECT * FROM summa_host.outbox_waiting
  WHERE sink = $1 AND outbox_waiting.lane = md5(lane.stream || chr(31) || lane.key)::uuid
  ORDER BY outbox_waiting.lane, place, created_at, outbox_id
  LIMIT $4
) w
LEFT JOIN LATERAL (SELECT * FROM outbox WHERE outbox.id = w.outbox_id OFFSET 0) o ON true
CROSS JOIN LATERAL (SELECT summa_host.outbox_document(o.payload) AS document OFFSET 0) d
ORDER BY w.place, w.created_at, w.outbox_id
