-- A backlog that does not fit one read: the ids of ALL waiting rows in one snapshot, sorted by position on
-- the server. A cut by created_at would turn accounts round (it is the start of a transaction, not its
-- place in the ledger). WITH HOLD keeps the list in the server's temporary files and lets the snapshot go.
DECLARE summa_backlog NO SCROLL CURSOR WITH HOLD FOR
SELECT o.id, e.position, e.correlation_id::text AS correlation_id
FROM ({pending}) o
{event_position}
ORDER BY e.position, o.created_at, o.id
