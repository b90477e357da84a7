-- Relations that a query on the table $1 locks, and locks that the server has room for.
SELECT (SELECT count(*) FROM pg_catalog.pg_partition_tree($1::bigint::oid::regclass))
       + (SELECT count(*) FROM pg_catalog.pg_index i
          JOIN pg_catalog.pg_partition_tree($1::bigint::oid::regclass) t ON t.relid = i.indrelid) AS relations,
       current_setting('max_locks_per_transaction')::bigint
       * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint) AS room
