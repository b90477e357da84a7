-- Transactions with a lock on the table $1 or one of its partitions that are older than $2 microseconds, or whose age
-- cannot be told because they are prepared.
WITH tree AS (
  SELECT relid::oid AS oid FROM pg_catalog.pg_partition_tree($1::bigint::oid::regclass)
)
SELECT DISTINCT CASE WHEN l.pid IS NULL THEN format('the prepared transaction %s', l.virtualtransaction)
            ELSE format('process %s (%s, %s)', l.pid, coalesce(nullif(a.application_name, ''), 'no name'),
                        coalesce(a.state, 'state unknown')) END AS what
FROM pg_catalog.pg_locks l JOIN tree ON tree.oid = l.relation LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND (l.pid IS NULL OR a.xact_start < clock_timestamp() - $2::bigint * interval '1 microsecond')
ORDER BY 1
