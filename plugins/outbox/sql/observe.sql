-- See summa_host.outbox_observed. $1 lower bound of created_at of waiting rows and $2 of the others, $3 sink,
-- $4 topics to leave out, $5 limit, $6 careful.
SELECT id, topic, payload, created_at, retry_count::bigint, key, event_position AS position, correlation_id
FROM summa_host.outbox_observed($1, $2, $3, $4, $5, $6)
