INSERT INTO summa_host.outbox_sent (sink, outbox_id) SELECT $1, unnest($2::uuid[])
ON CONFLICT (sink, outbox_id) DO UPDATE SET sent_at = excluded.sent_at, error = NULL
