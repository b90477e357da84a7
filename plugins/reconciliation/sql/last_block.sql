SELECT id::text, block_hash::text, block_sequence::bigint, to_event_sequence::bigint FROM block_checkpoint
ORDER BY block_sequence DESC LIMIT 1
