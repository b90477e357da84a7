-- The sink will never have it; its key goes on without it.
INSERT INTO summa_host.outbox_sent (sink, outbox_id, error) VALUES ($1, $2, $3)
ON CONFLICT (sink, outbox_id) DO UPDATE SET sent_at = excluded.sent_at, error = excluded.error
