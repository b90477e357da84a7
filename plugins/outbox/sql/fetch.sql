-- The rows of one page of the backlog; what was marked meanwhile is left out.
SELECT o.id, o.topic, COALESCE(d.document, o.payload)::text AS payload, o.created_at, o.retry_count,
       COALESCE(d.document ->> 'accountId', d.document ->> 'holdId',
                d.document ->> 'transactionId', o.id::text) AS key
FROM unnest($1) WITH ORDINALITY AS page (id, place)
JOIN outbox o ON o.id = page.id
CROSS JOIN LATERAL (
  SELECT CASE jsonb_typeof(o.payload)
           WHEN 'string' THEN summa_host.try_jsonb(o.payload #>> '{}')
           ELSE o.payload
         END AS document
) d
WHERE o.status = 'pending' AND o.processed_at IS NULL
ORDER BY page.place
