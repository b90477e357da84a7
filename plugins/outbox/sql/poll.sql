-- See summa_host.outbox_poll. $1 lower bound of created_at, $2 lanes and $3 topics to leave out, $4 the one
-- stream of all topics or NULL, $5 limit, $6 careful.
SELECT id, topic, payload, created_at, retry_count, key, event_position, correlation_id
FROM summa_host.outbox_poll($1, $2, $3, $4, $5, $6)
