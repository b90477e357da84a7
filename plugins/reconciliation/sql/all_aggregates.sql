-- The next $3 aggregates after ($1, $2), each with its last version and its latest snapshot.
SELECT a.aggregate_type::text, a.aggregate_id, a.version::bigint,
       coalesce(s.snapshot_version, 0)::bigint AS snapshot_version, coalesce(s.snapshot_hash, '') AS snapshot_hash
FROM (SELECT aggregate_type, aggregate_id, max({version}) AS version FROM {events}
      WHERE (aggregate_type, aggregate_id) > ($1, $2) GROUP BY aggregate_type, aggregate_id
      ORDER BY aggregate_type, aggregate_id LIMIT $3) a
LEFT JOIN LATERAL (SELECT snapshot_version, snapshot_hash FROM summa_host.hash_snapshot h
                   WHERE h.aggregate_type = a.aggregate_type AND h.aggregate_id = a.aggregate_id
                   ORDER BY snapshot_version DESC LIMIT 1) s ON true
ORDER BY a.aggregate_type, a.aggregate_id
