-- A backlog that does not fit one read: the ids of ALL waiting rows in one snapshot, sorted by position on
-- the server. A cut by created_at would turn accounts round (it is the start of a transaction, not its
-- place in the ledger). WITH HOLD keeps the list in the server's temporary files and lets the snapshot go.
-- $1 sink, $2 topics to leave out, $3 careful, $4 leave out what outbox_sent names.
DECLARE summa_backlog NO SCROLL CURSOR WITH HOLD FOR
SELECT o.id, e.event_position AS position, e.event_correlation_id::text AS correlation_id
FROM (
  SELECT w.id, w.event_id, w.topic, w.created_at, d.document
  FROM outbox w
  CROSS JOIN LATERAL (SELECT summa_host.outbox_document(w.payload) AS document OFFSET 0) d
  WHERE w.status = 'pending' AND (w.processed_at IS NULL) IS TRUE
    -- With nothing to leave out the planner drops these conditions.
    AND ($2 = '{}' OR w.topic <> ALL ($2))
    AND NOT EXISTS (SELECT FROM summa_host.outbox_waiting waiting
                    WHERE waiting.sink = $1 AND waiting.outbox_id = w.id)
    AND NOT EXISTS (SELECT FROM summa_host.outbox_sent sent
                    WHERE $4 AND sent.sink = $1 AND sent.outbox_id = w.id AND sent.error IS NULL)
) o
LEFT JOIN LATERAL
  summa_host.outbox_event(o.event_id, o.topic, o.document, o.created_at, $3) e ON true
ORDER BY e.event_position, o.created_at, o.id
