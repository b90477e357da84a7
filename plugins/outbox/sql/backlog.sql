-- A backlog that does not fit one read: the ids of ALL waiting rows in one snapshot, sorted by position on
-- the server. A cut by created_at would turn accounts round (it is the start of a transaction, not its
-- place in the ledger). WITH HOLD keeps the list in the server's temporary files and lets the snapshot go.
-- $1 lanes and $2 topics to leave out, $3 the one stream of all topics or NULL, $4 careful.
DECLARE summa_backlog NO SCROLL CURSOR WITH HOLD FOR
SELECT o.id, e.event_position, e.event_correlation_id::text
FROM (
  SELECT w.id, w.event_id, w.topic, w.created_at, d.document
  FROM outbox w
  CROSS JOIN LATERAL (SELECT summa_host.outbox_document(w.payload) AS document OFFSET 0) d
  CROSS JOIN LATERAL (SELECT summa_host.outbox_key(d.document, w.id) AS key OFFSET 0) k
  WHERE w.status = 'pending' AND (w.processed_at IS NULL) IS TRUE
    -- With nothing to leave out the planner drops the whole condition, and with it the key of every row.
    AND ($1 = '{}' OR COALESCE($3, w.topic) || chr(31) || k.key <> ALL ($1))
    AND ($2 = '{}' OR w.topic <> ALL ($2))
) o
LEFT JOIN LATERAL
  summa_host.outbox_event(o.event_id, o.topic, o.document, o.created_at, $4) e ON true
ORDER BY e.event_position, o.created_at, o.id
