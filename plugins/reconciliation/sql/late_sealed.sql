SELECT position, event_id::text, event_hash, content_hash, coalesce(block_sequence, 0) AS block_sequence FROM summa_host.late_event
WHERE position > $1 ORDER BY position LIMIT $2
