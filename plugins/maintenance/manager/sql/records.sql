-- What is recorded of the partitions of $1; of one of them, when $2 is its name.
SELECT id, name, from_time, to_time, state, coalesce(row_count, 0) AS row_count, coalesce(bytes, 0) AS bytes,
       kept_count, coalesce(location, '') AS location, coalesce(sha256, '') AS sha256
FROM summa_host.partition_record
WHERE parent = $1 AND ($2::text IS NULL OR name = $2)
ORDER BY from_time, name
