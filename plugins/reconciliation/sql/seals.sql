SELECT s.block_id::text, s.block_sequence, s.block_hash, s.content_hash, s.positions::text,
       b.block_hash::text AS block_hash_now, b.events_hash::text, b.from_event_sequence::bigint,
       b.to_event_sequence::bigint
FROM summa_host.block_seal s LEFT JOIN block_checkpoint b ON b.id = s.block_id
WHERE s.block_sequence > $1 ORDER BY s.block_sequence LIMIT $2
