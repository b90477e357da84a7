-- Aggregates of a partition whose last event there is not covered by a snapshot.
SELECT count(*)
FROM (SELECT aggregate_type, aggregate_id, max({version}) AS version FROM {partition}
      GROUP BY aggregate_type, aggregate_id) a
WHERE NOT EXISTS (SELECT FROM summa_host.hash_snapshot s
                  WHERE s.aggregate_type = a.aggregate_type AND s.aggregate_id = a.aggregate_id
                    AND s.snapshot_version >= a.version)
