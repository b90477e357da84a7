-- One row for each run of consecutive versions: a partition of a table that was flat may have gaps, whose events are in
-- another partition.
INSERT INTO summa_host.partition_edge (record, aggregate_type, aggregate_id, first_version, first_previous_hash,
                                       last_version, last_hash)
SELECT $1::bigint, a.aggregate_type, a.aggregate_id, a.low, f.{previous_hash}, a.high, l.{hash}
FROM (SELECT aggregate_type, aggregate_id, min(version)::bigint AS low, max(version)::bigint AS high
      FROM (SELECT aggregate_type, aggregate_id, {version} AS version,
                   {version} - row_number() OVER (PARTITION BY aggregate_type, aggregate_id ORDER BY {version}) AS run
            FROM {leaving} l) e
      GROUP BY aggregate_type, aggregate_id, run) a
JOIN {partition} f ON f.aggregate_type = a.aggregate_type AND f.aggregate_id = a.aggregate_id AND f.{version} = a.low
JOIN {partition} l ON l.aggregate_type = a.aggregate_type AND l.aggregate_id = a.aggregate_id AND l.{version} = a.high
