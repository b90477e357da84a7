INSERT INTO summa_host.outbox_blocked_key (stream, key, outbox_id, topic, error)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (stream, key) DO NOTHING
