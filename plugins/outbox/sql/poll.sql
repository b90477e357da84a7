-- See summa_host.outbox_tail. $1 lower bound of created_at, $2 sink, $3 topics to leave out, $4 limit,
-- $5 careful, $6 leave out what outbox_sent names.
SELECT id, topic, payload, created_at, retry_count::bigint, key, event_position AS position, correlation_id
FROM summa_host.outbox_tail($1, $2, $3, $4, $5, $6)
