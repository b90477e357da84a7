-- The rows of one page of the backlog; what was marked or sent meanwhile is left out. $2: the status of a row
-- says nothing, since another processor keeps it.
SELECT o.id, o.topic::text, d.document::text AS payload, o.created_at,
       CASE WHEN $2 THEN 0 ELSE o.retry_count END::bigint AS retry_count,
       summa_host.outbox_key(d.document, o.id) AS key
FROM unnest($1) WITH ORDINALITY AS page (id, place)
-- OFFSET 0: by id, one by one. With stale statistics the planner read the table first and the page for
-- each of its rows.
CROSS JOIN LATERAL (SELECT * FROM outbox WHERE outbox.id = page.id OFFSET 0) o
CROSS JOIN LATERAL (SELECT summa_host.outbox_document(o.payload) AS document OFFSET 0) d
WHERE ($2 OR (o.status = 'pending' AND o.processed_at IS NULL) IS TRUE)
ORDER BY page.place
