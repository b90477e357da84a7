-- Marked by Summa's processor after a failure, without having been sent.
SELECT o.id::text, o.topic, summa_host.outbox_key(summa_host.outbox_document(o.payload), o.id),
       o.last_error
FROM outbox o
WHERE o.status = 'processed' AND o.retry_count > 0 AND o.last_error IS NOT NULL
ORDER BY o.created_at, o.id
