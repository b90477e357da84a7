SELECT coalesce(max(block_sequence), 0)::bigint FROM block_checkpoint WHERE block_at < $1
