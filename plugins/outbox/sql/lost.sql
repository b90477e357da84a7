-- Marked by Summa's processor after a failure, without having been sent.
SELECT o.id::text, o.topic::text, summa_host.outbox_key(summa_host.outbox_document(o.payload), o.id) AS key,
       o.last_error
FROM outbox o
WHERE o.status = 'processed' AND o.retry_count > 0 AND o.last_error IS NOT NULL
ORDER BY o.created_at, o.id
