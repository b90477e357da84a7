SELECT id::text, block_hash::text, block_sequence, to_event_sequence FROM block_checkpoint
ORDER BY block_sequence DESC LIMIT 1
