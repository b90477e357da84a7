-- Only as the successor of the block it was made for.
INSERT INTO block_checkpoint (from_event_sequence, to_event_sequence, event_count, events_hash, block_hash,
                              prev_block_id, prev_block_hash)
SELECT $1, $2, $3::bigint, $4, $5, $6::uuid, $7
WHERE NOT EXISTS (SELECT FROM block_checkpoint WHERE block_sequence > $8)
RETURNING id::text, block_sequence::bigint
