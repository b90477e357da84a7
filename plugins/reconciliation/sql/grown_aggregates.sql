-- Aggregates with an event in ($1, $2] that is $3 or more versions above their latest snapshot.
SELECT a.aggregate_type::text, a.aggregate_id, a.version::bigint,
       coalesce(s.snapshot_version, 0)::bigint AS snapshot_version, coalesce(s.snapshot_hash, '') AS snapshot_hash
FROM (SELECT aggregate_type, aggregate_id, max({version}) AS version FROM {events}
      WHERE {position} > $1 AND {position} <= $2 AND {version} >= $3
      GROUP BY aggregate_type, aggregate_id) a
LEFT JOIN LATERAL (SELECT snapshot_version, snapshot_hash FROM summa_host.hash_snapshot h
                   WHERE h.aggregate_type = a.aggregate_type AND h.aggregate_id = a.aggregate_id
                   ORDER BY snapshot_version DESC LIMIT 1) s ON true
WHERE a.version - coalesce(s.snapshot_version, 0) >= $3
ORDER BY a.aggregate_type, a.aggregate_id
