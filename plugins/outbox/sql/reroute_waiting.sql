-- $1 sink, $2 the one stream of all topics or NULL.
UPDATE summa_host.outbox_waiting w
SET stream = COALESCE($2::text, o.topic)
FROM outbox o
WHERE w.sink = $1 AND o.id = w.outbox_id AND w.stream <> COALESCE($2::text, o.topic)
