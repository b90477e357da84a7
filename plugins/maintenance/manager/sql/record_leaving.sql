INSERT INTO summa_host.partition_record (parent, name, from_time, to_time, state, row_count, bytes, kept_count)
VALUES ($1, $2, $3, $4, 'detaching', $5, $6, $7)
ON CONFLICT (parent, name) DO UPDATE
SET from_time = excluded.from_time, to_time = excluded.to_time, state = excluded.state,
    row_count = excluded.row_count, bytes = excluded.bytes, kept_count = excluded.kept_count, location = NULL, sha256 = NULL,
    updated_at = clock_timestamp()
RETURNING id
