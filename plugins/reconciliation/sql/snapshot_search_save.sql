INSERT INTO summa_host.snapshot_search (id, position, after_events) VALUES (1, $1, $2)
ON CONFLICT (id) DO UPDATE SET position = excluded.position, after_events = excluded.after_events
