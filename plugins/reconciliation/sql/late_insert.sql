INSERT INTO summa_host.late_event (position, event_id, event_hash, content_hash, block_sequence)
SELECT $1, $2::uuid, $3, $4,
       (SELECT min(block_sequence) FROM block_checkpoint WHERE to_event_sequence >= $1)
ON CONFLICT DO NOTHING
