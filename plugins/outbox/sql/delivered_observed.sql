-- The same of rows that Summa's processor keeps: what outbox_sent says the sink has. $5 sink.
SELECT sent.outbox_id AS id, o.topic::text, summa_host.outbox_key(summa_host.outbox_document(o.payload), o.id) AS key,
       sent.sent_at AS at
FROM summa_host.outbox_sent sent
JOIN outbox o ON o.id = sent.outbox_id
WHERE sent.sent_at >= $1 AND (sent.sent_at, sent.outbox_id) > ($1, $2) AND sent.sent_at < $3
  AND sent.sink = $5 AND sent.error IS NULL AND NOT sent.history
ORDER BY sent.sent_at, sent.outbox_id
LIMIT $4
