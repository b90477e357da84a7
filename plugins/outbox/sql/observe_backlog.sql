-- The backlog while Summa's own processor keeps the rows; see backlog.sql and summa_host.outbox_observed.
-- $1 sink, $2 topics to leave out, $3 careful, $4 lower bound of created_at of rows that are not pending.
DECLARE summa_backlog NO SCROLL CURSOR WITH HOLD FOR
SELECT o.id, e.event_position AS position, e.event_correlation_id::text AS correlation_id
FROM (
  SELECT w.id, w.event_id, w.topic, w.created_at, d.document
  FROM outbox w
  CROSS JOIN LATERAL (SELECT summa_host.outbox_document(w.payload) AS document OFFSET 0) d
  WHERE (w.status = 'pending' OR w.created_at >= $4)
    AND ($2 = '{}' OR w.topic <> ALL ($2))
    AND NOT EXISTS (SELECT FROM summa_host.outbox_waiting waiting
                    WHERE waiting.sink = $1 AND waiting.outbox_id = w.id)
    AND NOT EXISTS (SELECT FROM summa_host.outbox_sent sent
                    WHERE sent.sink = $1 AND sent.outbox_id = w.id)
) o
LEFT JOIN LATERAL
  summa_host.outbox_event(o.event_id, o.topic, o.document, o.created_at, $3) e ON true
ORDER BY e.event_position, o.created_at, o.id
