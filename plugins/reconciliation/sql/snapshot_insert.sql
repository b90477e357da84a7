INSERT INTO summa_host.hash_snapshot
  (aggregate_type, aggregate_id, snapshot_version, snapshot_hash, event_count, position, verified_from)
VALUES ($1, $2, $3, $4, $3, $5, $6) ON CONFLICT DO NOTHING
