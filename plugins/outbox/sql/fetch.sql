-- The rows of one page of the backlog; what was marked meanwhile is left out.
SELECT o.id, o.topic, d.document::text, o.created_at, o.retry_count,
       summa_host.outbox_key(d.document, o.id)
FROM unnest($1) WITH ORDINALITY AS page (id, place)
JOIN outbox o ON o.id = page.id
CROSS JOIN LATERAL (SELECT summa_host.outbox_document(o.payload) AS document OFFSET 0) d
WHERE (o.status = 'pending' AND o.processed_at IS NULL) IS TRUE
ORDER BY page.place
