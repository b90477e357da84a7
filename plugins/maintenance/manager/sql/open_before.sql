-- Transactions of this database that may have begun before $1, and prepared ones with a lock on the table $2 or one of
-- its partitions. $3: only these transactions, when it is not empty. `known`: certainly begun before; without the right
-- to see the start of a transaction (pg_read_all_stats) it counts as possible until it ends.
WITH tree AS (
  SELECT $2::bigint::oid AS oid UNION SELECT relid::oid FROM pg_catalog.pg_partition_tree($2::bigint::oid::regclass)
)
SELECT l.virtualtransaction AS transaction, a.xact_start IS NOT NULL AS known,
       format('the transaction of process %s (%s)', l.pid, coalesce(nullif(a.application_name, ''), 'no name')) AS what
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'virtualxid' AND l.granted AND l.mode = 'ExclusiveLock' AND l.pid <> pg_backend_pid()
  AND a.datname = current_database() AND a.backend_type IS DISTINCT FROM 'autovacuum worker' AND (a.xact_start IS NULL OR a.xact_start < $1)
  AND ($3 = '' OR l.virtualtransaction = ANY (string_to_array($3, ' ')))
UNION ALL
SELECT DISTINCT l.virtualtransaction, true,
       format('the prepared transaction %s', coalesce((SELECT string_agg(p.gid, ', ')
              FROM pg_catalog.pg_locks t JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = t.transactionid
              WHERE t.locktype = 'transactionid' AND t.pid IS NULL AND t.virtualtransaction = l.virtualtransaction),
              l.virtualtransaction))
FROM pg_catalog.pg_locks l JOIN tree ON tree.oid = l.relation
WHERE l.pid IS NULL AND l.locktype = 'relation'
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
ORDER BY known DESC, 1
