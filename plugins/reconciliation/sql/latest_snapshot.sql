SELECT snapshot_version, snapshot_hash FROM summa_host.hash_snapshot
WHERE aggregate_type = $1 AND aggregate_id = $2 ORDER BY snapshot_version DESC LIMIT 1
