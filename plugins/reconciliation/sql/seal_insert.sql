INSERT INTO summa_host.block_seal (block_id, block_sequence, block_hash, positions, content_hash)
VALUES ($1::uuid, $2, $3, $4::int8multirange, $5)
